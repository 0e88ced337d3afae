import { ERRORS } from '../../../core/errors.ts'

/** HTTP statuses of google.rpc.Code (google/rpc/code.proto, read 2026-11-21). */
const STATUSES = new Map([
  ['INVALID_ARGUMENT', 400],
  ['FAILED_PRECONDITION', 400],
  ['UNAUTHENTICATED', 401],
  ['PERMISSION_DENIED', 403],
  ['NOT_FOUND', 404],
  ['ABORTED', 409],
  ['RESOURCE_EXHAUSTED', 429],
  ['CANCELLED', 499],
  ['INTERNAL', 500],
  ['UNIMPLEMENTED', 501],
  ['UNAVAILABLE', 503],
  ['DEADLINE_EXCEEDED', 504],
])

export interface WireError {
  readonly error: {
    readonly code: number
    readonly message: string
    readonly status: string
    readonly details?: readonly unknown[]
  }
}

/**
 * @param code one of ours or a provider's own word: it stands in `details`, where Google's clients look for a reason
 * @param status HTTP status; one of ours or of Google's by default
 * @returns an error as Google's API words it
 */
export function toErrorBody(code: string, message: string, status = statusOf(code)): WireError {
  return {
    error: {
      code: status,
      message,
      status: nameOf(status),
      details: [{ '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: 'gatehouse' }],
    },
  }
}

/** Statuses that Google does not use, such as 413 and 502, get the nearest name. */
function nameOf(status: number): string {
  for (const [name, known] of STATUSES) {
    if (known === status) return name
  }
  return status < 500 ? 'INVALID_ARGUMENT' : 'UNAVAILABLE'
}

/** @google/genai 3.1.0 sees an error in a stream only by a numeric code of 400 to 599. */
function statusOf(code: string): number {
  if (Object.hasOwn(ERRORS, code)) return ERRORS[code as keyof typeof ERRORS].status
  return STATUSES.get(code) ?? 502
}
