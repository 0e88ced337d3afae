import { expect, test } from 'vitest'
import { median, percentile, Samples } from './statistics.ts'

test('percentile() takes the nearest rank', () => {
  const sorted = Array.from({ length: 200 }, (_, index) => index + 1)
  expect([0.5, 0.99, 1].map((share) => percentile(sorted, share))).toEqual([100, 198, 200])
})

test('median() takes the middle, or the mean of the two middle ones', () => {
  expect(median([9, 1, 5])).toBe(5)
  expect(median([9, 1, 5, 6])).toBe(5.5)
  expect(median([])).toBeNaN()
})

test('Samples keeps the latest where there are more than it may hold', () => {
  const samples = new Samples(3)
  for (const value of [100, 1, 2, 3]) samples.add(value)
  expect(samples.sorted()(1)).toBe(3)
})
