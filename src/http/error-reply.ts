import { toErrorBody as toGeminiBody } from '../contract/formats/gemini/error-body.ts'
import { toErrorType, toErrorBody as toMessagesBody } from '../contract/formats/messages/error-body.ts'
import type { GatewayError } from '../core/errors.ts'

/** Whose shape an error takes. */
export type ErrorFamily = 'openai' | 'anthropic' | 'gemini'

export interface ErrorReply {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

/** @returns the reply that an error becomes, in the shape that the caller's client reads */
export function toErrorReply(error: GatewayError, family: ErrorFamily, requestId: string): ErrorReply {
  const { status, retryable } = error.spec
  const headers: Record<string, string> = { 'content-type': 'application/json', 'x-request-id': requestId }
  // Anthropic's clients read the id from this header alone.
  if (family === 'anthropic') headers['request-id'] = requestId
  const retryAfter = error.retryAfterSeconds ?? (status === 429 || status === 503 ? 1 : undefined)
  if (retryAfter !== undefined) headers['retry-after'] = String(retryAfter)
  // Official clients retry 409 and 5xx by themselves unless told not to.
  if (!retryable && (status === 429 || status === 409)) headers['x-should-retry'] = 'false'
  return { status, headers, body: JSON.stringify(toBody(error, family, requestId)) }
}

function toBody(error: GatewayError, family: ErrorFamily, requestId: string): unknown {
  const { status, type } = error.spec
  switch (family) {
    case 'anthropic':
      return toMessagesBody(toErrorType(status), error.message, requestId)
    case 'gemini':
      return toGeminiBody(error.code, error.message, status)
    case 'openai':
      return { error: { message: error.message, type, param: error.param ?? null, code: error.code } }
  }
}
