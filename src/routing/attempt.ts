import { mergeUsage, type StreamEvent } from '../contract/chat.ts'
import { type GatewayError, toGatewayError } from '../core/errors.ts'
import type { Attempt, AttemptPrice, TargetName } from '../pipeline/exchange.ts'

export function newAttempt(
  id: string,
  number: number,
  target: TargetName,
  price: AttemptPrice,
  startedMs: number,
): Attempt {
  return {
    id,
    number,
    provider: target.provider,
    model: target.model,
    reason: target.reason,
    startedMs,
    price,
    headersMs: undefined,
    firstTokenMs: undefined,
    endedMs: undefined,
    status: undefined,
    dispatched: false,
    usage: {},
    units: {},
    outputText: '',
    estimated: false,
    costNanoUsd: 0,
    errorCode: undefined,
    errorMessage: undefined,
    upstreamRequestId: undefined,
  }
}

/** Ends an attempt that failed, for the books and the waterfall. */
export function failAttempt(attempt: Attempt, thrown: unknown, endedMs: number): GatewayError {
  const error = toGatewayError(thrown)
  attempt.endedMs ??= endedMs
  attempt.errorCode = error.code
  attempt.errorMessage = error.message
  return error
}

/** Takes from an event what the books need of it. */
export function noteEvent(attempt: Attempt, event: StreamEvent, nowMs: () => number): void {
  switch (event.type) {
    case 'text-delta':
    case 'reasoning-delta':
    case 'refusal-delta':
      attempt.firstTokenMs ??= nowMs()
      attempt.outputText += event.text
      break
    case 'tool-call-start':
      attempt.firstTokenMs ??= nowMs()
      attempt.outputText += event.name
      break
    case 'tool-call-delta':
      attempt.outputText += event.arguments
      break
    case 'usage-report':
      attempt.usage = mergeUsage(attempt.usage, event.usage)
      break
    case 'error':
      attempt.errorCode = 'upstream_error'
      attempt.errorMessage = event.error.message
      break
    default:
      break
  }
}
