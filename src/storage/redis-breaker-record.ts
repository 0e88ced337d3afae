import type { BreakerRecord, BreakerState } from '../routing/breakers/ports.ts'

/** What stands in Redis of one breaker: JSON, its moments by Redis's clock. */
export interface StoredBreaker {
  /** Of the replica that wrote it. */
  readonly by: string
  readonly record: BreakerRecord
}

/** @param offsetMs Redis's clock less ours */
export function toStoredText(by: string, record: BreakerRecord, offsetMs: number): string {
  return JSON.stringify({ by, record: shifted(record, offsetMs) })
}

/** @returns `undefined` for what another version, or a hand, may have left there */
export function fromStoredText(text: string | null, offsetMs: number): StoredBreaker | undefined {
  if (text === null) return undefined
  try {
    const { by, record } = JSON.parse(text) as Partial<StoredBreaker>
    if (typeof by !== 'string' || record === undefined || toState(record.state) === undefined)
      return undefined
    const numbers = [record.failures, record.level, record.changedAtMs]
    const moments = [record.openedAtMs, record.untilMs, record.pausedUntilMs]
    const areNumbers =
      numbers.every(Number.isFinite) && moments.every((each) => each === undefined || Number.isFinite(each))
    return areNumbers ? { by, record: shifted(record, -offsetMs) } : undefined
  } catch {
    return undefined
  }
}

/** @returns what somebody wrote by hand, in whatever letters; `undefined` where it is no state */
export function toState(text: unknown): BreakerState | undefined {
  switch (String(text).trim().toLowerCase().replace('_', '-')) {
    case 'closed':
      return 'closed'
    case 'open':
      return 'open'
    case 'half-open':
      return 'half-open'
    default:
      return undefined
  }
}

function shifted(record: BreakerRecord, byMs: number): BreakerRecord {
  const shift = (momentMs: number | undefined) => (momentMs === undefined ? undefined : momentMs + byMs)
  return {
    ...record,
    openedAtMs: shift(record.openedAtMs),
    untilMs: shift(record.untilMs),
    pausedUntilMs: shift(record.pausedUntilMs),
    changedAtMs: record.changedAtMs + byMs,
  }
}
