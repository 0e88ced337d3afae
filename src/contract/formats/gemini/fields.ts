import { GatewayError } from '../../../core/errors.ts'
import type { UnmappedField } from '../../chat.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns an `invalid_request` that names the field */
export function invalidField(path: string, message: string): GatewayError {
  return new GatewayError('invalid_request', { message: `\`${path}\`: ${message}`, param: path })
}

/**
 * Reads the fields of one JSON object and remembers which ones were read.
 *
 * Google's API takes every field as `lowerCamelCase` and as its `snake_case` original, and `null` as absent
 * (https://protobuf.dev/programming-guides/json/, read 2026-11-21): so does this.
 */
export interface FieldReader {
  readonly source: JsonObject
  /** @returns the path of a field as the caller wrote it */
  at(name: string): string
  /** @returns the raw value, `undefined` where the field is absent */
  value(name: string): unknown
  /** The typed readers throw `invalid_request` where the value has another type. */
  string(name: string): string | undefined
  number(name: string): number | undefined
  integer(name: string): number | undefined
  boolean(name: string): boolean | undefined
  array(name: string): readonly unknown[] | undefined
  object(name: string): FieldReader | undefined
  strings(name: string): readonly string[] | undefined
  /** @returns what nobody asked for */
  rest(): UnmappedField[]
}

/** @throws GatewayError `invalid_request` where the value is no object */
export function readFields(value: unknown, path: string): FieldReader {
  if (!isObject(value)) {
    throw path === ''
      ? new GatewayError('invalid_request', { message: 'The body has to be a JSON object.' })
      : invalidField(path, 'has to be an object.')
  }
  const source = value
  const seen = new Set<string>()

  function spelled(name: string): string {
    if (source[name] !== undefined) return name
    const snake = toSnakeCase(name)
    return source[snake] === undefined ? name : snake
  }
  function at(name: string): string {
    return path === '' ? spelled(name) : `${path}.${spelled(name)}`
  }
  function read(name: string): unknown {
    const written = spelled(name)
    seen.add(written)
    return source[written] ?? undefined
  }
  function typed<Value>(
    name: string,
    expected: string,
    is: (value: unknown) => value is Value,
  ): Value | undefined {
    const found = read(name)
    if (found === undefined) return undefined
    if (!is(found)) throw invalidField(at(name), `has to be ${expected}.`)
    return found
  }
  function number(name: string): number | undefined {
    const found = read(name)
    // The JSON mapping of protobuf also takes numbers as strings.
    const converted = typeof found === 'string' && found.trim() !== '' ? Number(found) : found
    if (converted === undefined) return undefined
    if (typeof converted !== 'number' || !Number.isFinite(converted)) {
      throw invalidField(at(name), 'has to be a number.')
    }
    return converted
  }

  return {
    source,
    at,
    value: read,
    string: (name) => typed(name, 'a string', isString),
    number,
    integer(name) {
      const found = number(name)
      if (found !== undefined && !Number.isSafeInteger(found)) {
        throw invalidField(at(name), 'has to be a whole number.')
      }
      return found
    },
    boolean: (name) => typed(name, 'true or false', isBoolean),
    array: (name) => typed(name, 'an array', isArray),
    object(name) {
      const found = read(name)
      return found === undefined ? undefined : readFields(found, at(name))
    },
    strings: (name) => typed(name, 'an array of strings', isStringArray),
    rest() {
      const left: UnmappedField[] = []
      for (const [name, item] of Object.entries(source)) {
        if (seen.has(name) || item === undefined || item === null) continue
        left.push({ path: path === '' ? name : `${path}.${name}`, value: item })
      }
      return left
    },
  }
}

/** @returns the object without the fields that are `undefined` */
export function compact<Shape extends object>(shape: Shape): Shape {
  const kept: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(shape)) {
    if (value !== undefined) kept[name] = value
  }
  return kept as Shape
}

// Only names that this folder asks for come here, so the memory is bounded by its source.
const snakeCases = new Map<string, string>()

function toSnakeCase(name: string): string {
  let snake = snakeCases.get(name)
  if (snake === undefined) {
    snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    snakeCases.set(name, snake)
  }
  return snake
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

function isArray(value: unknown): value is readonly unknown[] {
  return Array.isArray(value)
}

function isStringArray(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every(isString)
}
