/** Reading JSON that a stranger sent, without believing its shape. */

export type JsonObject = Readonly<Record<string, unknown>>

const NOTHING: JsonObject = {}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** @returns the object, or an empty one */
export function toObject(value: unknown): JsonObject {
  return isObject(value) ? value : NOTHING
}

/** @returns the list, or an empty one */
export function toList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : []
}

/** @returns the text, or `''` */
export function toText(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** @returns the number, or `undefined` */
export function toNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/** @returns a list of texts from a text, a list of them, or nothing */
export function toTexts(value: unknown): string[] {
  if (typeof value === 'string') return [value]
  return toList(value).filter((item): item is string => typeof item === 'string')
}
