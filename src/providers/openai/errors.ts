import { isObject } from '../../contract/formats/responses/fields.ts'
import type { UpstreamFailure } from '../provider.ts'

/** OpenAI's words for a prompt over the context window; compatible servers keep the words and lose the code. */
const CONTEXT_LENGTH =
  /exceeds? the (model's )?context (window|length)|maximum context length|context_length_exceeded/i

/** What a message may take of our logs and of the caller's screen. */
const MESSAGE_LENGTH_MAX = 2000

/**
 * @param body the reply's body: JSON, text, or `undefined`
 * @returns what the provider said was wrong: `{error: {message, type, code, param}}`, and what servers make of it
 */
export function fromError(status: number, body: unknown): UpstreamFailure {
  const error = isObject(body) ? (body.error ?? body) : body
  const fields = isObject(error) ? error : {}
  const message =
    text(fields.message) ??
    text(error) ??
    text(fields.detail) ??
    `The provider answered with status ${status}.`
  const type = text(fields.type)
  const code = text(fields.code)
  return {
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
    contextLengthExceeded: code === 'context_length_exceeded' || CONTEXT_LENGTH.test(message),
  }
}

/** @returns the text, or `undefined` where there is none; some servers send numbers as codes */
function text(value: unknown): string | undefined {
  if (typeof value === 'number') return String(value)
  return typeof value === 'string' && value !== '' ? value : undefined
}
