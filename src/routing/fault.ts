import type { GatewayError } from '../core/errors.ts'
import { wasSent } from '../providers/transport.ts'

/**
 * What went wrong with one attempt, as far as it matters for what is done next:
 *
 * - `callers`: the request itself is at fault, and any target would say so
 * - `context-length`: it is too long for this model; one with a larger context may take it
 * - `unsupported`: this provider cannot do what was asked; another may
 * - `rate-limited`: the provider asks for a pause
 * - `key-refused`: it refuses our own key or account
 * - `overloaded`: it has more work than it can take
 * - `server`: it failed, or answered something unusable
 * - `timeout`: it did not answer in time
 * - `connection`: refused, reset, no name, no TLS
 * - `cut`: its answer broke off after it had begun
 * - `left`: the caller went, or the call's own time is up
 * - `ours`: a limit or a defect of ours
 */
export type Fault =
  | 'callers'
  | 'context-length'
  | 'unsupported'
  | 'rate-limited'
  | 'key-refused'
  | 'overloaded'
  | 'server'
  | 'timeout'
  | 'connection'
  | 'cut'
  | 'left'
  | 'ours'

/** Anthropic answers 529 where it has more work than it can take (https://docs.anthropic.com/en/api/errors). */
const OVERLOADED = new Set([503, 529])

/**
 * @param status of the provider's reply; `undefined` where none came
 * @param hasBegun whether the caller has seen the beginning of the answer
 */
export function faultOf(error: GatewayError, status: number | undefined, hasBegun: boolean): Fault {
  switch (error.code) {
    case 'client_closed':
      return 'left'
    case 'context_length_exceeded':
      return 'context-length'
    case 'unsupported_feature':
      return 'unsupported'
    case 'upstream_rate_limited':
      return 'rate-limited'
    case 'upstream_rejected':
      // Our account is empty; the provider has no such model. Neither is the caller's doing, nor true of others.
      if (status === 402) return 'key-refused'
      return status === 404 ? 'unsupported' : 'callers'
    case 'invalid_request':
      return 'callers'
    case 'upstream_timeout':
      return hasBegun ? 'cut' : 'timeout'
    case 'upstream_error': {
      if (hasBegun) return 'cut'
      if (status === 401 || status === 403) return 'key-refused'
      if (status !== undefined && OVERLOADED.has(status)) return 'overloaded'
      return status === undefined || !wasSent(error) ? 'connection' : 'server'
    }
    default:
      return 'ours'
  }
}
