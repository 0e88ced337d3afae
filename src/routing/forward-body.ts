import { scanTopLevel, spliceTopLevel } from '../core/json-splice.ts'
import type { Incoming } from '../pipeline/exchange.ts'

export interface ForwardOptions {
  /** The model's name at the provider; `undefined` where the format has it in the path. */
  readonly model: string | undefined
  /** Ask for usage in a stream of Chat Completions. */
  readonly addStreamOptions: boolean
}

const MODEL_NAME = Buffer.from('"model"')
const ESCAPE = Buffer.from('\\u')

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
    const given = json.stream_options
    const asked = typeof given === 'object' && given !== null ? given : {}
    if (!('include_usage' in asked) || asked.include_usage !== true) {
      changes.set('stream_options', JSON.stringify({ ...asked, include_usage: true }))
    }
  }
  if (changes.size === 0 && !mayHaveDuplicates(body)) return body
  const top = scanTopLevel(body)
  if (top.duplicates) {
    const anew: Record<string, unknown> = { ...json }
    for (const [name, text] of changes) anew[name] = JSON.parse(text)
    return Buffer.from(JSON.stringify(anew))
  }
  return changes.size === 0 ? body : spliceTopLevel(body, top, changes)
}

/** @returns false only where a look at the bytes already shows that the field that matters stands once */
function mayHaveDuplicates(body: Buffer): boolean {
  const first = body.indexOf(MODEL_NAME)
  return body.indexOf(MODEL_NAME, first + MODEL_NAME.length) >= 0 || body.indexOf(ESCAPE) >= 0
}
