import type { SchemaNode } from './json-schema.ts'
import type { Path } from './problem.ts'
import { isMap } from './tree.ts'

/** Questions about a node of our JSON Schema: what belongs at a path, and how to say it in words. */

/** @returns what the schema wants at `path`; alternatives are chosen by what `tree` holds on the way */
export function schemaAt(root: SchemaNode, path: Path, tree: unknown): SchemaNode | undefined {
  let node: SchemaNode | undefined = root
  let value = tree
  for (const part of path) {
    node = node === undefined ? undefined : alternativeFor(node, value)
    if (Array.isArray(value)) {
      node = node?.items
      value = value[Number(part)]
    } else {
      node = node?.properties?.[part] ?? (node?.additionalProperties || undefined)
      value = isMap(value) && Object.hasOwn(value, part) ? value[part] : undefined
    }
  }
  return node
}

/** @returns the alternative of `node` that `value` was meant for, or `node` where it has none */
export function alternativeFor(node: SchemaNode, value: unknown): SchemaNode | undefined {
  const alternatives = node.anyOf ?? node.oneOf
  if (alternatives === undefined) return node
  const fitting = alternatives.filter((one) => one.type === jsonTypeOf(value))
  return fitting.find((one) => hasConstants(one, value)) ?? (fitting.length === 1 ? fitting[0] : undefined)
}

function hasConstants(node: SchemaNode, value: unknown): boolean {
  if (!isMap(value)) return true
  return Object.entries(node.properties ?? {}).every(
    ([name, property]) => property.const === undefined || property.const === value[name],
  )
}

function jsonTypeOf(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  return typeof value
}

/** @returns the choices of an enumeration, or nothing */
export function choicesOf(node: SchemaNode): string[] {
  if (node.const !== undefined) return [String(node.const)]
  if (node.enum !== undefined) return node.enum.map(String)
  return (node.anyOf ?? node.oneOf ?? []).flatMap(choicesOf)
}

/** @returns what may stand there, in words: `a whole number from 0 to 65535` */
export function expectedOf(node: SchemaNode): string {
  const alternatives = node.anyOf ?? node.oneOf
  if (alternatives !== undefined) return [...new Set(alternatives.map(expectedOf))].join(', or ')
  const choices = choicesOf(node).map((choice) => `\`${choice}\``)
  if (choices.length > 1) return `one of ${choices.join(', ')}`
  if (choices[0] !== undefined) return choices[0]
  switch (node.type) {
    case 'integer':
      return `a whole number${boundsOf(node)}`
    case 'number':
      return `a number${boundsOf(node)}`
    case 'boolean':
      return '`true` or `false`'
    case 'array':
      return listOf(node)
    case 'object':
      return 'a map'
    case 'null':
      return '`null`'
    default:
      return (node.minLength ?? 0) > 0 ? 'a text that is not empty' : 'a text'
  }
}

function listOf({ minItems, maxItems }: SchemaNode): string {
  const least = (minItems ?? 0) > 0 ? ' that is not empty' : ''
  return maxItems === undefined ? `a list${least}` : `a list${least} of at most ${maxItems}`
}

function boundsOf({ minimum, exclusiveMinimum, maximum }: SchemaNode): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (exclusiveMinimum !== undefined && maximum !== undefined) {
    return ` above ${exclusiveMinimum}, up to ${maximum}`
  }
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}`
  if (minimum !== undefined) return `, ${minimum} or more`
  return maximum === undefined ? '' : `, ${maximum} or less`
}

/** @returns a value in words for an error; nothing of a text that the schema calls a secret */
export function foundOf(value: unknown, node: SchemaNode | undefined): string {
  if (value === undefined || value === null) return 'nothing'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'a map'
  if (node?.writeOnly === true) return 'something else'
  if (typeof value !== 'string') return `\`${String(value)}\``
  return value.length > 40 ? `"${value.slice(0, 40)}…"` : `"${value}"`
}
