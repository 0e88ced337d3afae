/** Readers of single fields of an untrusted JSON body: each returns a typed value or names the field at fault. */

import { GatewayError } from '../../../core/errors.ts'

export type Fields = Readonly<Record<string, unknown>>

/** @returns whether `value` is a JSON object (no array, no `null`) */
export function isObject(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the error for a field, ready to throw; `param` is the path as its author would write it */
export function invalidRequest(param: string | undefined, message: string): GatewayError {
  return new GatewayError('invalid_request', { message, param })
}

function wrongType(path: string, expected: string, value: unknown): GatewayError {
  return invalidRequest(
    path,
    `Invalid type for '${path}': expected ${expected}, but got ${nameOfType(value)} instead.`,
  )
}

function nameOfType(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** OpenAI reads `null` as "not given" in every optional field; so do all readers here that may return nothing. */
export function isAbsent(value: unknown): value is null | undefined {
  return value === undefined || value === null
}

/** @throws GatewayError `invalid_request` */
export function parseObject(value: unknown, path: string): Fields {
  if (isObject(value)) return value
  throw wrongType(path, 'an object', value)
}

/** @throws GatewayError `invalid_request` */
export function parseArray(value: unknown, path: string): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw wrongType(path, 'an array', value)
}

/** @throws GatewayError `invalid_request` */
export function parseString(value: unknown, path: string): string {
  if (typeof value === 'string') return value
  throw wrongType(path, 'a string', value)
}

/** @throws GatewayError `invalid_request` */
export function optionalString(value: unknown, path: string): string | undefined {
  return isAbsent(value) ? undefined : parseString(value, path)
}

/** @throws GatewayError `invalid_request` */
export function optionalBoolean(value: unknown, path: string): boolean | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'boolean') return value
  throw wrongType(path, 'a boolean', value)
}

/** @throws GatewayError `invalid_request` */
export function optionalNumber(value: unknown, path: string): number | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'number' && Number.isFinite(value)) return value
  throw wrongType(path, 'a number', value)
}

/** @throws GatewayError `invalid_request` */
export function optionalInteger(
  value: unknown,
  path: string,
  smallest: number,
  largest = Number.MAX_SAFE_INTEGER,
): number | undefined {
  const number = optionalNumber(value, path)
  if (number === undefined) return undefined
  if (!Number.isInteger(number)) throw wrongType(path, 'an integer', value)
  if (number < smallest || number > largest) {
    const range = largest === Number.MAX_SAFE_INTEGER ? `${smallest} or more` : `${smallest} to ${largest}`
    throw invalidRequest(path, `Invalid value for '${path}': expected ${range}, but got ${number} instead.`)
  }
  return number
}

/** @throws GatewayError `invalid_request` */
export function optionalObject(value: unknown, path: string): Fields | undefined {
  return isAbsent(value) ? undefined : parseObject(value, path)
}

/** @throws GatewayError `invalid_request` for a value that is neither a string nor an array of strings */
export function optionalStrings(value: unknown, path: string): readonly string[] | undefined {
  if (isAbsent(value)) return undefined
  if (typeof value === 'string') return [value]
  if (!Array.isArray(value)) throw wrongType(path, 'a string or an array of strings', value)
  return value.map((item, index) => parseString(item, `${path}[${index}]`))
}
