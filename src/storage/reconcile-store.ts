import type { LedgerRow } from '../ledger/ports.ts'
import type { ReconcileStore } from '../limits/reconcile/ports.ts'
import type { Database, Queryable } from './database.ts'
import { LEDGER_COLUMNS } from './ledger-columns.ts'
import { fromDifferenceRecord, SPEND_DIFFERENCES, toDifferenceStatement } from './reconcile-query.ts'
import { ADD_DAILY, ADD_HOURLY, toRollupParameters } from './rollup-statement.ts'
import { toRollups } from './usage-rollup.ts'

/** Of all replicas on one database. Any number will do that nothing else here uses. */
const RECONCILING = 4728116905
/** A month of a large organization takes longer than the half minute that other statements have. */
const STATEMENT_TIMEOUT = `SET LOCAL statement_timeout = '15min'`
/** Writers wait in line behind whoever waits for the lock, so that it is not waited for long. */
const LOCK_TIMEOUT = `SET LOCAL lock_timeout = '5s'`
const DAY_MS = 86_400_000
/** As long as writers wait: some seconds. */
const REWRITTEN_ROWS_MAX = 200_000
const ROWS_AT_ONCE = 5000

/** What the roll-ups are made of; a waterfall can be as large as all the rest. */
const ROLLED_UP = LEDGER_COLUMNS.filter(({ field }) => field !== 'waterfall' && field !== 'tags')
const COLUMNS = ROLLED_UP.map(({ name }) => name).join(', ')

/** The books as a reconciliation reads and mends them, in SQL. */
export function createReconcileStore(database: Database): ReconcileStore {
  return {
    async organizations(after, limit) {
      const { rows } = await database.query<{ id: string }>(
        'SELECT id FROM organizations WHERE deleted_at IS NULL AND id > $1::text ORDER BY id LIMIT $2::int',
        [after ?? '', limit],
      )
      return rows.map(({ id }) => id)
    },

    async active(sinceMs, limit) {
      const { rows } = await database.query<{ organization_id: string }>(
        `SELECT organization_id FROM usage_hourly
         WHERE period_start >= date_trunc('hour', $1::timestamptz, 'UTC')
         GROUP BY organization_id ORDER BY sum(cost_nano_usd) DESC, organization_id LIMIT $2::int`,
        [new Date(sinceMs).toISOString(), limit],
      )
      return rows.map(({ organization_id }) => organization_id)
    },

    async rollupDifferences({ organizationId, fromMs, toMs }, limit) {
      const { sql, parameters } = toDifferenceStatement(organizationId, fromMs, toMs, limit)
      const { rows } = await database.transaction(async (transaction) => {
        await transaction.query(STATEMENT_TIMEOUT)
        return transaction.query(sql, parameters)
      })
      return rows.map(fromDifferenceRecord)
    },

    rewriteRollups: (organizationId, dayMs) =>
      database.transaction((transaction) => rewrite(transaction, organizationId, dayMs)),

    async spendDifferences(organizationId) {
      const { rows } = await database.transaction(async (transaction) => {
        await transaction.query(STATEMENT_TIMEOUT)
        return transaction.query<{ period_start: Date; spend: unknown; ledger: unknown }>(SPEND_DIFFERENCES, [
          organizationId,
        ])
      })
      return rows.map((row) => ({
        organizationId,
        periodStartMs: row.period_start.getTime(),
        spendNanoUsd: Number(row.spend),
        ledgerNanoUsd: Number(row.ledger),
      }))
    },

    async exclusively<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
      // One process has the embedded database, and one connection; a session would keep it from its own work.
      if (database.kind === 'embedded') return work()
      return database.session(async (session) => {
        const { rows } = await session.query<{ taken: boolean }>('SELECT pg_try_advisory_lock($1) AS taken', [
          RECONCILING,
        ])
        if (rows[0]?.taken !== true) return undefined
        try {
          return await work()
        } finally {
          // Where this fails the connection is gone, and the lock with it.
          await session.query('SELECT pg_advisory_unlock($1)', [RECONCILING]).catch(() => undefined)
        }
      })
    },
  }
}

async function rewrite(transaction: Queryable, organizationId: string, dayMs: number): Promise<boolean> {
  const day = [organizationId, new Date(dayMs).toISOString(), new Date(dayMs + DAY_MS).toISOString()] as const
  await transaction.query(STATEMENT_TIMEOUT)
  await transaction.query(LOCK_TIMEOUT)
  // In the order in which rows are written. Whoever has written rows and not yet their sums holds no lock that is
  // needed here, and adds to the new sums once this is over; its rows are not seen, for they are not committed.
  await transaction.query('LOCK TABLE usage_hourly IN SHARE ROW EXCLUSIVE MODE')
  await transaction.query('LOCK TABLE usage_daily IN SHARE ROW EXCLUSIVE MODE')
  const { rows: counted } = await transaction.query<{ rows: unknown }>(
    `SELECT count(*) AS rows FROM ledger
     WHERE organization_id = $1 AND created_at >= $2::timestamptz AND created_at < $3::timestamptz`,
    day,
  )
  if (Number(counted[0]?.rows ?? 0) > REWRITTEN_ROWS_MAX) return false
  for (const table of ['usage_hourly', 'usage_daily']) {
    await transaction.query(
      `DELETE FROM ${table}
       WHERE organization_id = $1 AND period_start >= $2::timestamptz AND period_start < $3::timestamptz`,
      day,
    )
  }
  for (let after: readonly [string, string] = [new Date(dayMs).toISOString(), '']; ; ) {
    const { rows } = await transaction.query(
      `SELECT ${COLUMNS} FROM ledger
       WHERE organization_id = $1 AND created_at >= $2::timestamptz AND created_at < $3::timestamptz
       AND (created_at, id) > ($4::timestamptz, $5::text) ORDER BY created_at, id LIMIT ${ROWS_AT_ONCE}`,
      [...day, ...after],
    )
    const page = rows.map(fromRecord)
    const { hourly, daily } = toRollups(page)
    if (page.length > 0) {
      await transaction.query(ADD_HOURLY, toRollupParameters(hourly))
      await transaction.query(ADD_DAILY, toRollupParameters(daily))
    }
    const newest = page.at(-1)
    if (newest === undefined || page.length < ROWS_AT_ONCE) return true
    after = [newest.createdAt.toISOString(), newest.id]
  }
}

function fromRecord(record: Readonly<Record<string, unknown>>): LedgerRow {
  const row = Object.fromEntries(ROLLED_UP.map(({ name, field }) => [field, record[name] ?? null]))
  return { ...row, tags: {}, waterfall: null } as unknown as LedgerRow
}
