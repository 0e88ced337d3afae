import { describe, expect, it } from 'vitest'
import { costOfCall } from './call-cost.ts'
import { costOf } from './cost.ts'
import { createPriceBook } from './prices.ts'

const book = createPriceBook({
  overrides: {},
  unknown: 'ceiling',
  ceiling: { inputPerMillionUsd: 10, outputPerMillionUsd: 50 },
  now: () => Date.parse('2026-11-21'),
})

function priceOf(model: string) {
  return book.priceOf({ providerName: 'openai', pricesId: 'openai', free: false, model })
}

describe('costOfCall()', () => {
  it('is the cost of the tokens where there are no units', () => {
    const usage = { inputTokens: 1000, outputTokens: 10 }
    expect(costOfCall(usage, {}, priceOf('gpt-4o'))).toBe(costOf(usage, priceOf('gpt-4o')))
  })

  it('prices seconds by the hour where they are sold so', () => {
    const none = { inputTokens: 0, outputTokens: 0 }
    expect(costOfCall(none, { audioSeconds: 3600 }, priceOf('whisper-1'))).toBe(360_000_000)
  })

  it('prices units as the tokens they stand for where a model sells tokens', () => {
    // A minute heard is a thousand tokens, at 6 dollars a million.
    expect(costOfCall({}, { audioSeconds: 60 }, priceOf('gpt-4o-transcribe'))).toBe(6_000_000)
    // 900 characters are a minute, or 1,250 tokens spoken, at 12 dollars a million.
    expect(costOfCall({}, { characters: 900 }, priceOf('gpt-4o-mini-tts'))).toBe(15_000_000)
    expect(costOfCall({}, { images: 1 }, priceOf('gpt-image-1'))).toBe(6240 * 40_000)
  })

  it.each([{ audioSeconds: 1 }, { characters: 1 }, { images: 1 }])(
    'never takes a unit of an unknown price for free: %j',
    (units) => {
      const price = priceOf('made-up-model')
      expect(price.known).toBe(false)
      expect(costOfCall({ inputTokens: 0, outputTokens: 0 }, units, price)).toBeGreaterThan(0)
    },
  )
})
