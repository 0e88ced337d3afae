import { ERRORS } from '../../../core/errors.ts'
import type { StreamError } from '../../chat.ts'
import type { Fields } from './read-fields.ts'

/** `ErrorType` of @anthropic-ai/sdk 1.11 (resources/shared.d.ts), and what it is called with a body too large. */
const ERROR_TYPES = new Set([
  'invalid_request_error',
  'authentication_error',
  'billing_error',
  'permission_error',
  'not_found_error',
  'request_too_large',
  'rate_limit_error',
  'timeout_error',
  'api_error',
  'overloaded_error',
  'conflict_error',
])

const BY_STATUS: Readonly<Record<number, string>> = {
  400: 'invalid_request_error',
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  405: 'invalid_request_error',
  409: 'conflict_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
  529: 'overloaded_error',
}

/** @returns this format's `error.type` for an HTTP status */
export function toErrorType(status: number): string {
  return BY_STATUS[status] ?? (status >= 400 && status < 500 ? 'invalid_request_error' : 'api_error')
}

/** @returns the body of an error, which is also the data of a stream's last event */
export function toErrorBody(type: string, message: string, requestId: string): Fields {
  return { type: 'error', error: { type, message }, request_id: requestId }
}

/** @returns this format's type for what broke a stream: Anthropic's own word stays, ours go by their status */
export function toStreamErrorType(error: StreamError): string {
  if (ERROR_TYPES.has(error.code)) return error.code
  const spec = Object.entries(ERRORS).find(([code]) => code === error.code)?.[1]
  if (spec !== undefined) return toErrorType(spec.status)
  return ERROR_TYPES.has(error.type) ? error.type : 'api_error'
}
