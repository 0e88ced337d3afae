import type { core } from 'zod'
import type { SchemaNode } from './json-schema.ts'
import type { Finding, Path } from './problem.ts'
import { alternativeFor, choicesOf, expectedOf, foundOf, schemaAt } from './schema-node.ts'
import { didYouMean } from './suggest.ts'
import { valueAt } from './tree.ts'

type Issue = core.$ZodIssue

/** @returns what the schema objected to, in our words: what may stand there, what stands there, what was meant */
export function issuesToFindings(issues: readonly Issue[], tree: unknown, root: SchemaNode): Finding[] {
  return issues.flatMap((issue) => toFindings(issue, [], tree, root))
}

function toFindings(issue: Issue, prefix: Path, tree: unknown, root: SchemaNode): Finding[] {
  const path = [...prefix, ...toPath(issue.path)]
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => unknownKey(path, key, tree, root))
    case 'invalid_key':
      return [{ path, part: 'key', message: issue.issues[0]?.message ?? 'is no valid name' }]
    case 'custom':
    case 'invalid_format':
      return [{ path, part: 'value', message: issue.message }]
    case 'invalid_union': {
      const options = 'options' in issue ? issue.options : undefined
      if (Array.isArray(options)) return [wrongValue(path, tree, { enum: options })]
      const meant = branchMeant(issue.errors)
      if (meant !== undefined) return meant.flatMap((inner) => toFindings(inner, path, tree, root))
      return [wrongValue(path, tree, schemaAt(root, path, tree))]
    }
    default:
      return [wrongValue(path, tree, schemaAt(root, path, tree))]
  }
}

/** The one branch whose kind of value stands there: a map with a mistake in it was still meant to be a map. */
function branchMeant(branches: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  const possible = branches.filter((issues) => !issues.some(isOfAnotherKind))
  return possible.length === 1 ? possible[0] : undefined
}

function isOfAnotherKind(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === 'invalid_type' || issue.code === 'invalid_value')
}

function unknownKey(path: Path, key: string, tree: unknown, root: SchemaNode): Finding {
  const around = schemaAt(root, path, tree)
  const node = around === undefined ? undefined : alternativeFor(around, valueAt(tree, path))
  const known = Object.keys(node?.properties ?? {})
  const hint = didYouMean(key, known) || ` Known here: ${known.map((name) => `\`${name}\``).join(', ')}.`
  return { path: [...path, key], part: 'key', message: `unknown key.${hint}` }
}

function wrongValue(path: Path, tree: unknown, node: SchemaNode | undefined): Finding {
  const value = valueAt(tree, path)
  const expected = node === undefined ? 'something else' : expectedOf(node)
  if (value === undefined) return { path, part: 'key', message: `is missing; it must be ${expected}` }
  const hint = node !== undefined && typeof value === 'string' ? didYouMean(value, choicesOf(node)) : ''
  return { path, part: 'value', message: `must be ${expected}; found ${foundOf(value, node)}.${hint}` }
}

function toPath(path: readonly PropertyKey[]): Path {
  return path.map((part) => (typeof part === 'number' ? part : String(part)))
}
