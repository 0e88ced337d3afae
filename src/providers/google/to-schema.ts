import { GatewayError } from '../../core/errors.ts'

/** Deeper than any schema a person writes; a bound, because we recurse. */
const DEPTH_MAX = 64

/** Keywords whose value is a map of names to schemas: a name in it may be that of a keyword. */
const MAPS = new Set(['properties', '$defs', 'definitions', 'patternProperties', 'dependentSchemas'])
/** Keywords whose value is data, never a schema. */
const DATA = new Set(['const', 'default', 'enum', 'examples', 'required'])

/**
 * Makes a JSON Schema fit for `parametersJsonSchema` and `responseJsonSchema`, which take JSON Schema as it is with
 * one exception: beside `$ref` only keywords with `$` may stand (`responseJsonSchema` in @google/genai 3.1.0).
 *
 * @param param field of the request, for errors
 * @returns the same schema with `{$ref, description}` spelled `{anyOf: [{$ref}], description}`, without `$schema`
 * @throws GatewayError `invalid_request` where it is nested too deep
 */
export function toGoogleSchema(
  schema: Readonly<Record<string, unknown>>,
  param: string,
): Record<string, unknown> {
  const { $schema: _dialect, ...rest } = schema
  return toSchema(rest, param, 0)
}

function toSchema(schema: object, param: string, depth: number): Record<string, unknown> {
  if (depth > DEPTH_MAX) {
    throw new GatewayError('invalid_request', {
      message: `The schema is nested deeper than ${DEPTH_MAX} levels.`,
      param,
    })
  }
  const entries = Object.entries(schema).map(([keyword, value]): [string, unknown] => [
    keyword,
    DATA.has(keyword) ? value : toValue(keyword, value, param, depth),
  ])
  const ref = entries.find(([keyword]) => keyword === '$ref')
  const plain = entries.filter(([keyword]) => !keyword.startsWith('$'))
  if (ref === undefined || plain.length === 0) return Object.fromEntries(entries)
  const dollar = entries.filter(([keyword]) => keyword.startsWith('$') && keyword !== '$ref')
  if (plain.some(([keyword]) => keyword === 'anyOf')) {
    // Two lists of choices at once cannot be said here; the reference is the narrower of both in practice.
    return Object.fromEntries([...dollar, ref])
  }
  return { ...Object.fromEntries([...dollar, ...plain]), anyOf: [{ $ref: ref[1] }] }
}

function toValue(keyword: string, value: unknown, param: string, depth: number): unknown {
  if (Array.isArray(value))
    return value.map((item) => (isSchema(item) ? toSchema(item, param, depth + 1) : item))
  if (!isSchema(value)) return value
  if (!MAPS.has(keyword)) return toSchema(value, param, depth + 1)
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [
      name,
      isSchema(item) ? toSchema(item, param, depth + 1) : item,
    ]),
  )
}

function isSchema(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
