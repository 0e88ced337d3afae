import { GatewayError } from '../core/errors.ts'

/** @returns whether a store did not answer; counters that were lost did, and say what to do */
export function isAway(error: unknown): error is GatewayError {
  return (
    error instanceof GatewayError &&
    error.code === 'storage_unavailable' &&
    error.detail?.reason !== 'counters_lost'
  )
}

/** @param reason for our logs */
export function countersAway(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('storage_unavailable', {
    message: 'The counters of limits and budgets are not available at the moment.',
    detail: { store: 'counters', reason },
    retryAfterSeconds: 1,
    cause,
  })
}
