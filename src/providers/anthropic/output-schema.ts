import { type Fields, isFields } from '../../contract/formats/messages/read-fields.ts'

/** String formats that the API compiles (lib/transform-json-schema of @anthropic-ai/sdk 1.11). */
const FORMATS = new Set([
  'date-time',
  'time',
  'date',
  'duration',
  'email',
  'hostname',
  'uri',
  'ipv4',
  'ipv6',
  'uuid',
])

/** Keywords that the API compiles as they are, or that say nothing about the value. */
const KEPT = new Set([
  'type',
  'description',
  'title',
  'default',
  'enum',
  'const',
  'required',
  'additionalProperties',
  '$ref',
])

const NESTING_MAX = 64

export interface OutputSchema {
  readonly schema: Fields
  /** Keywords that had to become words in a description: the model reads them, nothing enforces them. */
  readonly softened: readonly string[]
}

/**
 * @returns the schema in the subset that the API compiles, or `undefined` where it cannot be said there at all: an
 *   object with keys of its reader's choice, or a schema that contains itself
 */
export function toOutputSchema(schema: Fields): OutputSchema | undefined {
  const softened = new Set<string>()
  const converted = convert(schema, softened, 0)
  if (converted === undefined || isRecursive(schema)) return undefined
  return { schema: converted, softened: [...softened] }
}

/** @returns `undefined` where a part of it cannot be said */
function convert(schema: Fields, softened: Set<string>, depth: number): Fields | undefined {
  if (depth > NESTING_MAX) return undefined
  const result: Record<string, unknown> = {}
  const rest: Record<string, unknown> = {}
  for (const [keyword, value] of Object.entries(schema)) {
    if (keyword === '$schema' || keyword === '$id') continue
    const nested = convertNested(keyword, value, softened, depth)
    if (nested === 'impossible') return undefined
    if (nested !== undefined) Object.assign(result, nested)
    else if (isKept(keyword, value)) result[keyword] = value
    else rest[keyword] = value
  }
  if (isObjectSchema(schema)) {
    if (isOpenMap(schema)) return undefined
    // The API demands it; a schema that is silent about other keys rarely wants any.
    result.additionalProperties = false
  }
  return describeRest(result, rest, softened)
}

/** @returns the keyword with the schemas below it converted; `undefined` where there are none below it */
function convertNested(
  keyword: string,
  value: unknown,
  softened: Set<string>,
  depth: number,
): Fields | 'impossible' | undefined {
  switch (keyword) {
    case 'properties':
    case '$defs':
    case 'definitions': {
      if (!isFields(value)) return undefined
      const entries = Object.entries(value).map(([name, entry]) => [
        name,
        convertEntry(entry, softened, depth),
      ])
      return entries.some(([, entry]) => entry === undefined)
        ? 'impossible'
        : { [keyword]: Object.fromEntries(entries) }
    }
    case 'anyOf':
    case 'oneOf':
    case 'allOf': {
      if (!Array.isArray(value)) return undefined
      const variants = value.map((entry) => convertEntry(entry, softened, depth))
      if (variants.includes(undefined)) return 'impossible'
      // `oneOf` is not compiled; alternatives that exclude each other mean the same in `anyOf`.
      return { [keyword === 'oneOf' ? 'anyOf' : keyword]: variants }
    }
    case 'items': {
      const items = convertEntry(value, softened, depth)
      return items === undefined ? 'impossible' : { items }
    }
    default:
      return undefined
  }
}

function convertEntry(entry: unknown, softened: Set<string>, depth: number): Fields | undefined {
  return isFields(entry) ? convert(entry, softened, depth + 1) : undefined
}

function isKept(keyword: string, value: unknown): boolean {
  if (keyword === 'format') return typeof value === 'string' && FORMATS.has(value)
  if (keyword === 'minItems') return value === 0 || value === 1
  return KEPT.has(keyword)
}

function isObjectSchema(schema: Fields): boolean {
  return schema.type === 'object' || isFields(schema.properties)
}

function isOpenMap(schema: Fields): boolean {
  const extra = schema.additionalProperties
  return (
    isFields(extra) || (extra === true && !isFields(schema.properties)) || isFields(schema.patternProperties)
  )
}

function describeRest(result: Fields, rest: Fields, softened: Set<string>): Fields {
  const keywords = Object.keys(rest)
  if (keywords.length === 0) return result
  for (const keyword of keywords) softened.add(keyword)
  const words = keywords.map((keyword) => `${keyword}: ${JSON.stringify(rest[keyword])}`).join(', ')
  const description = typeof result.description === 'string' ? `${result.description} (${words})` : words
  return { ...result, description }
}

/** Whether a `$ref` leads back to a schema it stands in. */
function isRecursive(root: Fields): boolean {
  const definitions: Fields = {
    ...(isFields(root.definitions) ? root.definitions : {}),
    ...(isFields(root.$defs) ? root.$defs : {}),
  }
  const graph = new Map(Object.entries(definitions).map(([name, entry]) => [name, referencesOf(entry)]))
  if (referencesOf(root).has('#')) return true
  return [...graph.keys()].some((name) => reaches(graph, name, name, new Set()))
}

function reaches(
  graph: ReadonlyMap<string, ReadonlySet<string>>,
  from: string,
  goal: string,
  seen: Set<string>,
): boolean {
  for (const next of graph.get(from) ?? []) {
    if (next === goal) return true
    if (seen.has(next)) continue
    seen.add(next)
    if (reaches(graph, next, goal, seen)) return true
  }
  return false
}

/** @returns the names that `$ref`s inside refer to, `#` for the root */
function referencesOf(value: unknown): ReadonlySet<string> {
  const names = new Set<string>()
  const pending: unknown[] = [value]
  while (pending.length > 0) {
    const entry = pending.pop()
    if (Array.isArray(entry)) pending.push(...entry)
    if (!isFields(entry)) continue
    if (typeof entry.$ref === 'string') names.add(entry.$ref.replace(/^#\/(?:\$defs|definitions)\//, ''))
    pending.push(...Object.values(entry))
  }
  return names
}
