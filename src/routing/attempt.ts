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

/** Far above what any model writes in one reply: 128,000 tokens are about half a million characters. */
const OUTPUT_CHARACTERS_MAX = 4 << 20

/** Takes from an event what the books need of it. */
export function noteEvent(attempt: Attempt, event: StreamEvent, nowMs: () => number): void {
  switch (event.type) {
    case 'text-delta':
    case 'reasoning-delta':
    case 'refusal-delta':
      attempt.firstTokenMs ??= nowMs()
      noteText(attempt, event.text)
      break
    case 'tool-call-start':
      attempt.firstTokenMs ??= nowMs()
      noteText(attempt, event.name)
      break
    case 'tool-call-delta':
      noteText(attempt, event.arguments)
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

/** Keeps what the model wrote, for counting where the provider does not say. */
export function noteText(attempt: Attempt, text: string): void {
  if (attempt.outputText.length < OUTPUT_CHARACTERS_MAX) attempt.outputText += text
  // A count that more text follows is not the last word on it: were the stream cut here, it would be too low.
  if (attempt.usage.outputTokens !== undefined) attempt.usage = { ...attempt.usage, outputTokens: undefined }
}
