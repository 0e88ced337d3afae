/**
 * What providers of the chat format add to a reply and the neutral model has no word for. It travels as an `other`
 * part or event whose `raw` is an object of such fields; these stand beside `choices`, any other in the message.
 */

import type { Fields } from './fields.ts'

/** Perplexity's (https://docs.perplexity.ai/api-reference/sonar-post, read 2026-11-21), and xAI's `citations`. */
export const REPLY_EXTRAS: readonly string[] = [
  'citations',
  'search_results',
  'images',
  'related_questions',
  'videos',
]

/** `annotations` and `audio` are OpenAI's; `images` of a message is OpenRouter's (generated pictures). */
export const MESSAGE_EXTRAS: readonly string[] = ['annotations', 'audio', 'images']

/** Key of `raw` for fields beside `choices`; so `images` of a message and of a reply stay apart. */
export const REPLY_LEVEL = 'reply'

/** @returns the named fields that are there; `undefined` where none is */
export function pickFields(fields: Fields, names: readonly string[]): Record<string, unknown> | undefined {
  let picked: Record<string, unknown> | undefined
  for (const name of names) {
    const value = fields[name]
    if (value === undefined || value === null) continue
    picked ??= {}
    picked[name] = value
  }
  return picked
}
