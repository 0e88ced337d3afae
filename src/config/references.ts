// biome-ignore-all lint/suspicious/noTemplateCurlyInString: references are written like this.
import { dirname, isAbsolute, resolve } from 'node:path'
import type { Finding, Path } from './problem.ts'
import { type SecretResolver, secretErrorMessage } from './secrets/resolver.ts'
import { didYouMean } from './suggest.ts'
import { mapTexts, pathKey } from './tree.ts'

/** One `${scheme:name}` in a text. */
export interface Reference {
  readonly scheme: string
  readonly name: string
  /** As written. */
  readonly text: string
}

export interface ReferenceContext {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly readFile: (path: string) => Promise<string>
  /** The configuration file: `${file:…}` is relative to its folder. */
  readonly file: string
  readonly resolvers: readonly SecretResolver[]
  readonly signal: AbortSignal
}

export interface ResolvedTree {
  /** With every reference replaced; a text whose reference failed stays as it was. */
  readonly tree: unknown
  readonly findings: readonly Finding[]
}

/** `$${` is a dollar sign and a brace that mean no reference. */
const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g
const SECRET_FILE_CHARACTERS_MAX = 65_536
/** Stores are asked in parallel, but not by a crowd. */
const PARALLEL_MAX = 8
/** A configuration with more references than this is a mistake. */
const REFERENCES_MAX = 1000

/** @returns the references in a text, in order; what is malformed comes back with an empty scheme */
export function referencesIn(text: string): Reference[] {
  return [...text.matchAll(REFERENCE)]
    .filter((match) => match[1] !== undefined)
    .map((match) => {
      const parts = /^([a-z][a-z0-9-]*):(.+)$/.exec((match[1] ?? '').trim())
      return { scheme: parts?.[1] ?? '', name: parts?.[2]?.trim() ?? '', text: match[0] }
    })
}

/**
 * Resolves every reference of a tree; each different one is asked for once.
 *
 * @returns the tree, and a finding for each reference that cannot be resolved
 */
export async function resolveReferences(tree: unknown, context: ReferenceContext): Promise<ResolvedTree> {
  const places: { path: Path; reference: Reference }[] = []
  mapTexts(tree, (text, path) => {
    for (const reference of referencesIn(text)) places.push({ path, reference })
    return text
  })
  if (places.length > REFERENCES_MAX) {
    return {
      tree,
      findings: [{ path: [], part: 'value', message: `more than ${REFERENCES_MAX} references` }],
    }
  }
  const answers = await resolveAll(
    new Map(places.map(({ reference }) => [reference.text, reference])),
    context,
  )
  const findings = places.flatMap(({ path, reference }) => {
    const answer = answers.get(reference.text)
    return answer?.fault === undefined ? [] : [{ path, part: 'value' as const, message: answer.fault }]
  })
  const failed = new Set(findings.map(({ path }) => pathKey(path)))
  const resolved = mapTexts(tree, (text, path) =>
    failed.has(pathKey(path))
      ? text
      : text.replace(REFERENCE, (all) => (all === '$${' ? '${' : (answers.get(all)?.value ?? all))),
  )
  return { tree: resolved, findings }
}

interface Answer {
  readonly value?: string
  /** What went wrong, as a sentence without a secret. */
  readonly fault?: string
}

async function resolveAll(
  references: ReadonlyMap<string, Reference>,
  context: ReferenceContext,
): Promise<Map<string, Answer>> {
  const answers = new Map<string, Answer>()
  const waiting = references.entries()
  const work = async () => {
    for (const [text, reference] of waiting) answers.set(text, await resolveOne(reference, context))
  }
  await Promise.all(Array.from({ length: PARALLEL_MAX }, work))
  return answers
}

async function resolveOne(reference: Reference, context: ReferenceContext): Promise<Answer> {
  if (reference.scheme === 'env') return fromEnvironment(reference.name, context.env)
  if (reference.scheme === 'file') return await fromFile(reference.name, context)
  const resolver = context.resolvers.find(({ scheme }) => scheme === reference.scheme)
  if (resolver === undefined) return { fault: unknownScheme(reference, context) }
  try {
    return { value: await resolver.resolve(reference.name, context.signal) }
  } catch (error) {
    return { fault: `${reference.text}: ${secretErrorMessage(error)}` }
  }
}

function fromEnvironment(name: string, env: ReferenceContext['env']): Answer {
  const value = env[name]
  if (value === undefined) {
    return { fault: `the environment variable ${name} is not set.${didYouMean(name, Object.keys(env))}` }
  }
  return value === '' ? { fault: `the environment variable ${name} is empty` } : { value }
}

async function fromFile(name: string, { file, readFile }: ReferenceContext): Promise<Answer> {
  const path = isAbsolute(name) ? name : resolve(dirname(file), name)
  try {
    const text = await readFile(path)
    if (text.length > SECRET_FILE_CHARACTERS_MAX) return { fault: `${path} is too large for a secret` }
    // Editors and `echo` end a file with a line end that is no part of the secret.
    const value = text.replace(/\r?\n$/, '')
    return value === '' ? { fault: `${path} is empty` } : { value }
  } catch (error) {
    return { fault: `${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown reason'})` }
  }
}

function unknownScheme({ scheme, text }: Reference, { resolvers, env }: ReferenceContext): string {
  const schemes = ['env', 'file', ...resolvers.map((resolver) => resolver.scheme)]
  if (scheme !== '') {
    const hint = didYouMean(scheme, schemes) || ` Known: ${schemes.map((name) => `\`${name}\``).join(', ')}.`
    return `unknown kind of reference \`${scheme}\`.${hint}`
  }
  const inner = text.slice(2, -1).trim()
  const isName = Object.hasOwn(env, inner) || /^[A-Z_][A-Z0-9_]*$/.test(inner)
  return isName
    ? `a reference names its kind: write \${env:${inner}}`
    : 'a reference is written ${kind:name}, for example ${env:NAME}; for a plain dollar sign and brace write $${'
}
