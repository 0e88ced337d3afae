import type { Period } from './policy.ts'

export interface Span {
  /** Unix milliseconds, inclusive. */
  readonly startMs: number
  /** Exclusive. */
  readonly endMs: number
}

/** @returns the period that a moment is in; the calendar's are those of UTC, weeks begin on Monday (ISO 8601) */
export function periodAt(period: Period, atMs: number): Span {
  if (period.kind === 'custom') {
    const lengthMs = period.endMs - period.startMs
    const startMs = period.startMs + Math.floor((atMs - period.startMs) / lengthMs) * lengthMs
    return { startMs, endMs: startMs + lengthMs }
  }
  const at = new Date(atMs)
  const year = at.getUTCFullYear()
  const month = at.getUTCMonth()
  const day = at.getUTCDate()
  switch (period.unit) {
    case 'day':
      return span(Date.UTC(year, month, day), Date.UTC(year, month, day + 1))
    case 'week': {
      const monday = day - ((at.getUTCDay() + 6) % 7)
      return span(Date.UTC(year, month, monday), Date.UTC(year, month, monday + 7))
    }
    case 'month':
      return span(Date.UTC(year, month), Date.UTC(year, month + 1))
    case 'quarter': {
      const first = month - (month % 3)
      return span(Date.UTC(year, first), Date.UTC(year, first + 3))
    }
    case 'year':
      return span(Date.UTC(year, 0), Date.UTC(year + 1, 0))
  }
}

function span(startMs: number, endMs: number): Span {
  return { startMs, endMs }
}
