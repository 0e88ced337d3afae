import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { add, newHistogram, percentiles, RecentCalls, type Sample } from './recent-calls.ts'

const MINUTE = 60_000

function sample(changes: Partial<Sample> = {}): Sample {
  return { atMs: 0, latencyMs: 100, firstTokenMs: 10, fault: undefined, ...changes }
}

describe('read()', () => {
  it('knows nothing of nobody', () => {
    expect(new RecentCalls().read(0)).toEqual({
      calls: 0,
      errors: 0,
      faults: {},
      latencyMs: { p50: null, p95: null, p99: null },
      firstTokenMs: { p50: null, p95: null, p99: null },
    })
  })

  it('counts what was wrong; only failures of the provider are errors, and have no latency', () => {
    const recent = new RecentCalls()
    recent.note(sample())
    recent.note(sample({ fault: 'rate-limited', latencyMs: 1 }))
    recent.note(sample({ fault: 'callers', latencyMs: 1 }))
    recent.note(sample({ fault: 'server', latencyMs: 9000 }))
    recent.note(sample({ fault: 'server', latencyMs: 9000 }))
    const read = recent.read(0)
    expect(read).toMatchObject({ calls: 5, errors: 2, faults: { server: 2, callers: 1, 'rate-limited': 1 } })
    expect(read.latencyMs.p99).toBeLessThan(110)
    expect(recent.failuresInRow).toBe(2)
  })

  it('holds all calls of five minutes, to half a minute', () => {
    const recent = new RecentCalls()
    for (let atMs = 0; atMs < 20 * MINUTE; atMs += 100) recent.note(sample({ atMs }))
    const { calls } = recent.read(20 * MINUTE - 1)
    expect(calls).toBe(3000)
    expect(recent.read(24 * MINUTE).calls).toBeLessThanOrEqual(600)
    expect(recent.read(25 * MINUTE).calls).toBe(0)
  })

  it('sees a call that came after it was read', () => {
    const recent = new RecentCalls()
    recent.note(sample())
    expect(recent.read(1).calls).toBe(1)
    expect(recent.read(1)).toBe(recent.read(2))
    recent.note(sample({ atMs: 2 }))
    expect(recent.read(3).calls).toBe(2)
  })
})

describe('percentiles()', () => {
  it('are within a twentieth of the nearest rank, from a tenth of a millisecond to half an hour', () => {
    const ms = fc.double({ min: 0.1, max: 1_800_000, noNaN: true })
    fc.assert(
      fc.property(fc.array(ms, { minLength: 1, maxLength: 300 }), (values) => {
        const histogram = newHistogram()
        for (const value of values) add(histogram.counts, value)
        histogram.total = values.length
        const sorted = values.toSorted((first, second) => first - second)
        const shown = percentiles(histogram)
        for (const [share, value] of [
          [0.5, shown.p50],
          [0.95, shown.p95],
          [0.99, shown.p99],
        ] as const) {
          const exact = sorted[Math.ceil(share * sorted.length) - 1] ?? 0
          expect(Math.abs((value ?? 0) / exact - 1)).toBeLessThan(0.05)
        }
      }),
    )
  })

  it('take what is too short or too long for them at their ends', () => {
    const histogram = newHistogram()
    for (const value of [0, -1, 1e12]) add(histogram.counts, value)
    histogram.total = 3
    const { p50, p99 } = percentiles(histogram)
    expect(p50).toBeLessThan(0.1)
    expect(p99).toBeGreaterThan(1_800_000)
  })
})
