import { type ErrorCode, GatewayError } from '../core/errors.ts'
import { nanoToUsd } from '../core/money.ts'
import { fromMeterId, type MeterType } from './meters.ts'
import type { Subject } from './policy.ts'
import type { Meter, MeterState } from './ports.ts'

const CODES: Readonly<Record<MeterType, ErrorCode>> = {
  requests_per_minute: 'requests_per_minute_exceeded',
  tokens_per_minute: 'tokens_per_minute_exceeded',
  tokens_per_hour: 'tokens_per_hour_exceeded',
  cost_per_day: 'cost_per_day_exceeded',
  concurrent_requests: 'concurrency_exceeded',
  budget: 'budget_exhausted',
}

export interface Refused {
  readonly meter: Meter
  readonly state: MeterState | undefined
  readonly by: 'used' | 'held'
  readonly isTooMuch: boolean
  /** Milliseconds after which a retry may help. */
  readonly retryAfterMs: number
  /** While the answer was being written. */
  readonly isUnderWay?: boolean
}

/** @returns what a caller is told at a limit: which one, on what, and when it may help to try again */
export function limitExceeded(refused: Refused): GatewayError {
  const { meter, state, by, retryAfterMs } = refused
  const found = fromMeterId(meter.id)
  const type = found?.type ?? 'budget'
  return new GatewayError(CODES[type], {
    message: `${whatHappened(refused, type, whoOf(found?.subject))}${hintOf(refused)}`,
    detail: { meter: meter.id, limit: meter.limit, used: state?.used, held: state?.held, by },
    retryAfterSeconds: Math.max(1, Math.ceil(retryAfterMs / 1000)),
  })
}

function whatHappened({ meter, isUnderWay }: Refused, type: MeterType, who: string): string {
  const limit = meter.limit ?? 0
  switch (type) {
    case 'requests_per_minute':
      return `The limit of ${limit} requests per minute of ${who} is reached.`
    case 'tokens_per_minute':
      return `The limit of ${limit} tokens per minute of ${who} is reached.`
    case 'tokens_per_hour':
      return `The limit of ${limit} tokens per hour of ${who} is reached.`
    case 'cost_per_day':
      return `The limit of ${nanoToUsd(limit)} USD per day of ${who} is reached.`
    case 'concurrent_requests':
      return `The limit of ${limit} calls at once of ${who} is reached.`
    case 'budget':
      return isUnderWay === true
        ? `The budget of ${who} was spent while this answer was being written.`
        : `The budget of ${who}, ${nanoToUsd(limit)} USD, is spent.`
  }
}

function hintOf({ by, isTooMuch, meter, isUnderWay }: Refused): string {
  if (isUnderWay === true || meter.quantity === 'requests' || meter.quantity === 'concurrency') return ''
  if (isTooMuch) return ' This call alone needs more than all of it.'
  return by === 'held' ? ' What is left of it is held by calls under way.' : ''
}

function whoOf(subject: Subject | undefined): string {
  switch (subject?.scope) {
    case 'team':
      return 'this team'
    case 'key':
      return 'this key'
    case 'user':
      return 'this user'
    case 'tag':
      return `the tag ${subject.id}`
    default:
      return 'this organization'
  }
}
