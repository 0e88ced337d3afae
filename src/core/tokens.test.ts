import { expect, test } from 'vitest'
import { estimateTokens } from './tokens.ts'

test('estimateTokens() rounds up, so that a text is never nothing', () => {
  expect([0, 1, 35, 36].map((bytes) => estimateTokens(bytes))).toEqual([0, 1, 10, 11])
})

test('estimateTokens() goes by the ratio that a model has shown', () => {
  expect(estimateTokens(100, 2)).toBe(50)
})
