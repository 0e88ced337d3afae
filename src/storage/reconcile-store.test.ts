import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createDatabase, createDataDirectory, NO_POSTGRES } from '../../test/support/services.ts'
import type { LedgerRow } from '../ledger/ports.ts'
import type { ReconcileStore } from '../limits/reconcile/ports.ts'
import type { Database } from './database.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { openDatabase } from './open-database.ts'
import { createReconcileStore } from './reconcile-store.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR
const TODAY = Date.UTC(2026, 1, 10)

interface Opened {
  readonly database: Database
  remove(): Promise<void>
}

function describeReconciliation(name: string, open: () => Promise<Opened>): void {
  describe(`createReconcileStore() on ${name}`, () => {
    let opened: Opened | undefined
    const database = () => {
      if (opened === undefined) throw new Error('The database is not open.')
      return opened.database
    }
    const store = (): ReconcileStore => createReconcileStore(database())
    const range = (organizationId?: string) => ({
      organizationId,
      fromMs: TODAY - DAY,
      toMs: TODAY + 2 * DAY,
    })

    beforeAll(async () => {
      opened = await open()
    }, 60_000)
    afterAll(async () => {
      await opened?.database.close()
      await opened?.remove()
    })

    /** Calls of two days, in several hours and groups, with all that roll-ups count. */
    async function addCalls(organizationId: string, count = 24): Promise<void> {
      const rows: LedgerRow[] = Array.from({ length: count }, (_, index) =>
        ledgerRow({
          id: `${organizationId}-${index}`,
          organizationId,
          keyId: index % 3 === 0 ? null : `key-${index % 2}`,
          teamId: index % 4 === 0 ? '' : null,
          model: index % 5 === 0 ? null : 'gpt-4o',
          task: index % 2 === 0 ? 'code' : null,
          final: index % 7 !== 0,
          status: index % 6 === 0 ? 503 : 200,
          estimated: index % 8 === 0,
          cache: index % 9 === 0 ? 'exact' : 'miss',
          tokensCached: index,
          tokensOutput: index % 10 === 0 ? null : index,
          costNanoUsd: 1000 + index,
          latencyMs: index * 100,
          createdAt: new Date(TODAY - DAY + index * 2 * HOUR + index),
        }),
      )
      await createLedgerStore(database()).write(rows)
    }

    async function rollups(organizationId: string): Promise<unknown[]> {
      const { rows } = await database().query(
        `SELECT 'hour' AS rollup, * FROM usage_hourly WHERE organization_id = $1
         UNION ALL SELECT 'day', * FROM usage_daily WHERE organization_id = $1 ORDER BY 1, 2, 3`,
        [organizationId],
      )
      return rows
    }

    it('rollupDifferences() finds nothing in what was written together', async () => {
      await addCalls('agrees')
      expect(await store().rollupDifferences(range('agrees'), 100)).toEqual([])
      expect(await store().rollupDifferences(range(), 100)).toEqual([])
    })

    it.each([
      ['a sum', `UPDATE usage_hourly SET cost_nano_usd = cost_nano_usd + 5`, ['usage_hourly']],
      ['a count', `UPDATE usage_daily SET requests = requests + 1, errors = errors + 1`, ['usage_daily']],
      ['a lost group', `DELETE FROM usage_hourly`, ['usage_hourly']],
      [
        'a group that no row is in',
        `INSERT INTO usage_daily SELECT period_start, gen_random_uuid(), organization_id, 'nobody', key_id, provider,
         model, operation, task, requests, errors, cache_hits, estimated, tokens_input, tokens_output, tokens_cached,
         cost_nano_usd, latency_ms_sum, latency_histogram FROM usage_daily`,
        ['usage_daily'],
      ],
      ['a row that went', `DELETE FROM ledger`, ['usage_daily', 'usage_hourly']],
    ])('rollupDifferences() finds %s, and rewriteRollups() makes both anew', async (what, change, found) => {
      const id = what.replaceAll(' ', '-')
      await addCalls(id)
      await addCalls(`${id}-beside`)
      const before = await rollups(id)
      const beside = await rollups(`${id}-beside`)
      const moment = change.includes('ledger') ? 'created_at' : 'period_start'
      await database().query(
        `${change} WHERE organization_id = $1 AND ${moment} >= $2::timestamptz AND ${moment} < $3::timestamptz`,
        [id, new Date(TODAY).toISOString(), new Date(TODAY + DAY).toISOString()],
      )
      const differences = await store().rollupDifferences(range(), 100)
      expect(differences.map(({ organizationId, dayMs, rollup }) => [organizationId, dayMs, rollup])).toEqual(
        found.map((rollup) => [id, TODAY, rollup]),
      )
      expect(await store().rollupDifferences(range(id), 100)).toEqual(differences)
      expect(await store().rollupDifferences({ fromMs: TODAY - DAY, toMs: TODAY }, 100)).toEqual([])
      expect(await store().rewriteRollups(id, TODAY)).toBe(true)
      expect(await store().rollupDifferences(range(), 100)).toEqual([])
      if (!change.includes('ledger')) expect(await rollups(id)).toEqual(before)
      expect(await rollups(`${id}-beside`)).toEqual(beside)
    })

    it('rollupDifferences() says what the differing sums come to', async () => {
      await createLedgerStore(database()).write([
        ledgerRow({ id: 'figures', organizationId: 'figures', costNanoUsd: 70, createdAt: new Date(TODAY) }),
      ])
      await database().query(`UPDATE usage_daily SET cost_nano_usd = 60 WHERE organization_id = 'figures'`)
      expect(await store().rollupDifferences(range('figures'), 100)).toEqual([
        {
          organizationId: 'figures',
          dayMs: TODAY,
          rollup: 'usage_daily',
          sums: 1,
          ledgerNanoUsd: 70,
          rollupNanoUsd: 60,
        },
      ])
      await store().rewriteRollups('figures', TODAY)
    })

    it('rewriteRollups() misses no row and counts none twice while others write', async () => {
      await createLedgerStore(database()).write([
        ledgerRow({ id: 'busy', organizationId: 'busy', createdAt: new Date(TODAY) }),
      ])
      const ledger = createLedgerStore(database(), { write: 'insert' })
      const writes = Array.from({ length: 20 }, (_, index) =>
        ledger.write([
          ledgerRow({ id: `busy-${index}`, organizationId: 'busy', createdAt: new Date(TODAY) }),
        ]),
      )
      const rewrites = Array.from({ length: 5 }, () => store().rewriteRollups('busy', TODAY))
      await Promise.all([...writes, ...rewrites])
      expect(await store().rollupDifferences(range('busy'), 100)).toEqual([])
      const { rows } = await database().query<{ requests: unknown }>(
        `SELECT requests FROM usage_daily WHERE organization_id = 'busy'`,
      )
      expect(rows.map(({ requests }) => Number(requests))).toEqual([21])
    }, 60_000)

    it('rewriteRollups() reads a day in pages', async () => {
      const rows = Array.from({ length: 12_001 }, (_, index) =>
        ledgerRow({
          id: `pages-${index}`,
          organizationId: 'pages',
          costNanoUsd: 1,
          createdAt: new Date(TODAY + (index % 3)),
        }),
      )
      for (let start = 0; start < rows.length; start += 4000)
        await createLedgerStore(database()).write(rows.slice(start, start + 4000))
      const before = await rollups('pages')
      await database().query(`DELETE FROM usage_hourly WHERE organization_id = 'pages'`)
      expect(await store().rewriteRollups('pages', TODAY)).toBe(true)
      expect(await rollups('pages')).toEqual(before)
    }, 60_000)

    it('organizations() and active() name whom to look at', async () => {
      await database().query(
        `INSERT INTO organizations (id, name, slug, deleted_at) VALUES
         ('o-a', 'A', 'o-a', NULL), ('o-b', 'B', 'o-b', NULL), ('o-c', 'C', 'o-c', NULL), ('o-d', 'D', 'o-d', now())`,
      )
      expect(await store().organizations('o-', 2)).toEqual(['o-a', 'o-b'])
      expect(await store().organizations('o-b', 10)).toEqual(['o-c'])
      expect((await store().organizations(undefined, 1000)).includes('o-a')).toBe(true)
      const later = TODAY + 10 * DAY
      await createLedgerStore(database()).write([
        ledgerRow({ id: 'a-1', organizationId: 'o-a', costNanoUsd: 5, createdAt: new Date(later) }),
        ledgerRow({ id: 'a-2', organizationId: 'o-b', costNanoUsd: 9, createdAt: new Date(later + 1) }),
        ledgerRow({ id: 'a-3', organizationId: 'o-c', costNanoUsd: 99, createdAt: new Date(later - 1) }),
      ])
      expect(await store().active(later + HOUR / 2, 10)).toEqual(['o-b', 'o-a'])
      expect(await store().active(later, 1)).toEqual(['o-b'])
    })

    it('spendDifferences() finds a current_spend_usd that its rows are not', async () => {
      await database().query(`INSERT INTO organizations (id, name, slug) VALUES ('spender', 'S', 'spender')`)
      await database().query(
        `INSERT INTO ai_budgets (organization_id, monthly_limit_usd) VALUES ('spender', 10)`,
      )
      await createLedgerStore(database()).write([
        ledgerRow({ id: 'spender', organizationId: 'spender', costNanoUsd: 70, createdAt: new Date() }),
      ])
      expect(await store().spendDifferences('spender')).toEqual([])
      expect(await store().spendDifferences('nobody')).toEqual([])
      await database().query(`UPDATE usage_hourly SET cost_nano_usd = 60 WHERE organization_id = 'spender'`)
      expect(await store().spendDifferences('spender')).toMatchObject([
        { organizationId: 'spender', spendNanoUsd: 60, ledgerNanoUsd: 70 },
      ])
    })

    it('exclusively() runs the work, and lets go of it where that fails', async () => {
      expect(await store().exclusively(async () => 1)).toBe(1)
      const failing = store().exclusively(() => Promise.reject(new Error('failed')))
      await expect(failing).rejects.toThrow('failed')
      expect(await store().exclusively(async () => 2)).toBe(2)
    })

    it('exclusively() lets one replica at it at a time; the embedded database has one alone', async () => {
      const inside = await store().exclusively(() => store().exclusively(async () => 'both'))
      expect(inside).toBe(database().kind === 'embedded' ? 'both' : undefined)
    })
  })
}

describeReconciliation('PGlite', async () => {
  const data = await createDataDirectory()
  return { database: await openDatabase({ dataDir: data.folder }), remove: async () => data.remove() }
})

const postgres = await createDatabase()
if (postgres === undefined) {
  describe('PostgreSQL', () => {
    it.skip(`createReconcileStore(): ${NO_POSTGRES}`, () => {})
  })
} else {
  describeReconciliation('PostgreSQL', async () => ({
    database: await openDatabase({ url: postgres.url }),
    remove: postgres.drop,
  }))
}
