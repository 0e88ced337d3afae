import { calcPrice, type Provider, waitForUpdate } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Usage } from '../contract/chat.ts'
import { costOf, isComplete, ratesFor } from './cost.ts'
import type { Rates } from './price-rates.ts'
import { createPriceBook, type ResolvedPrice } from './prices.ts'

const NOW = new Date('2026-11-21T12:00:00Z')
const book = createPriceBook({
  overrides: {},
  unknown: 'ceiling',
  ceiling: { inputPerMillionUsd: 10, outputPerMillionUsd: 50 },
  now: () => NOW.getTime(),
})
const providers: readonly Provider[] = (await waitForUpdate()) ?? []
const models = providers.flatMap((provider) =>
  provider.models.map((model) => ({ provider: provider.id, model: model.id })),
)

function priceOf(provider: string, model: string): ResolvedPrice {
  return book.priceOf({ providerName: provider, pricesId: provider, free: false, model })
}

const anyPrice = fc.constantFrom(...models).map(({ provider, model }) => priceOf(provider, model))

const count = fc.oneof(fc.nat(50), fc.nat(3000), fc.nat(400_000))

/** Parts that fit into their wholes, as a provider should report them. */
const soundUsage = fc
  .record({
    plain: count,
    cached: count,
    write: count,
    long: count,
    audio: count,
    image: count,
    text: count,
    reasoning: count,
    outputAudio: count,
    outputImage: count,
  })
  .map(
    (said): Required<Usage> => ({
      inputTokens: said.plain + said.cached + said.write + said.long + said.audio + said.image,
      cachedInputTokens: said.cached,
      cacheWriteTokens: said.write + said.long,
      cacheWriteLongTokens: said.long,
      inputAudioTokens: said.audio,
      inputImageTokens: said.image,
      outputTokens: said.text + said.reasoning + said.outputAudio + said.outputImage,
      reasoningTokens: said.reasoning,
      outputAudioTokens: said.outputAudio,
      outputImageTokens: said.outputImage,
    }),
  )

const wildNumber = fc.oneof(count, fc.double(), fc.integer(), fc.constant(undefined))
const wildUsage: fc.Arbitrary<Usage> = fc.record({
  inputTokens: wildNumber,
  cachedInputTokens: wildNumber,
  cacheWriteTokens: wildNumber,
  cacheWriteLongTokens: wildNumber,
  inputAudioTokens: wildNumber,
  inputImageTokens: wildNumber,
  outputTokens: wildNumber,
  reasoningTokens: wildNumber,
  outputAudioTokens: wildNumber,
  outputImageTokens: wildNumber,
})

/** The same cost by another way: fractions of dollars per million in whole numbers, no doubles. */
function costByWholeNumbers(usage: Required<Usage>, price: ResolvedPrice): bigint {
  const said = Object.fromEntries(Object.entries(usage).map(([name, value]) => [name, BigInt(value ?? 0)]))
  const of = (name: keyof Usage): bigint => said[name] ?? 0n
  const rates = ratesFor(price, usage.inputTokens ?? 0)
  const at = (name: keyof Rates): bigint => BigInt(rates[name])
  const inputParts =
    of('cachedInputTokens') + of('cacheWriteTokens') + of('inputAudioTokens') + of('inputImageTokens')
  const outputParts = of('reasoningTokens') + of('outputAudioTokens') + of('outputImageTokens')
  const pico =
    BigInt(price.requestPico) +
    (of('inputTokens') - inputParts) * at('inputPico') +
    of('cachedInputTokens') * at('cachedInputPico') +
    (of('cacheWriteTokens') - of('cacheWriteLongTokens')) * at('cacheWritePico') +
    of('cacheWriteLongTokens') * at('cacheWriteLongPico') +
    of('inputAudioTokens') * at('inputAudioPico') +
    of('inputImageTokens') * at('inputImagePico') +
    (of('outputTokens') - outputParts) * at('outputPico') +
    of('reasoningTokens') * at('reasoningPico') +
    of('outputAudioTokens') * at('outputAudioPico') +
    of('outputImageTokens') * at('outputImagePico')
  return (pico + 500n) / 1000n
}

