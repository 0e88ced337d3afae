import { invalidField, isObject, type JsonObject } from './fields.ts'

/** Deeper than any schema a person writes; a bound, because we recurse. */
const DEPTH_MAX = 64

const TYPES: Readonly<Record<string, string>> = {
  STRING: 'string',
  NUMBER: 'number',
  INTEGER: 'integer',
  BOOLEAN: 'boolean',
  ARRAY: 'array',
  OBJECT: 'object',
  NULL: 'null',
}

const COUNTS = ['minItems', 'maxItems', 'minLength', 'maxLength', 'minProperties', 'maxProperties'] as const

/** Keywords that both languages spell alike. */
const SAME = ['title', 'description', 'default', 'enum', 'pattern', 'minimum', 'maximum', 'required'] as const

/**
 * @param schema Gemini's `Schema`: a subset of OpenAPI 3.0 with upper-case types (@google/genai 3.1.0)
 * @param path of the schema in the request, for errors
 * @returns the same as JSON Schema; keywords that are no part of `Schema` stay as they are
 * @throws GatewayError `invalid_request` where a schema is no object, or nested too deep
 */
export function fromSchema(schema: unknown, path: string, depth = 0): Record<string, unknown> {
  if (!isObject(schema)) throw invalidField(path, 'has to be an object.')
  if (depth > DEPTH_MAX) throw invalidField(path, `is nested deeper than ${DEPTH_MAX} levels.`)
  const rest: Record<string, unknown> = { ...schema }
  const take = (name: string): unknown => {
    const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    const value = rest[name] ?? rest[snake]
    delete rest[name]
    delete rest[snake]
    return value ?? undefined
  }
  const json: Record<string, unknown> = {}
  const put = (name: string, value: unknown): void => {
    if (value !== undefined) json[name] = value
  }

  const type = take('type')
  const nullable = take('nullable') === true
  if (typeof type === 'string' && type !== 'TYPE_UNSPECIFIED') {
    const lower = TYPES[type.toUpperCase()] ?? type
    put('type', nullable ? [lower, 'null'] : lower)
  } else if (Array.isArray(type)) put('type', type)
  for (const name of SAME) put(name, take(name))
  const format = take('format')
  // `format: enum` only says that there is an `enum`.
  if (format !== 'enum') put('format', format)
  for (const name of COUNTS) put(name, toCount(take(name)))
  const order = take('propertyOrdering')
  const properties = take('properties')
  if (isObject(properties)) put('properties', toProperties(properties, order, path, depth))
  const items = take('items')
  if (items !== undefined) put('items', fromSchema(items, `${path}.items`, depth + 1))
  const anyOf = take('anyOf')
  if (Array.isArray(anyOf)) {
    const choices = anyOf.map((choice, index) => fromSchema(choice, `${path}.anyOf[${index}]`, depth + 1))
    put('anyOf', nullable && json.type === undefined ? [...choices, { type: 'null' }] : choices)
  }
  const example = take('example')
  if (example !== undefined) put('examples', [example])
  return { ...json, ...rest }
}

/** Counts are 64-bit integers and so strings in Google's JSON. */
function toCount(value: unknown): unknown {
  return typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
}

/** `propertyOrdering` is Gemini's own; models keep to the order in which the properties stand. */
function toProperties(properties: JsonObject, order: unknown, path: string, depth: number): JsonObject {
  const first = Array.isArray(order) ? order.filter((name) => typeof name === 'string') : []
  const names = new Set([
    ...first.filter((name) => Object.hasOwn(properties, name)),
    ...Object.keys(properties),
  ])
  return Object.fromEntries(
    [...names].map((name) => [name, fromSchema(properties[name], `${path}.properties.${name}`, depth + 1)]),
  )
}
