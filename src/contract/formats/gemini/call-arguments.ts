import { isObject, type JsonObject } from './fields.ts'

/** @returns the arguments of a call as an object, or `undefined` where the model wrote something else */
export function toArgs(text: string): JsonObject | undefined {
  if (text.trim() === '') return {}
  try {
    const args: unknown = JSON.parse(text)
    return isObject(args) ? args : undefined
  } catch {
    return undefined
  }
}
