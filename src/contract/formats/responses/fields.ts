import { GatewayError } from '../../../core/errors.ts'

/** A JSON object that nobody has checked yet. */
export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the error for a field that cannot be understood; `path` is the field as its author would write it */
export function invalidField(path: string, expected: string): GatewayError {
  return new GatewayError('invalid_request', { message: `\`${path}\` ${expected}.`, param: path })
}

/**
 * The readers below return the value, or `undefined` where the field is missing or `null`: OpenAI treats both
 * as "not given". They throw `invalid_request` where the field has another type.
 */
export function readString(source: JsonObject, field: string, path = field): string | undefined {
  const value = source[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string') throw invalidField(path, 'must be a string')
  return value
}

export function readNumber(source: JsonObject, field: string, path = field): number | undefined {
  const value = source[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalidField(path, 'must be a number')
  return value
}

export function readInteger(
  source: JsonObject,
  field: string,
  minimum: number,
  path = field,
): number | undefined {
  const value = readNumber(source, field, path)
  if (value === undefined) return undefined
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw invalidField(path, `must be a whole number of at least ${minimum}`)
  }
  return value
}

export function readBoolean(source: JsonObject, field: string, path = field): boolean | undefined {
  const value = source[field]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'boolean') throw invalidField(path, 'must be true or false')
  return value
}

export function readObject(source: JsonObject, field: string, path = field): JsonObject | undefined {
  const value = source[field]
  if (value === undefined || value === null) return undefined
  if (!isObject(value)) throw invalidField(path, 'must be an object')
  return value
}

export function readArray(source: JsonObject, field: string, path = field): readonly unknown[] | undefined {
  const value = source[field]
  if (value === undefined || value === null) return undefined
  if (!Array.isArray(value)) throw invalidField(path, 'must be an array')
  return value
}

/** @throws GatewayError `invalid_request` where the field is missing or no string */
export function requireString(source: JsonObject, field: string, path = field): string {
  const value = readString(source, field, path)
  if (value === undefined) throw invalidField(path, 'is required and must be a string')
  return value
}
