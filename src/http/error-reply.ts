import type { GatewayError } from '../core/errors.ts'

/** Whose shape an error takes. */
export type ErrorFamily = 'openai' | 'anthropic' | 'gemini'

export interface ErrorReply {
  readonly status: number
  readonly headers: Record<string, string>
  readonly body: string
}

// https://docs.claude.com/en/api/errors, read November 2026.
const ANTHROPIC_TYPES: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
}

// https://cloud.google.com/apis/design/errors#handling_errors, read November 2026.
const GOOGLE_STATUSES: Readonly<Record<number, string>> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  413: 'INVALID_ARGUMENT',
  429: 'RESOURCE_EXHAUSTED',
  499: 'CANCELLED',
  500: 'INTERNAL',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
}

/** @returns Anthropic's word for an error of ours */
export function anthropicErrorType(status: number): string {
  return ANTHROPIC_TYPES[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error')
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
      return {
        type: 'error',
        error: { type: anthropicErrorType(status), message: error.message },
        request_id: requestId,
      }
    case 'gemini':
      return {
        error: {
          code: status,
          message: error.message,
          status: GOOGLE_STATUSES[status] ?? 'UNKNOWN',
          details: [
            { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: error.code, domain: 'gatehouse' },
          ],
        },
      }
    case 'openai':
      return { error: { message: error.message, type, param: error.param ?? null, code: error.code } }
  }
}
