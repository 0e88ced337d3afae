import { estimateTokens } from '../../core/tokens.ts'
import type { Incoming } from '../../pipeline/exchange.ts'
import { countOf, fieldsOf, generationConfigOf } from './call-fields.ts'

/** Bodies up to this size are measured as they are: what is not text in them is small. */
const PLAIN_BYTES_MAX = 16 * 1024
/** A picture or a page counts as this much text: about 1,500 tokens, what most providers make of one. */
const DATA_BYTES = 5250
const DATA_CHARACTERS_MIN = 4096
/** The letters of base64 and of data URLs; text has blanks, or other letters. */
const DATA = /^[\w+/=:;,.-]+$/
const DEPTH_MAX = 16

/** @returns about how many tokens the input of a call has: cheap, and a guess in either direction */
export function inputTokensOf(incoming: Incoming): number {
  const { body, json } = incoming
  if (body !== undefined && body.length <= PLAIN_BYTES_MAX) return estimateTokens(body.length)
  if (json !== undefined) return estimateTokens(bytesOf(json, DEPTH_MAX))
  if (body !== undefined) return estimateTokens(DATA_BYTES)
  return incoming.operation === 'chat' ? estimateTokens(bytesOf(incoming.chat().messages, DEPTH_MAX)) : 0
}

/** @returns an upper bound of what `inputTokensOf` says, without looking into the body; `undefined` = look */
export function inputTokensAtMost({ body }: Incoming): number | undefined {
  return body === undefined ? undefined : estimateTokens(body.length)
}

function bytesOf(value: unknown, depth: number): number {
  if (typeof value === 'string') return isData(value) ? DATA_BYTES : Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null) return 4
  if (depth === 0) return DATA_BYTES
  let bytes = 2
  if (Array.isArray(value)) for (const inner of value) bytes += 1 + bytesOf(inner, depth - 1)
  else {
    const fields = value as Record<string, unknown>
    for (const name in fields) bytes += name.length + 4 + bytesOf(fields[name], depth - 1)
  }
  return bytes
}

function isData(text: string): boolean {
  return text.length > DATA_CHARACTERS_MIN && DATA.test(text.slice(0, DATA_CHARACTERS_MIN))
}

/** @returns the most tokens that the caller wants in one answer; `undefined` where it did not say */
export function outputTokensMaxOf(incoming: Incoming): number | undefined {
  const { operation, format, json } = incoming
  if (operation !== 'chat' && operation !== 'completion') return undefined
  if (json === undefined) return operation === 'chat' ? incoming.chat().outputTokensMax : undefined
  switch (format) {
    case 'responses':
      return countOf(json.max_output_tokens)
    case 'gemini': {
      const config = generationConfigOf(fieldsOf(json))
      return countOf(config.maxOutputTokens ?? config.max_output_tokens)
    }
    default:
      return countOf(json.max_completion_tokens) ?? countOf(json.max_tokens)
  }
}
