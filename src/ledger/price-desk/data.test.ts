import { waitForUpdate } from '@pydantic/genai-prices'
import { describe, expect, it } from 'vitest'
import { checksumOf, parsePriceData } from './data.ts'

const MODEL = { id: 'm', match: { equals: 'm' }, prices: { input_mtok: 1, output_mtok: 2 } }
const at = new Date('2026-11-21')

function listOf(changes: object) {
  return [{ id: 'p', name: 'P', api_pattern: 'https://p', models: [{ ...MODEL, ...changes }] }]
}

describe('parsePriceData()', () => {
  it('takes everything that genai-prices publishes, named by its checksum', async () => {
    const published: unknown = JSON.parse(JSON.stringify(await waitForUpdate()))
    const checksum = checksumOf(JSON.stringify(published))
    const data = parsePriceData(published, checksum)
    expect(data.version).toBe(checksum.slice(0, 12))
    expect(data.find('openai', 'gpt-4o', at)?.prices).toMatchObject({ input_mtok: 2.5 })
  })

  it('takes conditions without a type, as they are published', () => {
    const prices = [
      { prices: { input_mtok: 1 } },
      { constraint: { start_date: '2026-01-01' }, prices: { input_mtok: 2 } },
      { constraint: { start_time: '10:00:00Z', end_time: '11:00:00Z' }, prices: { input_mtok: 3 } },
    ]
    const data = parsePriceData(listOf({ prices }), 'x')
    const at = (text: string) => data.find('p', 'm', new Date(text))?.prices.input_mtok
    expect(['2025-01-01T00:00:00Z', '2026-01-01T00:00:00Z', '2026-01-01T10:30:00Z'].map(at)).toEqual([
      1, 2, 3,
    ])
  })

  it.each([
    ['no list', {}, ''],
    ['an empty one', [], ''],
    ['a provider twice', [...listOf({}), ...listOf({})], ''],
    ['a negative price', listOf({ prices: { input_mtok: -1 } }), 'p.models.m.prices.input_mtok'],
    ['a price in words', listOf({ prices: { input_mtok: 'one' } }), 'p.models.m.prices.input_mtok'],
    ['a price of nobody knows what', listOf({ prices: { input_dozen: 1 } }), 'p.models.m.prices'],
    ['no prices', listOf({ prices: undefined }), 'p.models.m.prices'],
    ['no name', listOf({ id: '' }), 'p.models.0.id'],
    ['a field that nobody knows', listOf({ discount: 1 }), 'p.models.m'],
    ['an expression that is none', listOf({ match: { regex: '(' } }), 'p.models.m.match'],
    [
      'a date that is none',
      listOf({ prices: [{ constraint: { start_date: 'soon' }, prices: {} }] }),
      'p.models.m.prices.0',
    ],
    [
      'a time with seconds',
      listOf({
        prices: [{ constraint: { start_time: '10:00:01Z', end_time: '11:00:00Z' }, prices: {} }],
      }),
      'p.models.m.prices.0',
    ],
    ['no tiers', listOf({ prices: { input_mtok: { base: 1, tiers: [] } } }), 'p.models.m.prices.input_mtok'],
  ])('refuses %s, and names the place', (_name, json, place) => {
    expect(() => parsePriceData(json, 'x')).toThrow(
      expect.objectContaining({
        code: 'invalid_request',
        message: expect.stringContaining(place === '' ? 'no price data' : `\`${place}`),
      }),
    )
  })
})
