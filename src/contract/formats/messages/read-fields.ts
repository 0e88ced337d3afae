import { GatewayError } from '../../../core/errors.ts'

/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>

export function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @throws GatewayError `invalid_request` that names the field and what it should have been */
export function refuseField(path: string, expected: string): never {
  throw new GatewayError('invalid_request', { message: `\`${path}\` must be ${expected}.`, param: path })
}

export function objectAt(value: unknown, path: string): Fields {
  return isFields(value) ? value : refuseField(path, 'an object')
}

export function arrayAt(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuseField(path, 'an array')
}

export function stringAt(value: unknown, path: string): string {
  return typeof value === 'string' ? value : refuseField(path, 'a string')
}

/** @returns `undefined` where the field is absent or `null`, which this API takes for the same */
export function optionalString(value: unknown, path: string): string | undefined {
  return value === undefined || value === null ? undefined : stringAt(value, path)
}

export function optionalNumber(value: unknown, path: string): number | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'number' && Number.isFinite(value) ? value : refuseField(path, 'a number')
}

export function optionalBoolean(value: unknown, path: string): boolean | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'boolean' ? value : refuseField(path, 'true or false')
}

export function optionalInteger(value: unknown, path: string, least: number): number | undefined {
  if (value === undefined || value === null) return undefined
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= least
    ? value
    : refuseField(path, `an integer of at least ${least}`)
}

/** @returns `undefined` for `null` too: how this API spells "no breakpoint here" */
export function cacheControlOf(block: Fields): unknown {
  return block.cache_control ?? undefined
}
