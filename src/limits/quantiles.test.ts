import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FadingHistogram } from './quantiles.ts'

function histogramOf(...values: readonly number[]): FadingHistogram {
  const histogram = new FadingHistogram()
  for (const value of values) histogram.add(value)
  return histogram
}

describe('FadingHistogram.quantile()', () => {
  it('is 0 where nothing was seen, and where only zeros were', () => {
    expect(histogramOf().quantile(0.99)).toBe(0)
    expect(histogramOf(0, 0, 0).quantile(1)).toBe(0)
    expect(histogramOf(0, 0, 0, 0.9).quantile(0.5)).toBe(0)
    expect(histogramOf(0, 0, 0, 0.9).quantile(0.9)).toBe(0.9)
  })

  it('is exact where values repeat', () => {
    expect(histogramOf(100).quantile(0.99)).toBe(100)
    expect(histogramOf(137, 137, 137, 137).quantile(0.5)).toBe(137)
  })

  it('is what this share of the values do not exceed', () => {
    const hundred = histogramOf(...Array.from({ length: 99 }, () => 10), 1000)
    expect(hundred.quantile(1)).toBe(1000)
    // One of a hundred is as many as may exceed it.
    expect(hundred.quantile(0.99)).toBe(10)
    const fifty = histogramOf(...Array.from({ length: 49 }, () => 10), 1000)
    expect(fifty.quantile(0.99)).toBe(1000)
    expect(fifty.quantile(0.5)).toBe(10)
  })

  it('answers anew for another share and after another value', () => {
    const histogram = histogramOf(10, 10, 10, 1000)
    expect(histogram.quantile(0.5)).toBe(10)
    expect(histogram.quantile(0.9)).toBe(1000)
    expect(histogram.quantile(0.5)).toBe(10)
    histogram.add(2000)
    histogram.add(2000)
    histogram.add(2000)
    expect(histogram.quantile(0.5)).toBe(1000)
  })

  it('is the largest value of those that are nearly the same', () => {
    // 2^6.75 = 107.6 and 2^7 = 128 bound one bucket.
    expect(histogramOf(108, 128, 120).quantile(0.1)).toBe(128)
    expect(histogramOf(108, 128, 120).quantile(0.9)).toBe(128)
    expect(histogramOf(107, 128, 128, 128).quantile(0.1)).toBe(107)
    expect(histogramOf(128, 128, 128, 129).quantile(0.75)).toBe(128)
  })

  it('takes values below 1 together, and those beyond 2^30', () => {
    expect(histogramOf(0.3, 0.001).quantile(0.1)).toBe(0.3)
    expect(histogramOf(1, 1.1).quantile(0.5)).toBe(1)
    expect(histogramOf(2 ** 31, 2 ** 40).quantile(0.1)).toBe(2 ** 40)
    expect(histogramOf(2 ** 30, 2 ** 40).quantile(0.1)).toBe(2 ** 40)
    expect(histogramOf(2 ** 29.75, 2 ** 40).quantile(0.1)).toBe(2 ** 29.75)
  })

  it('takes what is no quantity for none', () => {
    expect(histogramOf(Number.NaN, -5).quantile(1)).toBe(0)
    expect(histogramOf(Number.NaN, -5).samples).toBe(2)
  })

  it('errs on the side of more, by no more than 19 %', () => {
    const values = fc.array(fc.double({ min: 1, max: 1e8, noNaN: true }), { minLength: 1, maxLength: 200 })
    fc.assert(
      fc.property(values, fc.constantFrom(0.5, 0.9, 0.99, 1), (seen, share) => {
        const sorted = seen.toSorted((a, b) => a - b)
        const exact = sorted[Math.max(0, Math.ceil(share * seen.length - 1e-6) - 1)] ?? 0
        const answer = histogramOf(...seen).quantile(share)
        expect(answer).toBeGreaterThanOrEqual(exact)
        expect(answer).toBeLessThanOrEqual(exact * 2 ** 0.25 * (1 + 1e-6))
      }),
    )
  })
})

describe('FadingHistogram.samples', () => {
  it('counts to 256, and from then on from half of it', () => {
    const histogram = histogramOf(...Array.from({ length: 256 }, () => 1))
    expect(histogram.samples).toBe(256)
    histogram.add(1)
    expect(histogram.samples).toBe(129)
  })

  it('lets old values fade as newer ones come', () => {
    const histogram = histogramOf(...Array.from({ length: 256 }, () => 1000))
    for (let count = 0; count < 128; count++) histogram.add(10)
    // 128 of each.
    expect([histogram.quantile(0.49), histogram.quantile(0.51)]).toEqual([10, 1000])
    for (let count = 0; count < 128; count++) histogram.add(10)
    expect(histogram.quantile(0.74)).toBe(10)
    expect(histogram.quantile(0.76)).toBe(1000)
    for (let count = 0; count < 1024; count++) histogram.add(10)
    expect(histogram.quantile(0.99)).toBe(10)
  })
})
