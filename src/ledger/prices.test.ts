import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, test } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { BUNDLED_MODELS, createModelData, type ModelData } from '../core/model-data.ts'
import { createOverrideBook } from './price-overrides.ts'
import {
  BUNDLED_PRICES,
  createPriceBook,
  isUnknownPrice,
  type LivePrices,
  type PriceBookOptions,
  type PriceQuery,
} from './prices.ts'

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

/** What organizations have of their own; of others nothing. */
function ownPrices(prices: Readonly<Record<string, Readonly<Record<string, number>>>>): LivePrices {
  const books = new Map(
    Object.entries(prices).map(([organizationId, targets]) => [
      organizationId,
      createOverrideBook(
        Object.entries(targets).map(([target, usd]) => ({
          id: target,
          organizationId,
          target,
          price: { inputPerMillionUsd: usd, outputPerMillionUsd: usd },
          validFrom: new Date(NOW),
          createdAt: new Date(NOW),
        })),
        (error) => {
          throw error
        },
      ),
    ]),
  )
  return { ...BUNDLED_PRICES, overridesOf: (organizationId) => books.get(organizationId) }
}

describe('priceOf() with prices of an organization', () => {
  const live = ownPrices({ acme: { 'openai/gpt-4o': 7, 'local/llama': 7, 'openai/gpt-99': 7 } })
  const overrides = { 'openai/gpt-4o': { inputPerMillionUsd: 1, outputPerMillionUsd: 1 } }
  const prices = book({ live, overrides, unknown: 'refuse' })
  const inputOf = (query: PriceQuery) => prices.priceOf(query).rates.inputPico / 1_000_000

  test('takes the organization’s before the configuration’s, free, the data and refusal', () => {
    const acme = { organizationId: 'acme' }
    expect(inputOf(ask('openai', 'gpt-4o', acme))).toBe(7)
    expect(inputOf(ask(undefined, 'llama', { ...acme, providerName: 'local', free: true }))).toBe(7)
    expect(inputOf(ask('openai', 'gpt-99', acme))).toBe(7)
    expect(inputOf(ask('openai', 'gpt-4o-mini', acme))).toBe(0.15)
  })

  test('leaves everybody else, and nobody in particular, with what they pay', () => {
    expect(inputOf(ask('openai', 'gpt-4o', { organizationId: 'other' }))).toBe(1)
    expect(inputOf(ask('openai', 'gpt-4o'))).toBe(1)
    expect(() => prices.priceOf(ask('openai', 'gpt-99', { organizationId: 'other' }))).toThrow(GatewayError)
  })

  test('does not charge by what begins later', () => {
    const past = { organizationId: 'acme', at: new Date(NOW - 1) }
    expect(inputOf(ask('openai', 'gpt-4o', past))).toBe(1)
  })
})

describe('priceOf() of batches', () => {
  const luna = ask('openrouter', 'openai/gpt-6-luna', { batch: true })

  test('is that of the data’s own row for batches, and else that of the model', () => {
    const prices = book()
    expect(prices.priceOf(luna).version).toContain('gpt-6-luna:batch')
    expect(prices.priceOf({ ...luna, batch: false }).version).not.toContain(':batch')
    expect(prices.priceOf(ask('openai', 'gpt-4o', { batch: true })).version).toContain('/gpt-4o:')
    expect(prices.priceOf(ask('openai', 'gpt-99', { batch: true })).known).toBe(false)
  })

  test('is of the first source that knows the model or its batches', () => {
    const flat = (usd: number) => ({ inputPerMillionUsd: usd, outputPerMillionUsd: usd })
    const overrides = { 'openrouter/openai/gpt-6-luna': flat(3) }
    const live = ownPrices({
      model: { 'openrouter/openai/gpt-6-luna': 5 },
      both: { 'openrouter/openai/gpt-6-luna': 5, 'openrouter/openai/gpt-6-luna:batch': 6 },
    })
    const prices = book({ live, overrides })
    const inputOf = (organizationId?: string) =>
      prices.priceOf({ ...luna, organizationId }).rates.inputPico / 1_000_000
    expect([inputOf(), inputOf('model'), inputOf('both')]).toEqual([3, 5, 6])
    const own = book({ overrides: { ...overrides, 'openrouter/openai/gpt-6-luna:batch': flat(4) } })
    expect(own.priceOf(luna).rates.inputPico).toBe(4_000_000)
  })
})