describe('costOf()', () => {
  test('prices an ordinary call to the nano-dollar', () => {
    // 1,000 × 2.50 − 400 cached × 1.25, and 200 × 10 dollars per million.
    const usage = { inputTokens: 1000, cachedInputTokens: 400, outputTokens: 200 }
    expect(costOf(usage, priceOf('openai', 'gpt-4o'))).toBe(4_000_000)
  })

  test('puts a whole call on the tier’s price, beyond the threshold and not at it', () => {
    const sonnet = priceOf('anthropic', 'claude-sonnet-4-5')
    expect(costOf({ inputTokens: 200_000, outputTokens: 1000 }, sonnet)).toBe(615_000_000)
    expect(costOf({ inputTokens: 200_001, outputTokens: 1000 }, sonnet)).toBe(1_222_506_000)
  })

  test('equals a computation in whole numbers', () => {
    fc.assert(
      fc.property(anyPrice, soundUsage, (price, usage) => {
        expect(BigInt(costOf(usage, price))).toBe(costByWholeNumbers(usage, price))
      }),
    )
  })

  test('equals it at prices and counts beyond the doubles', () => {
    const dear = createPriceBook({
      overrides: { 'a/b': { inputPerMillionUsd: 999_999.999_999, outputPerMillionUsd: 1_000_000 } },
      unknown: 'refuse',
      ceiling: { inputPerMillionUsd: 0, outputPerMillionUsd: 0 },
      now: () => 0,
    }).priceOf({ providerName: 'a', pricesId: undefined, free: false, model: 'b' })
    fc.assert(
      fc.property(soundUsage, (usage) => {
        expect(BigInt(costOf(usage, dear))).toBe(costByWholeNumbers(usage, dear))
      }),
    )
  })

  test('equals genai-prices’ own calculation on random models of all its providers', () => {
    const seen = new Set<string>()
    fc.assert(
      fc.property(fc.constantFrom(...models), soundUsage, ({ provider, model }, said) => {
        const known = calcPrice({}, model, { providerId: provider, timestamp: NOW })
        fc.pre(known !== null && Object.keys(known.model_price).length > 0)
        if (known === null) return
        const row = known.model_price
        const price = priceOf(provider, model)
        // genai-prices refuses to price images or sound with a price of their own next to a cache unless told how
        // much of them was cached, and knows no hour-long cache where the row has no price for one.
        const usage: Required<Usage> = { ...said, cacheWriteLongTokens: 0 }
        const theirs = calcPrice(
          {
            input_tokens: usage.inputTokens,
            cache_read_tokens: usage.cachedInputTokens,
            cache_write_tokens: usage.cacheWriteTokens,
            cache_write_1h_tokens: 0,
            input_audio_tokens: usage.inputAudioTokens,
            cache_audio_read_tokens: 0,
            input_image_tokens: usage.inputImageTokens,
            cache_image_read_tokens: 0,
            input_video_tokens: 0,
            output_tokens: usage.outputTokens,
            output_reasoning_tokens: usage.reasoningTokens,
            output_audio_tokens: usage.outputAudioTokens,
            output_image_tokens: usage.outputImageTokens,
          },
          model,
          { providerId: provider, timestamp: NOW },
        )
        seen.add(`${provider}/${model}`)
        // Six prices of OpenRouter are no whole pico-dollars a token: what rounding them costs is allowed for.
        const unround = Object.values(row).some((value) => typeof value === 'number' && !isWholePico(value))
        const allowedNano = unround ? 1 + (usage.cacheWriteTokens ?? 0) * 0.0005 : 1
        const theirNano = (theirs?.total_price ?? Number.NaN) * 1e9
        expect(Math.abs(costOf(usage, price) - theirNano)).toBeLessThanOrEqual(allowedNano)
      }),
      { numRuns: 1000 },
    )
    expect(seen.size).toBeGreaterThan(200)
  })

  test('is a whole number, never negative, whatever a provider reports', () => {
    fc.assert(
      fc.property(anyPrice, wildUsage, (price, usage) => {
        const cost = costOf(usage, price)
        expect(Number.isSafeInteger(cost)).toBe(true)
        expect(cost).toBeGreaterThanOrEqual(0)
      }),
    )
  })

  test('never falls when a whole grows', () => {
    fc.assert(
      fc.property(anyPrice, soundUsage, count, count, (price, usage, moreInput, moreOutput) => {
        const more = {
          ...usage,
          inputTokens: usage.inputTokens + moreInput,
          outputTokens: usage.outputTokens + moreOutput,
        }
        expect(costOf(more, price)).toBeGreaterThanOrEqual(costOf(usage, price))
      }),
    )
  })

  test('adds up over two calls, but for rounding and for what every call costs', () => {
    fc.assert(
      fc.property(anyPrice, soundUsage, soundUsage, (price, one, other) => {
        fc.pre(price.tiers.length === 0)
        const sum = (name: keyof Usage) => (one[name] ?? 0) + (other[name] ?? 0)
        const both = Object.fromEntries(
          (Object.keys(one) as (keyof Usage)[]).map((name) => [name, sum(name)]),
        )
        const apart = costOf(one, price) + costOf(other, price) - price.requestPico / 1000
        expect(Math.abs(costOf(both, price) - apart)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('counts a whole that nobody said as its parts, and parts that exceed it as said', () => {
    const gpt = priceOf('openai', 'gpt-4o')
    expect(costOf({ cachedInputTokens: 100 }, gpt)).toBe(125_000)
    expect(costOf({ inputTokens: 10, cachedInputTokens: 100 }, gpt)).toBe(125_000)
    expect(costOf({ outputTokens: 10, reasoningTokens: 100 }, gpt)).toBe(100_000)
  })

  test('does not charge sound twice that came from the cache', () => {
    const audio = priceOf('openai', 'gpt-4o-realtime-preview')
    const usage = { inputTokens: 100, cachedInputTokens: 80, inputAudioTokens: 50, outputTokens: 0 }
    // 80 cached at 2.50 and the 20 others at 40 dollars per million.
    expect(costOf(usage, audio)).toBe(80 * 2500 + 20 * 40_000)
  })

  test('costs nothing where nothing was used, except what every call costs', () => {
    expect(costOf({}, priceOf('openai', 'gpt-4o'))).toBe(0)
    expect(costOf({}, priceOf('perplexity', 'sonar'))).toBe(12_000_000)
  })
})

describe('isComplete()', () => {
  test('is true once both counts were said, zero included', () => {
    expect(isComplete({ inputTokens: 0, outputTokens: 0 })).toBe(true)
    expect(isComplete({ inputTokens: 5 })).toBe(false)
    expect(isComplete({ outputTokens: 5, reasoningTokens: 5 })).toBe(false)
  })
})

function isWholePico(perMillionUsd: number): boolean {
  return Math.abs(perMillionUsd * 1e6 - Math.round(perMillionUsd * 1e6)) < 1e-6
}
