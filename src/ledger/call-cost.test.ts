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

const rerank = book.priceOf({ providerName: 'c', pricesId: 'cohere', free: false, model: 'rerank-v3.5' })

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
    const low = { images: 2, imageQuality: 'low', imageSize: '1024x1024' }
    expect(costOfCall({}, low, priceOf('gpt-image-1'))).toBe(2 * 272 * 40_000)
  })

  it('does not charge twice for what the provider counted in tokens', () => {
    const usage = { inputTokens: 50, outputTokens: 272, outputImageTokens: 272 }
    const price = priceOf('gpt-image-1')
    expect(costOfCall(usage, { images: 1 }, price)).toBe(costOf(usage, price))
    const heard = { inputTokens: 900, inputAudioTokens: 900, outputTokens: 0 }
    const transcribe = priceOf('gpt-4o-transcribe')
    expect(costOfCall(heard, { audioSeconds: 60 }, transcribe)).toBe(costOf(heard, transcribe))
  })

  it.each([
    [{ images: 1, imageSize: '1024x1024' }, 40_000_000],
    [{ images: 2, imageSize: '1792x1024', imageQuality: 'standard' }, 160_000_000],
    [{ images: 1, imageSize: '1024x1024', imageQuality: 'hd' }, 80_000_000],
    [{ images: 1, imageSize: '1024x1792', imageQuality: 'hd' }, 120_000_000],
    [{ images: 1 }, 40_000_000],
    // No size that is sold: the dearest.
    [{ images: 1, imageSize: '4000x4000' }, 120_000_000],
  ])('is exact for pictures of dall-e-3: %j', (units, nanoUsd) => {
    expect(costOfCall({ inputTokens: 12, outputTokens: 0 }, units, priceOf('dall-e-3'))).toBe(nanoUsd)
  })

  it('is exact for what is spoken by the character and searched by the search', () => {
    // OpenAI billed $0.061425 for 4,095 characters.
    expect(costOfCall({}, { characters: 4095 }, priceOf('tts-1'))).toBe(61_425_000)
    expect(costOfCall({ inputTokens: 900, outputTokens: 0 }, { searches: 3 }, rerank)).toBe(6_000_000)
  })

  it('prices a search by its tokens where it has no price', () => {
    const usage = { inputTokens: 900, outputTokens: 0 }
    expect(costOfCall(usage, { searches: 3 }, priceOf('gpt-4o'))).toBe(costOf(usage, priceOf('gpt-4o')))
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
