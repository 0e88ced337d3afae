import { GatewayError } from '../../core/errors.ts'

/** Deeper than any schema a person writes; a bound, because we recurse. */
const DEPTH_MAX = 64

/** Keywords whose value is a map of names to schemas: a name in it may be that of a keyword. */
const MAPS = new Set(['properties', '$defs', 'patternProperties', 'dependentSchemas'])
/** Keywords whose value is data, never a schema. */
const DATA = new Set(['const', 'default', 'enum', 'examples', 'required'])

/**
 * Makes a JSON Schema fit for `parametersJsonSchema` and `responseJsonSchema`, which take JSON Schema, but of it only
 * `$defs` for definitions, and beside `$ref` only keywords with `$` (`responseJsonSchema` in @google/genai 3.1.0).
 * Keywords it does not list are left in: Google says whether it minds.
 *
 * @param param field of the request, for errors
 * @returns the same schema with `{$ref, description}` spelled `{anyOf: [{$ref}], description}`, the `definitions` of
 *   older drafts as `$defs`, and without `$schema`
 * @throws GatewayError `invalid_request` where it is nested too deep
 */
export function toGoogleSchema(
  schema: Readonly<Record<string, unknown>>,
  param: string,
): Record<string, unknown> {
  const { $schema: _dialect, definitions, $defs, ...rest } = schema
  const older = isSchema(definitions) ? definitions : undefined
  const newer = isSchema($defs) ? $defs : undefined
  const all = older === undefined && newer === undefined ? {} : { $defs: { ...older, ...newer } }
  return toSchema({ ...rest, ...all }, param, 0)
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
  // Two lists of choices at once cannot be said here: Google refuses such a schema, which beats guessing.
  if (plain.some(([keyword]) => keyword === 'anyOf')) return Object.fromEntries(entries)
  const dollar = entries.filter(([keyword]) => keyword.startsWith('$') && keyword !== '$ref')
  return { ...Object.fromEntries([...dollar, ...plain]), anyOf: [{ $ref: ref[1] }] }
}

function toValue(keyword: string, value: unknown, param: string, depth: number): unknown {
  if (Array.isArray(value))
    return value.map((item) => (isSchema(item) ? toSchema(item, param, depth + 1) : item))
  if (keyword === '$ref' && typeof value === 'string') return value.replace(/^#\/definitions\//, '#/$defs/')
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