describe('priceOf() with newer data', () => {
  function dataOf(version: string, usd: number): ModelData {
    const prices = { input_mtok: usd, output_mtok: usd }
    return createModelData(version, [{ id: 'openai', models: [{ id: 'm', match: { equals: 'm' }, prices }] }])
  }

  function changing() {
    let entries = [{ data: BUNDLED_MODELS, fromMs: 0, untilMs: Number.POSITIVE_INFINITY }]
    let generation = 0
    const live: LivePrices = {
      overridesOf: () => undefined,
      get generation() {
        return generation
      },
      dataAt: (atMs) => {
        const found = entries.findLast(({ fromMs }) => fromMs <= atMs)
        if (found === undefined) throw new Error('There is data at every time.')
        return found
      },
    }
    function begin(data: ModelData, fromMs: number) {
      entries = entries.map((entry, i) => (i === entries.length - 1 ? { ...entry, untilMs: fromMs } : entry))
      entries.push({ data, fromMs, untilMs: Number.POSITIVE_INFINITY })
      generation += 1
    }
    return { live, begin }
  }

  test('charges by it from its moment on, and names it', () => {
    const { live, begin } = changing()
    let now = NOW
    const prices = book({ live, now: () => now })
    expect(prices.priceOf(ask('openai', 'm')).known).toBe(false)
    expect(prices.priceOf(ask('openai', 'gpt-4o')).version).toContain('genai-prices@0.1.8:')
    begin(dataOf('aaa', 1), NOW + 10)
    begin(dataOf('bbb', 2), NOW + 20)
    expect(prices.priceOf(ask('openai', 'm')).known).toBe(false)
    now = NOW + 10
    expect(prices.priceOf(ask('openai', 'm')).version).toBe('genai-prices@aaa:openai/m:base')
    now = NOW + 20
    const held = prices.priceOf(ask('openai', 'm'))
    expect(held.version).toBe('genai-prices@bbb:openai/m:base')
    expect(prices.priceOf(ask('openai', 'm'))).toBe(held)
    // What it does not list any more, nobody knows.
    expect(prices.priceOf(ask('openai', 'gpt-4o')).known).toBe(false)
  })

  test('charges what began before by what was in force then', () => {
    const { live, begin } = changing()
    begin(dataOf('aaa', 1), NOW - 1000)
    begin(dataOf('bbb', 2), NOW - 10)
    const prices = book({ live })
    const at = (ms: number) => prices.priceOf(ask('openai', 'm', { at: new Date(ms), batch: true })).version
    expect(prices.priceOf(ask('openai', 'm')).version).toContain('@bbb:')
    expect([at(NOW - 11), at(NOW - 10)].map((version) => version.slice(0, 16))).toEqual([
      'genai-prices@aaa',
      'genai-prices@bbb',
    ])
    expect(prices.priceOf(ask('openai', 'm', { at: new Date(NOW - 11) })).version).toContain('@aaa:')
    expect(prices.priceOf(ask('openai', 'gpt-4o', { at: new Date(NOW - 2000) })).known).toBe(true)
    expect(prices.priceOf(ask('openai', 'm')).version).toContain('@bbb:')
  })
})

describe('priceOf() of what is sold by the unit', () => {
  test.each([
    ['openai', 'tts-1', { characters: { pico: 15e12, per: 1_000_000 } }],
    ['openai', 'tts-1-hd-1106', { characters: { pico: 30e12, per: 1_000_000 } }],
    ['openai', 'dall-e-2', { images: { pico: 0.02e12, per: 1 } }],
    ['openai', 'dall-e-3', { images: { pico: 0.12e12, picoByKind: { 'standard/1024x1024': 0.04e12 } } }],
    ['cohere', 'rerank-v3.5', { searches: { pico: 0.002e12, per: 1 } }],
    ['cohere', 'rerank-v4.0-pro', { searches: { pico: 0.0025e12, per: 1 } }],
  ])('knows what %s asks for %s', (provider, model, units) => {
    const price = book().priceOf(ask(provider, model))
    expect(price).toMatchObject({ known: true, rates: { inputPico: 0, outputPico: 0 }, units })
    expect(price.version).toMatch(/^units@\d{4}-\d\d-\d\d:/)
  })

  test('does not know it of others that use the name', () => {
    expect(book().priceOf(ask('together', 'tts-1')).known).toBe(false)
    expect(book().priceOf(ask('openai', 'tts-2')).known).toBe(false)
  })

  test('takes a written price by the unit', () => {
    const overrides = { 'mine/x': { perImageUsd: 0.01, perMinuteUsd: 0.006, perMillionCharactersUsd: 9 } }
    expect(book({ overrides }).priceOf(ask(undefined, 'x')).units).toEqual({
      images: { pico: 10_000_000_000, per: 1, least: 0 },
      audioSeconds: { pico: 6_000_000_000, per: 60, least: 0 },
      characters: { pico: 9e12, per: 1_000_000, least: 0 },
    })
  })
})

describe('isUnknownPrice()', () => {
  test('knows the refusal from others of the same code', () => {
    let refusal: unknown
    try {
      book({ unknown: 'refuse' }).priceOf(ask('openai', 'gpt-99'))
    } catch (error) {
      refusal = error
    }
    expect(isUnknownPrice(refusal)).toBe(true)
    expect(refusal).toMatchObject({ detail: { reason: 'unknown_price' } })
    expect(isUnknownPrice(new GatewayError('invalid_request', { message: 'no' }))).toBe(false)
    expect(isUnknownPrice(new Error('no'))).toBe(false)
  })
})
