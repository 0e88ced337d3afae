import { GatewayError } from '../core/errors.ts'
import type { UpstreamFailure } from '../providers/provider.ts'

// Statuses by which a provider says that the request itself is at fault: the caller can act on them.
const CALLERS_FAULT = new Set([400, 402, 404, 405, 409, 410, 413, 415, 422])

/** @returns whether the provider's own error may be shown to the caller: not when it concerns our key or account */
export function isCallersFault(status: number): boolean {
  return CALLERS_FAULT.has(status) || status === 429
}

/** @returns the error a caller sees when a provider of another format refused, or when our own key was refused */
export function fromUpstreamFailure(
  provider: string,
  status: number,
  failure: UpstreamFailure,
  retryAfterSeconds: number | undefined,
): GatewayError {
  const detail = {
    provider,
    status,
    type: failure.type,
    code: failure.code,
    upstreamMessage: failure.message,
  }
  if (failure.contextLengthExceeded) {
    return new GatewayError('context_length_exceeded', {
      message: failure.message,
      param: 'messages',
      detail,
    })
  }
  if (status === 429) {
    return new GatewayError('upstream_rate_limited', {
      message: failure.message,
      detail,
      retryAfterSeconds: retryAfterSeconds ?? 1,
    })
  }
  if (CALLERS_FAULT.has(status))
    return new GatewayError('upstream_rejected', { message: failure.message, detail })
  const message =
    status === 401 || status === 403
      ? `The provider \`${provider}\` refused the gateway's own key.`
      : `The provider \`${provider}\` failed (status ${status}).`
  return new GatewayError(status === 504 || status === 408 ? 'upstream_timeout' : 'upstream_error', {
    message,
    detail,
    retryAfterSeconds,
  })
}

/** A provider that asks for more is taken at its word for a day. */
const RETRY_AFTER_SECONDS_MAX = 86_400
const NUMBER = /^\d+(?:\.\d+)?$/

/**
 * @returns whole seconds from `retry-after` (RFC 9110, section 10.2.3: seconds or a date; some providers write
 *   fractions) or `retry-after-ms`, at most a day
 */
export function retryAfterOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): number | undefined {
  const seconds = secondsOf(headers['retry-after-ms'], headers['retry-after'], nowMs)
  return seconds === undefined
    ? undefined
    : Math.min(Math.max(0, Math.ceil(seconds)), RETRY_AFTER_SECONDS_MAX)
}

function secondsOf(millis: unknown, value: unknown, nowMs: number): number | undefined {
  if (typeof millis === 'string' && NUMBER.test(millis)) return Number(millis) / 1000
  if (typeof value !== 'string') return undefined
  if (NUMBER.test(value)) return Number(value)
  // A date names its month; `Date.parse` would read years into bare numbers.
  const at = /[a-z]/i.test(value) ? Date.parse(value) : Number.NaN
  return Number.isNaN(at) ? undefined : (at - nowMs) / 1000
}
