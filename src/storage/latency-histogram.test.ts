import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LATENCY_BOUNDS_MS, LATENCY_BUCKETS, latencyBucket, latencyPercentile } from './latency-histogram.ts'

describe('latencyBucket()', () => {
  it('latencyBucket() includes the upper bound of a bucket', () => {
    expect([0, 1, 1.01, 2, 300_000, 300_001, Number.MAX_VALUE].map(latencyBucket)).toEqual([
      0, 0, 1, 1, 28, 29, 29,
    ])
  })

  it('LATENCY_BOUNDS_MS stand in the migration too', () => {
    const migration = readFileSync(new URL('./migrations/0001-books.up.sql', import.meta.url), 'utf8')
    expect(migration.replace(/\s+/g, ' ')).toContain(`ARRAY[ ${LATENCY_BOUNDS_MS.join(', ')} ]`)
    expect(migration).toContain(`a[${LATENCY_BUCKETS}] + b[${LATENCY_BUCKETS}]`)
    expect(migration).not.toContain(`a[${LATENCY_BUCKETS + 1}]`)
  })
})

describe('latencyPercentile()', () => {
  it('latencyPercentile() lies in the bucket of the true percentile', () => {
    const latencies = fc.array(fc.double({ min: 0, max: 300_000, noNaN: true }), {
      minLength: 1,
      maxLength: 200,
    })
    fc.assert(
      fc.property(latencies, fc.constantFrom(0.01, 0.5, 0.95, 0.99, 1), (values, share) => {
        const histogram = new Array<number>(LATENCY_BUCKETS).fill(0)
        for (const value of values)
          histogram[latencyBucket(value)] = (histogram[latencyBucket(value)] ?? 0) + 1
        const sorted = [...values].sort((a, b) => a - b)
        const truth = sorted[Math.ceil(share * sorted.length) - 1] ?? 0
        const bucket = latencyBucket(truth)
        const estimate = latencyPercentile(histogram, share) ?? Number.NaN
        expect(estimate).toBeGreaterThanOrEqual(LATENCY_BOUNDS_MS[bucket - 1] ?? 0)
        expect(estimate).toBeLessThanOrEqual((LATENCY_BOUNDS_MS[bucket] ?? 0) * (1 + 1e-9))
      }),
    )
  })

  it('latencyPercentile() of nothing is undefined', () => {
    expect(latencyPercentile(new Array<number>(LATENCY_BUCKETS).fill(0), 0.95)).toBeUndefined()
  })
})
