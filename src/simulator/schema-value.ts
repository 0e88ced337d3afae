import { isObject, type JsonObject, toList, toNumber, toObject, toText } from './json.ts'

/** A schema that refers to itself has to stop somewhere; real ones nest far less. */
const DEPTH_MAX = 12

/**
 * A small value that satisfies a JSON Schema: numbers are 1, booleans true, an enum its first value, texts `word`.
 * Objects have the properties they require, or all where they require none; lists have one item unless the schema
 * asks otherwise. Gemini's upper-case type names are understood.
 *
 * @param word used for every text without a format
 * @returns the value; `null` where the schema says nothing that could be followed
 */
export function toSchemaValue(schema: unknown, word: string): unknown {
  return schemaValue(toObject(schema), toObject(schema), word, 0)
}

function schemaValue(schema: JsonObject, root: JsonObject, word: string, depth: number): unknown {
  if (depth > DEPTH_MAX) return null
  if ('const' in schema) return schema.const
  const choices = toList(schema.enum)
  if (choices.length > 0) return choices[0]
  if (typeof schema.$ref === 'string') return schemaValue(follow(schema.$ref, root), root, word, depth + 1)
  const options = toList(schema.anyOf ?? schema.oneOf)
  if (options.length > 0) return schemaValue(toObject(firstUseful(options)), root, word, depth + 1)
  const all = toList(schema.allOf)
  if (all.length > 0) return schemaValue(merge(schema, all, root), root, word, depth + 1)
  switch (typeOf(schema)) {
    case 'object':
      return objectOf(schema, root, word, depth)
    case 'array':
      return listOf(schema, root, word, depth)
    case 'string':
      return textOf(schema, word)
    case 'integer':
    case 'number':
      return numberOf(schema)
    case 'boolean':
      return true
    default:
      return null
  }
}

function typeOf(schema: JsonObject): string {
  const { type } = schema
  if (Array.isArray(type)) {
    const useful = type.find((name) => typeof name === 'string' && name.toLowerCase() !== 'null')
    return toText(useful).toLowerCase()
  }
  if (typeof type === 'string') return type.toLowerCase()
  if (isObject(schema.properties)) return 'object'
  return schema.items === undefined ? '' : 'array'
}

function objectOf(schema: JsonObject, root: JsonObject, word: string, depth: number): JsonObject {
  const properties = toObject(schema.properties)
  const required = toList(schema.required).filter((name): name is string => typeof name === 'string')
  const names = required.length > 0 ? required : Object.keys(properties)
  const value: Record<string, unknown> = {}
  for (const name of names) value[name] = schemaValue(toObject(properties[name]), root, word, depth + 1)
  return value
}

function listOf(schema: JsonObject, root: JsonObject, word: string, depth: number): unknown[] {
  const least = toNumber(schema.minItems) ?? 1
  const most = toNumber(schema.maxItems) ?? 100
  // A list that may be empty ends a recursion early.
  if (depth > DEPTH_MAX / 2 && schema.minItems === undefined) return []
  const length = Math.max(0, Math.min(least, most, 100))
  return Array.from({ length }, () => schemaValue(toObject(schema.items), root, word, depth + 1))
}

const FORMATS: Readonly<Record<string, string>> = {
  date: '2026-01-01',
  'date-time': '2026-01-01T00:00:00Z',
  time: '00:00:00Z',
  email: 'paris@example.com',
  uri: 'https://example.com/',
  uuid: '00000000-0000-4000-8000-000000000000',
  ipv4: '192.0.2.1',
}

function textOf(schema: JsonObject, word: string): string {
  const formatted = FORMATS[toText(schema.format)]
  if (formatted !== undefined) return formatted
  const least = Math.min(toNumber(schema.minLength) ?? 0, 10_000)
  const padded = word.padEnd(least, 'x')
  return padded.slice(0, toNumber(schema.maxLength) ?? padded.length)
}

function numberOf(schema: JsonObject): number {
  const above = toNumber(schema.exclusiveMinimum)
  const least = toNumber(schema.minimum) ?? (above === undefined ? 1 : above + 1)
  const below = toNumber(schema.exclusiveMaximum)
  const most = toNumber(schema.maximum) ?? (below === undefined ? Number.POSITIVE_INFINITY : below - 1)
  const step = toNumber(schema.multipleOf)
  const value = Math.min(Math.max(1, least), most)
  return step === undefined || step <= 0 ? value : Math.ceil(value / step) * step
}

function firstUseful(options: readonly unknown[]): unknown {
  return options.find((option) => isObject(option) && option.type !== 'null') ?? options[0]
}

/** Local references only: `#/$defs/name` (JSON Schema 2020-12, section 8.2.3.1). */
function follow(reference: string, root: JsonObject): JsonObject {
  if (!reference.startsWith('#')) return {}
  let target: unknown = root
  for (const step of reference.slice(1).split('/').filter(Boolean)) {
    const name = decodeURIComponent(step).replaceAll('~1', '/').replaceAll('~0', '~')
    target = toObject(target)[name]
  }
  return toObject(target)
}

function merge(schema: JsonObject, all: readonly unknown[], root: JsonObject): JsonObject {
  const { allOf: _, ...own } = schema
  let merged: JsonObject = own
  for (const item of all) {
    const part = toObject(item)
    const resolved = typeof part.$ref === 'string' ? follow(part.$ref, root) : part
    merged = {
      ...merged,
      ...resolved,
      properties: { ...toObject(merged.properties), ...toObject(resolved.properties) },
      required: [...toList(merged.required), ...toList(resolved.required)],
    }
  }
  return merged
}
