import { calcPrice, type Provider, waitForUpdate } from '@pydantic/genai-prices'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { createModelData } from './model-data.ts'
import { createModelTable, type ListedProvider } from './model-table.ts'

let providers: Provider[]

beforeAll(async () => {
  providers = (await waitForUpdate()) ?? []
})

/** Old and new prices, by night and by day. */
const MOMENTS = [
  '2024-01-01T00:00:00Z',
  '2025-06-10T00:00:00Z',
  '2026-11-21T02:30:00Z',
  '2026-11-21T13:00:00Z',
]

function expectSame(find: ReturnType<typeof createModelTable>, providerId: string, name: string, at: Date) {
  const expected = calcPrice({}, name, { providerId, timestamp: at })
  const found = find(providerId, name, at)
  expect([found?.providerId, found?.model, found?.prices], `${providerId}/${name}`).toEqual([
    expected?.provider.id,
    expected?.model,
    expected?.model_price,
  ])
}

describe('createModelTable()', () => {
  test('finds what calcPrice() of genai-prices finds, for every model at every time', () => {
    const find = createModelTable(providers)
    for (const at of MOMENTS.map((text) => new Date(text)))
      for (const { id, models } of providers) for (const model of models) expectSame(find, id, model.id, at)
  })

  test('finds what calcPrice() finds for names that are written otherwise', () => {
    const find = createModelTable(providers)
    const names = providers.flatMap(({ models }) => models.map(({ id }) => id))
    const ids = [...providers.map(({ id }) => id), 'OpenAI', 'google-vertex', 'xai', 'nobody']
    fc.assert(
      fc.property(
        fc.constantFrom(...names),
        fc.constantFrom(...ids),
        fc.constantFrom('', '-20250929', '-20251345', '-2025-09-29', '-latest', ':batch', '-x', ' '),
        (name, id, ending) => expectSame(find, id, name.toUpperCase() + ending, new Date(MOMENTS[2] ?? '')),
      ),
      { numRuns: 1000 },
    )
  })

  test('knows spans of the day that pass midnight, without their end', () => {
    const list: ListedProvider = {
      id: 'p',
      models: [
        {
          id: 'm',
          match: { equals: 'm' },
          prices: [
            { prices: { input_mtok: 1 } },
            {
              constraint: { type: 'time_of_date', start_time: '22:00:00Z', end_time: '06:00:00Z' },
              prices: { input_mtok: 2 },
            },
          ],
        },
      ],
    }
    const find = createModelTable([list])
    const at = (time: string) => find('p', 'm', new Date(`2026-11-21T${time}Z`))?.prices.input_mtok
    expect(['21:59:59', '22:00:00', '05:59:59', '06:00:00'].map(at)).toEqual([1, 2, 2, 1])
  })
})

describe('createModelData()', () => {
  test('reads names by resource, and no endless ones', () => {
    const data = createModelData('v', providers)
    const at = new Date('2026-11-21')
    expect(data.find('google', 'models/gemini-2.5-pro', at)?.model.id).toBe('gemini-2.5-pro')
    expect(data.find('openai', `gpt-4o${'x'.repeat(300)}`, at)).toBeUndefined()
    expect(data.find('openai', '', at)).toBeUndefined()
    expect(data.names('openai')).toContain('gpt-4o')
    expect(data.names('nobody')).toEqual([])
  })
})
