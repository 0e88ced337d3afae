import { scanTopLevel, spliceTopLevel } from '../core/json-splice.ts'
import type { Incoming } from '../pipeline/exchange.ts'

export interface ForwardOptions {
  /** The model's name at the provider; `undefined` where the format has it in the path. */
  readonly model: string | undefined
  /** Ask for usage in a stream of Chat Completions. */
  readonly addStreamOptions: boolean
  /** Another field and its value, which replaces the caller's. */
  readonly set?: readonly [name: string, value: unknown] | undefined
}

/**
 * @returns the caller's bytes with only those fields changed that are ours to set; the same buffer where none is.
 *   A body that names a field twice is written anew from what we understood: a provider must never read another
 *   model or another limit out of it than we did.
 */
export function forwardBody(incoming: Incoming, options: ForwardOptions): Buffer {
  const { body, json } = incoming
  if (body === undefined || json === undefined) return Buffer.alloc(0)
  const changes = new Map<string, string>()
  if (options.model !== undefined && options.model !== json.model) {
    changes.set('model', JSON.stringify(options.model))
  }
  if (options.addStreamOptions) {
    const given = json.stream_options ?? {}
    // What is no object is refused by the provider in its own words.
    if (isObject(given) && given.include_usage !== true) {
      changes.set('stream_options', JSON.stringify({ ...given, include_usage: true }))
    }
  }
  if (options.set !== undefined) changes.set(options.set[0], JSON.stringify(options.set[1]))
  // Two microseconds for a body of two kilobytes, a third of the time in which it was parsed for one full of tools.
  const top = scanTopLevel(body)
  if (top.duplicates) {
    const anew: Record<string, unknown> = { ...json }
    for (const [name, text] of changes) anew[name] = JSON.parse(text)
    return Buffer.from(JSON.stringify(anew))
  }
  return changes.size === 0 ? body : spliceTopLevel(body, top, changes)
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
