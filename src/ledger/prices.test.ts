import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, test } from 'vitest'
import { createPriceBook, type PriceBookOptions, type PriceQuery } from './prices.ts'

const NOW = Date.parse('2026-11-21T12:00:00Z')
const CEILING = { inputPerMillionUsd: 10, outputPerMillionUsd: 50 }

function book(options: Partial<PriceBookOptions> = {}) {
  return createPriceBook({ overrides: {}, unknown: 'ceiling', ceiling: CEILING, now: () => NOW, ...options })
}

function ask(pricesId: string | undefined, model: string, rest: Partial<PriceQuery> = {}): PriceQuery {
  return { providerName: pricesId ?? 'mine', pricesId, free: false, model, ...rest }
}

describe('priceOf()', () => {
  test('reads the bundled data and names the row', () => {
    const price = book().priceOf(ask('openai', 'gpt-4o-2024-08-06'))
    expect(price).toMatchObject({ known: true, version: 'genai-prices@0.1.8:openai/gpt-4o:base', tiers: [] })
    expect(price.rates).toMatchObject({
      inputPico: 2_500_000,
      cachedInputPico: 1_250_000,
      cacheWritePico: 2_500_000,
      outputPico: 10_000_000,
      reasoningPico: 10_000_000,
    })
  })

  test('reads tiers, and prices of caches, sound, images and requests', () => {
    const prices = book()
    const sonnet = prices.priceOf(ask('anthropic', 'claude-sonnet-4-5'))
    expect(sonnet.rates).toMatchObject({ cacheWritePico: 3_750_000, cacheWriteLongPico: 6_000_000 })
    expect(sonnet.tiers.map((tier) => tier.aboveInputTokens)).toEqual([200_000])
    expect(sonnet.tiers[0]?.rates).toMatchObject({ inputPico: 6_000_000, outputPico: 22_500_000 })
    const audio = prices.priceOf(ask('openai', 'gpt-4o-realtime-preview'))
    expect(audio.rates).toMatchObject({ inputAudioPico: 40_000_000, outputAudioPico: 80_000_000 })
    expect(prices.priceOf(ask('google', 'gemini-2.5-flash-image')).rates.outputImagePico).toBe(30_000_000)
    expect(prices.priceOf(ask('perplexity', 'sonar')).requestPico).toBe(12_000_000_000)
  })

  test('returns the same object while a price holds', () => {
    const prices = book()
    expect(prices.priceOf(ask('openai', 'gpt-4o'))).toBe(prices.priceOf(ask('openai', 'gpt-4o')))
  })

  test('follows dated prices through the history', () => {
    const prices = book()
    const at = (day: string) => prices.priceOf(ask('openai', 'o3', { at: new Date(day) }))
    expect(at('2025-06-10').version).toBe('genai-prices@0.1.8:openai/o3:2025-06-10')
    expect(at('2025-06-09').version).toBe('genai-prices@0.1.8:openai/o3:base')
    expect(at('2025-06-09').rates.inputPico).toBeGreaterThan(at('2025-06-10').rates.inputPico)
    expect(at('2026-11-21').version).toBe('genai-prices@0.1.8:openai/o3:2025-06-10')
  })

  test('notices by itself when a dated price begins', () => {
    let now = Date.parse('2025-06-09T23:59:59.999Z')
    const prices = book({ now: () => now })
    const before = prices.priceOf(ask('openai', 'o3'))
    now += 1
    const after = prices.priceOf(ask('openai', 'o3'))
    expect([before.version, after.version].map((version) => version.split(':').at(-1))).toEqual([
      'base',
      '2025-06-10',
    ])
  })

  test('follows prices by the time of day to the minute', () => {
    let now = Date.parse('2026-11-21T00:59:59.999Z')
    const prices = book({ now: () => now })
    const cheap = prices.priceOf(ask('deepseek', 'deepseek-v4-flash')).rates.inputPico
    now += 1
    const dear = prices.priceOf(ask('deepseek', 'deepseek-v4-flash')).rates.inputPico
    now = Date.parse('2026-11-21T04:00:00Z')
    const again = prices.priceOf(ask('deepseek', 'deepseek-v4-flash')).rates.inputPico
    expect([cheap, dear, again]).toEqual([220_000, 440_000, 220_000])
  })

  test('answers a late question about the past without forgetting the present', () => {
    const prices = book()
    const present = prices.priceOf(ask('openai', 'o3'))
    expect(prices.priceOf(ask('openai', 'o3', { at: new Date('2025-01-01') }))).not.toBe(present)
    expect(prices.priceOf(ask('openai', 'o3'))).toBe(present)
  })

  test('holds times of day on whole minutes, as the cache supposes', async () => {
    const providers = (await waitForUpdate()) ?? []
    const times = providers
      .flatMap((provider) => provider.models)
      .flatMap((model) => (Array.isArray(model.prices) ? model.prices : []))
      .flatMap(({ constraint }) =>
        constraint?.type === 'time_of_date' ? [constraint.start_time, constraint.end_time] : [],
      )
    expect(times.length).toBeGreaterThan(0)
    expect(times.filter((time) => !/^\d\d:\d\d:00Z$/.test(time))).toEqual([])
  })
})

