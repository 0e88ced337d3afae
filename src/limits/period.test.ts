import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { periodAt } from './period.ts'
import type { Period } from './policy.ts'

const UNITS = ['day', 'week', 'month', 'quarter', 'year'] as const

function spanAt(unit: (typeof UNITS)[number], at: string): [string, string] {
  const { startMs, endMs } = periodAt({ kind: 'calendar', unit }, Date.parse(at))
  return [new Date(startMs).toISOString().slice(0, 10), new Date(endMs).toISOString().slice(0, 10)]
}

describe('periodAt() of the calendar', () => {
  it('is the day, in UTC', () => {
    expect(spanAt('day', '2026-03-29T00:00:00.000Z')).toEqual(['2026-03-29', '2026-03-30'])
    expect(spanAt('day', '2026-03-29T23:59:59.999Z')).toEqual(['2026-03-29', '2026-03-30'])
    expect(spanAt('day', '2026-03-29T23:30:00-02:00')).toEqual(['2026-03-30', '2026-03-31'])
    expect(spanAt('day', '2028-02-28T12:00:00Z')).toEqual(['2028-02-28', '2028-02-29'])
    expect(spanAt('day', '2028-12-31T12:00:00Z')).toEqual(['2028-12-31', '2029-01-01'])
  })

  it('is the week from Monday to Sunday', () => {
    for (const day of ['2026-11-16', '2026-11-18', '2026-11-21', '2026-11-22']) {
      expect(spanAt('week', `${day}T12:00:00Z`)).toEqual(['2026-11-16', '2026-11-23'])
    }
    expect(spanAt('week', '2026-11-23T00:00:00Z')).toEqual(['2026-11-23', '2026-11-30'])
    expect(spanAt('week', '2027-01-01T00:00:00Z')).toEqual(['2026-12-28', '2027-01-04'])
  })

  it('is the month, as long as it is', () => {
    expect(spanAt('month', '2026-02-28T23:59:59.999Z')).toEqual(['2026-02-01', '2026-03-01'])
    expect(spanAt('month', '2028-02-29T12:00:00Z')).toEqual(['2028-02-01', '2028-03-01'])
    expect(spanAt('month', '2026-12-31T12:00:00Z')).toEqual(['2026-12-01', '2027-01-01'])
    expect(spanAt('month', '2026-01-01T00:00:00Z')).toEqual(['2026-01-01', '2026-02-01'])
  })

  it('is the quarter', () => {
    expect(spanAt('quarter', '2026-01-01T00:00:00Z')).toEqual(['2026-01-01', '2026-04-01'])
    expect(spanAt('quarter', '2026-05-15T00:00:00Z')).toEqual(['2026-04-01', '2026-07-01'])
    expect(spanAt('quarter', '2026-09-30T23:59:59Z')).toEqual(['2026-07-01', '2026-10-01'])
    expect(spanAt('quarter', '2026-12-31T23:59:59Z')).toEqual(['2026-10-01', '2027-01-01'])
  })

  it('is the year', () => {
    expect(spanAt('year', '2028-02-29T12:00:00Z')).toEqual(['2028-01-01', '2029-01-01'])
    expect(spanAt('year', '2100-12-31T23:59:59.999Z')).toEqual(['2100-01-01', '2101-01-01'])
  })

  it('is of whole days, also where clocks are put forward and back', () => {
    for (const unit of UNITS) {
      for (const at of ['2026-03-29T01:30:00Z', '2026-10-25T01:30:00Z', '2026-11-01T06:30:00Z']) {
        const { startMs, endMs } = periodAt({ kind: 'calendar', unit }, Date.parse(at))
        expect([startMs % 86_400_000, endMs % 86_400_000]).toEqual([0, 0])
      }
    }
  })
})

describe('periodAt() of a length of its own', () => {
  const period: Period = { kind: 'custom', startMs: 1000, endMs: 1100 }

  it('repeats with it', () => {
    expect(periodAt(period, 1000)).toEqual({ startMs: 1000, endMs: 1100 })
    expect(periodAt(period, 1099)).toEqual({ startMs: 1000, endMs: 1100 })
    expect(periodAt(period, 1100)).toEqual({ startMs: 1100, endMs: 1200 })
    expect(periodAt(period, 51_050)).toEqual({ startMs: 51_000, endMs: 51_100 })
  })

  it('was there before its first start, too', () => {
    expect(periodAt(period, 999)).toEqual({ startMs: 900, endMs: 1000 })
    expect(periodAt(period, 900)).toEqual({ startMs: 900, endMs: 1000 })
    expect(periodAt(period, -1)).toEqual({ startMs: -100, endMs: 0 })
  })
})

describe('periodAt() of any', () => {
  it('holds the moment, and the next begins where it ends', () => {
    const moment = fc.integer({ min: Date.UTC(1971, 0), max: Date.UTC(2200, 0) })
    const custom = fc
      .tuple(moment, fc.integer({ min: 1, max: 400 * 86_400_000 }))
      .map(([startMs, length]) => ({ kind: 'custom' as const, startMs, endMs: startMs + length }))
    const calendar = fc.constantFrom(...UNITS).map((unit) => ({ kind: 'calendar' as const, unit }))
    fc.assert(
      fc.property(fc.oneof(custom, calendar), moment, (period, atMs) => {
        const span = periodAt(period, atMs)
        expect(span.startMs).toBeLessThanOrEqual(atMs)
        expect(span.endMs).toBeGreaterThan(atMs)
        expect(periodAt(period, span.startMs)).toEqual(span)
        expect(periodAt(period, span.endMs - 1)).toEqual(span)
        expect(periodAt(period, span.endMs).startMs).toBe(span.endMs)
      }),
    )
  })
})
