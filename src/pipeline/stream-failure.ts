import type { StreamError } from '../contract/chat.ts'
import { type ErrorCode, GatewayError } from '../core/errors.ts'

/** Codes that only we write into a stream: a provider's own word may read like any other of ours. */
const OWN: readonly ErrorCode[] = [
  'client_closed',
  'upstream_timeout',
  'budget_exhausted',
  'cost_per_day_exceeded',
  'tokens_per_minute_exceeded',
  'tokens_per_hour_exceeded',
]

/** @returns what an `error` event means for the books */
export function toStreamFailure({ code, message }: StreamError): GatewayError {
  return new GatewayError(OWN.find((own) => own === code) ?? 'upstream_error', { message, detail: { code } })
}
