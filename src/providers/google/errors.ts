import { isObject, type JsonObject } from '../../contract/formats/gemini/fields.ts'
import type { UpstreamFailure } from '../provider.ts'

/**
 * Words with which Google says that a prompt is too long. It has no code for it: the status is `INVALID_ARGUMENT`
 * like that of any other bad request (https://github.com/google-gemini/gemini-cli/issues/6678; the second is that of
 * Vertex AI).
 */
const TOO_LONG = [
  /input token count\b.*\bexceeds the maximum number of tokens/is,
  /input token count is \d+ but model only supports up to \d+/i,
]

/** @returns what a reply with a status of 400 or more says, whatever its body is */
export function fromError(status: number, body: unknown): UpstreamFailure {
  // Without `alt=sse` a stream is an array, and so is its error.
  const first: unknown = Array.isArray(body) ? body[0] : body
  const error = isObject(first) && isObject(first.error) ? first.error : undefined
  if (error === undefined) {
    const message = typeof body === 'string' && body.trim() !== '' ? body.slice(0, 1000) : ''
    return {
      message: message === '' ? `The provider answered with status ${status}.` : message,
      contextLengthExceeded: status === 400 && isTooLong(message),
    }
  }
  const message = typeof error.message === 'string' ? error.message : `Status ${status} without a message.`
  const type = error.status
  const code = reasonOf(error) ?? (typeof error.code === 'number' ? String(error.code) : undefined)
  return {
    message,
    ...(typeof type === 'string' ? { type } : {}),
    ...(code === undefined ? {} : { code }),
    contextLengthExceeded: status === 400 && isTooLong(message),
  }
}

function isTooLong(message: string): boolean {
  return TOO_LONG.some((pattern) => pattern.test(message))
}

/** `google.rpc.ErrorInfo` names the reason: `API_KEY_INVALID`, `RATE_LIMIT_EXCEEDED` … */
function reasonOf(error: JsonObject): string | undefined {
  const details: readonly unknown[] = Array.isArray(error.details) ? error.details : []
  for (const detail of details) {
    if (isObject(detail) && typeof detail.reason === 'string') return detail.reason
  }
  return undefined
}
