import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { LedgerRow } from '../ledger/ports.ts'
import type { Amounts, SpentQuery } from '../limits/ports.ts'
import type { Database } from './database.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { openDatabase } from './open-database.ts'
import { createSpentStore } from './spent-store.ts'

const HOUR_MS = 3_600_000
const START = Date.UTC(2026, 1, 10)
const REFUSALS = [
  'requests_per_minute_exceeded',
  'tokens_per_minute_exceeded',
  'tokens_per_hour_exceeded',
  'cost_per_day_exceeded',
  'concurrency_exceeded',
  'budget_exhausted',
]

const anyRow = fc.record({
  final: fc.boolean(),
  requestId: fc.constantFrom('q1', 'q2', 'q3'),
  teamId: fc.constantFrom(null, 't1', 't2'),
  keyId: fc.constantFrom('k1', 'k2'),
  userId: fc.constantFrom(null, 'u1', 'ü"\\2'),
  tags: fc.constantFrom<Record<string, string>>({}, { deal: 'D=1' }, { deal: 'D=1', cycle: '' }),
  errorCode: fc.constantFrom(null, 'upstream_error', ...REFUSALS),
  tokensInput: fc.option(fc.integer({ min: 0, max: 1000 })),
  tokensOutput: fc.option(fc.integer({ min: 0, max: 1000 })),
  costNanoUsd: fc.integer({ min: 0, max: 1_000_000_000_000 }),
  createdAt: anyMoment().map((ms) => new Date(ms)),
})

/** Often on the hour, or a millisecond beside it. */
function anyMoment(): fc.Arbitrary<number> {
  return fc
    .tuple(fc.integer({ min: 0, max: 6 }), fc.constantFrom(0, 1, -1, 1_800_000))
    .map(([hours, offset]) => START + hours * HOUR_MS + offset)
}

const anyQuery = fc.record({
  subject: fc.constantFrom<SpentQuery['subject']>(
    { scope: 'organization', id: '' },
    { scope: 'team', id: 't1' },
    { scope: 'key', id: 'k1' },
    { scope: 'user', id: 'ü"\\2' },
    { scope: 'tag', id: 'deal=D=1' },
    { scope: 'tag', id: 'cycle=' },
  ),
  fromMs: anyMoment(),
  toMs: anyMoment(),
})

function covers({ subject: { scope, id }, fromMs, toMs }: SpentQuery, row: LedgerRow): boolean {
  const at = row.createdAt.getTime()
  if (at < fromMs || at >= toMs) return false
  if (scope === 'team') return row.teamId === id
  if (scope === 'key') return row.keyId === id
  if (scope === 'user') return row.userId === id
  if (scope === 'tag') return row.tags[id.slice(0, id.indexOf('='))] === id.slice(id.indexOf('=') + 1)
  return true
}

function sumOf(rows: readonly LedgerRow[]): Amounts {
  const isUse = ({ final, errorCode }: LedgerRow) =>
    final && (errorCode === null || !REFUSALS.includes(errorCode))
  const sum = (of: (row: LedgerRow) => number) => rows.reduce((total, row) => total + of(row), 0)
  return {
    requests: rows.filter(isUse).length,
    tokens: sum(({ tokensInput, tokensOutput }) => (tokensInput ?? 0) + (tokensOutput ?? 0)),
    costNanoUsd: sum(({ costNanoUsd }) => costNanoUsd),
  }
}

function describeSpent(name: string, open: () => Promise<{ database: Database; remove(): unknown }>) {
  describe(`createSpentStore() on ${name}`, () => {
    let target: { database: Database; remove(): unknown } | undefined
    let runs = 0
    const database = () => {
      if (target === undefined) throw new Error('The database is not open.')
      return target.database
    }
    beforeAll(async () => {
      target = await open()
    }, 60_000)
    afterAll(async () => {
      await target?.database.close()
      await target?.remove()
    })

    it('spent() and settled() are the sums of the rows, wherever they are read', async () => {
      await fc.assert(
        fc.asyncProperty(
          fc.array(anyRow, { minLength: 1, maxLength: 12 }),
          fc.array(anyQuery, { minLength: 1, maxLength: 70 }),
          async (given, queries) => {
            const run = ++runs
            const organizationId = `spent-${run}`
            const rows = given.map((row, index) =>
              ledgerRow({
                ...row,
                id: `${run}-${index}`,
                requestId: `${run}-${row.requestId}`,
                organizationId,
              }),
            )
            await createLedgerStore(database()).write(rows)
            const store = createSpentStore(database())
            expect(await store.spent(organizationId, queries)).toEqual(
              queries.map((query) => sumOf(rows.filter((row) => covers(query, row)))),
            )
            const calls = Map.groupBy(rows, ({ requestId }) => requestId)
            expect(await store.settled([...calls.keys(), 'nobody'])).toEqual(
              new Map([...calls].map(([id, own]) => [id, sumOf(own)])),
            )
          },
        ),
        { numRuns: 40 },
      )
    })

    it('spent() asks nothing where nothing is asked', async () => {
      const store = createSpentStore(database())
      expect(await store.spent('spent-1', [])).toEqual([])
      expect(await store.settled([])).toEqual(new Map())
    })
  })
}

describeSpent('the embedded database', async () => {
  const data = await createDataDirectory()
  return { database: await openDatabase({ dataDir: data.folder }), remove: () => data.remove() }
})

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createSpentStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describeSpent('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
