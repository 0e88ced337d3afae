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

/**
 * @returns whole seconds from `retry-after` (RFC 9110, section 10.2.3: seconds or a date) or `retry-after-ms`
 */
export function retryAfterOf(
  headers: Readonly<Record<string, string | string[] | undefined>>,
  nowMs: number,
): number | undefined {
  const millis = Number(headers['retry-after-ms'])
  if (headers['retry-after-ms'] !== undefined && Number.isFinite(millis))
    return Math.max(0, Math.ceil(millis / 1000))
  const value = headers['retry-after']
  if (typeof value !== 'string') return undefined
  if (/^\d+$/.test(value)) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? undefined : Math.max(0, Math.ceil((at - nowMs) / 1000))
}
