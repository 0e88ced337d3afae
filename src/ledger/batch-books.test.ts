import { describe, expect, it } from 'vitest'
import { type BatchOwner, createBatchBooks } from './batch-books.ts'
import type { LedgerRow } from './ports.ts'
import { createPriceBook } from './prices.ts'

const OWNER: BatchOwner = {
  id: 'batch_1',
  provider: 'router',
  organizationId: 'org',
  teamId: null,
  keyId: 'key',
  userId: null,
  sessionId: null,
  task: null,
  tags: {},
  createdAt: new Date('2026-11-20T10:00:00Z'),
}
const ENDED = new Date('2026-11-20T12:00:00Z')
const USAGE = { inputTokens: 1000, outputTokens: 100 }

async function book(pricesId: string, ...models: string[]): Promise<LedgerRow> {
  const rows: LedgerRow[] = []
  const books = createBatchBooks({
    store: {
      write: async (written) => {
        rows.push(...written.filter(({ id }) => !rows.some((row) => row.id === id)))
      },
      findRequest: async (requestId) => rows.filter((row) => row.requestId === requestId),
    },
    prices: createPriceBook({
      overrides: {},
      unknown: 'ceiling',
      ceiling: { inputPerMillionUsd: 10, outputPerMillionUsd: 50 },
      now: () => Date.parse('2026-11-21'),
    }),
    pricing: () => ({ pricesId, free: false }),
  })
  const work = models.map((model) => ({ model, usage: USAGE, units: {}, estimated: false }))
  await books.book({ batch: OWNER, workId: 'req_1.batch', work, endedAt: ENDED })
  const [row] = rows
  if (row === undefined || rows.length > 1) throw new Error('A batch has one row.')
  return row
}

describe('createBatchBooks()', () => {
  it('takes the price of batches where the data has one', async () => {
    const { costNanoUsd, priceVersion } = await book('openrouter', 'openai/gpt-6-luna')
    expect(priceVersion).toMatch(/gpt-6-luna:batch/)
    // 0.05 and 0.25 dollars a million.
    expect(costNanoUsd).toBe(1000 * 50 + 100 * 250)
  })

  it('takes the full price where there is none for batches, and assumes no rebate', async () => {
    const { costNanoUsd, priceVersion } = await book('openai', 'gpt-4o-mini')
    expect(priceVersion).toMatch(/openai\/gpt-4o-mini:/)
    expect(costNanoUsd).toBe(1000 * 150 + 100 * 600)
  })

  it('takes the ceiling for a model that nobody knows', async () => {
    expect((await book('openai', 'made-up')).costNanoUsd).toBe(1000 * 10_000 + 100 * 50_000)
  })

  it('adds models up, each at its price, and names the dearest', async () => {
    const row = await book('openai', 'gpt-4o-mini', 'gpt-4o')
    expect(row).toMatchObject({
      model: 'gpt-4o',
      tokensInput: 2000,
      tokensOutput: 200,
      costNanoUsd: 1000 * 150 + 100 * 600 + 1000 * 2500 + 100 * 10_000,
      requestId: 'req_1.batch',
      final: false,
      // A call belongs to the moment in which it came in.
      createdAt: OWNER.createdAt,
      latencyMs: 2 * 3_600_000,
    })
  })

  it('gives the same batch the same row, and no other', async () => {
    const first = await book('openai', 'gpt-4o')
    expect((await book('openai', 'gpt-4o-mini')).id).toBe(first.id)
    expect(first.id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  })
})