describe('priceOf() overrides', () => {
  const list = { inputPerMillionUsd: 1, outputPerMillionUsd: 2, cachedInputPerMillionUsd: 0.5 }

  test('go before the data and before free, for that provider only', () => {
    const prices = book({ overrides: { 'openai/gpt-4o': list, 'local/llama': list } })
    expect(prices.priceOf(ask('openai', 'gpt-4o')).rates.inputPico).toBe(1_000_000)
    expect(prices.priceOf(ask('openai', 'gpt-4o', { providerName: 'other' })).rates.inputPico).toBe(2_500_000)
    const local = prices.priceOf({ providerName: 'local', pricesId: undefined, free: true, model: 'llama' })
    expect(local.rates).toMatchObject({
      inputPico: 1_000_000,
      cachedInputPico: 500_000,
      outputPico: 2_000_000,
    })
  })

  test('have a version by what they say, not by the order they say it in', () => {
    const version = (price: typeof list) =>
      book({ overrides: { 'openai/gpt-4o': price } }).priceOf(ask('openai', 'gpt-4o')).version
    const reversed = { cachedInputPerMillionUsd: 0.5, outputPerMillionUsd: 2, inputPerMillionUsd: 1 }
    expect(version(list)).toMatch(/^override:[0-9a-f]{16}$/)
    expect(version(reversed)).toBe(version(list))
    expect(version({ ...list, inputPerMillionUsd: 1.1 })).not.toBe(version(list))
  })

  test.each([-1, Number.NaN, Number.POSITIVE_INFINITY])('refuse a price of %d', (inputPerMillionUsd) => {
    expect(() => book({ overrides: { 'a/b': { ...list, inputPerMillionUsd } } })).toThrow(RangeError)
    expect(() => book({ overrides: { 'a/b': { ...list, perRequestUsd: inputPerMillionUsd } } })).toThrow(
      RangeError,
    )
  })
})

describe('priceOf() of what nobody knows', () => {
  test.each([
    ['a name the provider does not have', ask('openai', 'gpt-99')],
    ['a provider the data does not have', ask(undefined, 'gpt-4o')],
    ['a model the data lists without a price', ask('cerebras', 'qwen-3-coder-480b')],
    ['an endless name', ask('openai', 'x'.repeat(10_000))],
  ])('is the ceiling, and says so: %s', (_, query) => {
    const price = book().priceOf(query)
    expect(price.known).toBe(false)
    expect(price.version).toMatch(/^ceiling:[0-9a-f]{16}$/)
    expect(price.rates).toMatchObject({ inputPico: 10_000_000, outputPico: 50_000_000 })
  })

  test('is refused where the configuration says so, each time, naming the way out', () => {
    const prices = book({ unknown: 'refuse' })
    for (let i = 0; i < 2; i++) {
      expect(() => prices.priceOf(ask('openai', 'gpt-99'))).toThrow(
        expect.objectContaining({
          code: 'invalid_request',
          param: 'model',
          message: expect.stringContaining('prices.overrides."openai/gpt-99"'),
        }),
      )
    }
  })

  test('is free only where the data says the word, or the server is one’s own', () => {
    const prices = book()
    const zero = { inputPico: 0, outputPico: 0 }
    expect(prices.priceOf(ask('openai', 'omni-moderation-latest'))).toMatchObject({
      known: true,
      rates: zero,
    })
    expect(prices.priceOf(ask('azure', 'mai-ds-r1:free'))).toMatchObject({ known: true, rates: zero })
    expect(prices.priceOf(ask(undefined, 'llama', { free: true }))).toMatchObject({
      known: true,
      version: 'free',
      rates: zero,
    })
  })

  test('is never zero for any model of the data that is not free', async () => {
    const prices = book()
    for (const provider of (await waitForUpdate()) ?? []) {
      for (const model of provider.models) {
        const price = prices.priceOf(ask(provider.id, model.id))
        const sells = price.rates.inputPico + price.rates.outputPico + Object.keys(price.units).length > 0
        const isFree = /free|zero token/i.test(
          `${model.id} ${model.name} ${model.description} ${model.price_comments}`,
        )
        expect(sells || isFree, `${provider.id}/${model.id}`).toBe(true)
      }
    }
  })

  test('stays bounded under invented names, and right', () => {
    const prices = book()
    for (let i = 0; i < 2500; i++) prices.priceOf(ask('openai', `invented-${i}`))
    expect(prices.priceOf(ask('openai', 'gpt-4o')).known).toBe(true)
    expect(prices.priceOf(ask('openai', 'invented-0')).known).toBe(false)
  })
})
