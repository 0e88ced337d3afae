import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { findAnomaly, toAnomalyAlert } from './spend-anomaly.ts'

const USD = 1_000_000_000
const hour = (cost: number, earlier: readonly number[]) => ({
  organizationId: 'acme',
  costNanoUsd: Math.round(cost * USD),
  earlierNanoUsd: earlier.map((usd) => Math.round(usd * USD)),
})

describe('findAnomaly()', () => {
  it('measures how far an hour is above the median, in robust deviations', () => {
    // Median 11, absolute deviations 0, 1, 1, 2, 89: their median is 1, so one deviation is 1.4826.
    const found = findAnomaly(hour(30, [10, 9, 11, 12, 100]))
    expect(found?.medianNanoUsd).toBe(11 * USD)
    expect(found?.deviationNanoUsd).toBeCloseTo(1.4826 * USD, 0)
    expect(found?.score).toBeCloseTo(19 / 1.4826, 6)
    expect(findAnomaly(hour(19.8, [10, 9, 11, 12, 100]))).toBeUndefined()
    expect(findAnomaly(hour(19.9, [10, 9, 11, 12, 100]))).toBeDefined()
  })

  it('grants hours that were all alike a tenth of the usual, and ten cents', () => {
    expect(findAnomaly(hour(16, [10, 10, 10]))).toBeUndefined()
    expect(findAnomaly(hour(16.1, [10, 10, 10]))?.deviationNanoUsd).toBe(USD)
    expect(findAnomaly(hour(1.1, [0, 0, 0]))?.deviationNanoUsd).toBe(0.1 * USD)
  })

  it('says nothing of little money, of few weeks, and of less than usual', () => {
    expect(findAnomaly(hour(0.99, [0, 0, 0]))).toBeUndefined()
    expect(findAnomaly(hour(1000, [1, 1]))).toBeUndefined()
    expect(findAnomaly(hour(2, [100, 100, 100]))).toBeUndefined()
  })

  it('takes the mean of the middle two for the median of an even number', () => {
    expect(findAnomaly(hour(100, [4, 1, 2, 3]))?.medianNanoUsd).toBe(2.5 * USD)
  })

  it('finds nothing among the weeks themselves, whatever their order', () => {
    const earlier = fc.array(fc.double({ min: 0, max: 1000, noNaN: true }), { minLength: 3, maxLength: 8 })
    fc.assert(
      fc.property(earlier, fc.nat(), (weeks, n) => {
        const sorted = [...weeks].sort((a, b) => a - b)
        const usual = sorted[Math.floor(sorted.length / 2)] ?? 0
        expect(findAnomaly(hour(usual, weeks))).toBeUndefined()
        const shifted = weeks.map((_, index) => weeks[(index + n) % weeks.length] ?? 0)
        expect(findAnomaly(hour(usual * 10 + 10, shifted))).toEqual(findAnomaly(hour(usual * 10 + 10, weeks)))
      }),
    )
  })
})

describe('toAnomalyAlert()', () => {
  it('explains itself, once for each organization and hour', () => {
    const spent = hour(30, [10, 9, 11, 12, 100])
    const found = findAnomaly(spent)
    if (found === undefined) throw new Error('This hour is one.')
    expect(toAnomalyAlert(spent, found, Date.UTC(2026, 10, 20, 9), 'Acme')).toEqual({
      kind: 'spend_anomaly',
      severity: 'medium',
      organizationId: 'acme',
      dedupeKey: 'spend_anomaly/acme/2026-11-20T09:00:00.000Z',
      title: 'Acme spent 30 USD in one hour; usual at this hour of the week is 11 USD.',
      detail: {
        organizationName: 'Acme',
        hour: '2026-11-20T09:00:00.000Z',
        spentUsd: '30',
        spentNanoUsd: 30 * USD,
        medianUsd: '11',
        deviationUsd: '1.4826',
        score: 12.8,
        scoreMin: 6,
        earlierUsd: ['10', '9', '11', '12', '100'],
      },
      endsAt: new Date(Date.UTC(2026, 10, 21, 10)),
    })
  })
})
