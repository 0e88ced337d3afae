import { nanoToUsd } from '../core/money.ts'
import type {
  Billed,
  Booked,
  Charge,
  Month,
  MonthState,
  Names,
  StatementStore,
  StoredStatement,
  Sums,
  Watermark,
} from '../ledger/statements/ports.ts'
import type { Database, Queryable } from './database.ts'
import { ensureLedgerPartitions } from './partitions.ts'
import {
  bookQuery,
  chargesQuery,
  fromBookRecords,
  fromChargeRecord,
  toDate,
  toSums,
  totalsQuery,
  watermarkQuery,
} from './statement-query.ts'

/** A month of a large organization takes longer than the half minute that other statements have. */
const STATEMENT_TIMEOUT = `SET LOCAL statement_timeout = '15min'`

/**
 * Statements in SQL. What is about one organization reads through `asOrganization`, so that row-level security stands
 * behind each `WHERE`.
 */
export function createStatementStore(database: Database): StatementStore {
  const readOne = <Result>(organizationId: string, work: (session: Queryable) => Promise<Result>) =>
    database.asOrganization(organizationId, async (session) => {
      await session.query(STATEMENT_TIMEOUT)
      return work(session)
    })

  const findMonth = async (month: Month): Promise<MonthState | undefined> => {
    const { rows } = await database.query<{ frozen_at: Date; complete: boolean }>(
      'SELECT frozen_at, complete FROM statement_months WHERE month = $1::date',
      [toDate(month)],
    )
    return rows[0] === undefined ? undefined : { frozenAt: rows[0].frozen_at, complete: rows[0].complete }
  }

  return {
    findMonth,

    async freeze(month: Month, at: Date): Promise<MonthState> {
      const before = await findMonth(month)
      if (before !== undefined) return before
      await ensureLedgerPartitions(database, month.start)
      await database.transaction((transaction) =>
        transaction.query('SELECT gatehouse_freeze_month($1::date, $2::timestamptz)', [
          toDate(month),
          at.toISOString(),
        ]),
      )
      // Another replica may have been first, with its own time.
      const state = await findMonth(month)
      if (state === undefined) throw new Error('The month was not frozen.')
      return state
    },

    async complete(month: Month): Promise<void> {
      await database.query('UPDATE statement_months SET complete = true WHERE month = $1::date', [
        toDate(month),
      ])
    },

    async listBilled(month: Month, after: string | undefined, limit: number): Promise<Billed[]> {
      // The ledger is asked for one organization after the other, each a step in its index.
      const next = (beyond: string) =>
        `SELECT organization_id FROM ledger WHERE created_at >= $2::timestamptz AND created_at < $3::timestamptz
         AND organization_id > ${beyond} ORDER BY organization_id LIMIT 1`
      const { rows } = await database.query<Billed>(
        `WITH RECURSIVE used AS (
           (${next('$4::text')})
           UNION ALL SELECT (${next('used.organization_id')}) FROM used WHERE used.organization_id IS NOT NULL
         )
         SELECT id, coalesce(name, id) AS name FROM (
           SELECT id FROM organizations
             WHERE created_at < $3::timestamptz AND (deleted_at IS NULL OR deleted_at >= $2::timestamptz)
           UNION SELECT * FROM (SELECT organization_id FROM used WHERE organization_id IS NOT NULL LIMIT $5::int) AS first_used
           UNION SELECT organization_id FROM ledger_adjustments WHERE booked_month = $1::date
         ) AS billed LEFT JOIN organizations USING (id)
         WHERE id > $4::text ORDER BY id LIMIT $5::int`,
        [toDate(month), month.start.toISOString(), month.end.toISOString(), after ?? '', limit],
      )
      return rows
    },

    async findBilled(organizationId: string): Promise<Billed | undefined> {
      // A deleted one has its statements still.
      const { rows } = await database.query<Billed>('SELECT id, name FROM organizations WHERE id = $1', [
        organizationId,
      ])
      return rows[0]
    },

    async book(organizationId: string, month: Month, linesMax: number): Promise<Booked> {
      const { sql, parameters } = bookQuery(organizationId, month, linesMax)
      const { rows } = await readOne(organizationId, (session) => session.query(sql, parameters))
      return fromBookRecords(rows)
    },

    async totals(month: Month): Promise<Sums> {
      const { sql, parameters } = totalsQuery(month)
      const { rows } = await database.transaction(async (transaction) => {
        await transaction.query(STATEMENT_TIMEOUT)
        return transaction.query(sql, parameters)
      })
      return toSums(rows[0] ?? {})
    },

    async names(
      organizationId: string,
      teamIds: readonly string[],
      keyIds: readonly string[],
    ): Promise<Names> {
      return readOne(organizationId, async (session) => {
        const named = async (table: 'teams' | 'api_keys', ids: readonly string[]) => {
          const { rows } = await session.query<Billed>(
            `SELECT id, name FROM ${table} WHERE organization_id = $1 AND id = ANY($2::text[])`,
            [organizationId, ids],
          )
          return new Map(rows.map(({ id, name }) => [id, name]))
        }
        return { team: await named('teams', teamIds), key: await named('api_keys', keyIds) }
      })
    },

    async watermark(organizationId: string, month: Month): Promise<Watermark> {
      const { sql, parameters } = watermarkQuery(organizationId, month)
      const { rows } = await readOne(organizationId, (session) => session.query(sql, parameters))
      const { rows: count, newest_at, newest_id, digest } = rows[0] ?? {}
      return {
        rows: Number(count ?? 0),
        newestRowAt: (newest_at as Date | null)?.toISOString() ?? null,
        newestRowId: (newest_id as string | null) ?? null,
        digest: String(digest),
      }
    },

    async charges(organizationId, month, day, offset, limit): Promise<Charge[]> {
      const { sql, parameters } = chargesQuery(organizationId, month, day, offset, limit)
      const { rows } = await readOne(organizationId, (session) => session.query(sql, parameters))
      return rows.map((row) => fromChargeRecord(row, day, nanoToUsd))
    },

    async keepCharges(organizationId, month, day, part, text): Promise<void> {
      await database.query(
        `INSERT INTO statement_charges (month, organization_id, day, part, charges)
         VALUES ($1::date, $2, $3::date, $4, $5) ON CONFLICT DO NOTHING`,
        [toDate(month), organizationId, day, part, text],
      )
    },

    async findCharges(organizationId, month, day, part): Promise<string | undefined> {
      const { rows } = await readOne(organizationId, (session) =>
        session.query<{ charges: string }>(
          `SELECT charges FROM statement_charges
           WHERE month = $1::date AND organization_id = $2 AND day = $3::date AND part = $4`,
          [toDate(month), organizationId, day, part],
        ),
      )
      return rows[0]?.charges
    },

    async keep(month: Month, { organizationId, document, checksum }: StoredStatement, totals: Sums) {
      await database.query(
        `INSERT INTO statements (month, organization_id, document, checksum, requests, tokens_input, tokens_output,
           tokens_cached, cost_nano_usd, estimated, estimated_nano_usd, adjustment_nano_usd)
         VALUES ($1::date, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`,
        [
          toDate(month),
          organizationId,
          document,
          checksum,
          totals.requests,
          totals.tokensInput,
          totals.tokensOutput,
          totals.tokensCached,
          totals.costNanoUsd.toString(),
          totals.estimated,
          totals.estimatedNanoUsd.toString(),
          totals.adjustmentNanoUsd.toString(),
        ],
      )
    },

    async findStatement(month: Month, organizationId: string): Promise<StoredStatement | undefined> {
      const { rows } = await readOne(organizationId, (session) =>
        session.query<StoredStatement>(
          `SELECT ${STORED} FROM statements WHERE month = $1::date AND organization_id = $2`,
          [toDate(month), organizationId],
        ),
      )
      return rows[0]
    },

    async listStatements(month: Month, after: string | undefined, limit: number): Promise<StoredStatement[]> {
      const { rows } = await database.query<StoredStatement>(
        `SELECT ${STORED} FROM statements WHERE month = $1::date AND organization_id > $2::text
         ORDER BY organization_id LIMIT $3::int`,
        [toDate(month), after ?? '', limit],
      )
      return rows
    },

    async keptTotals(month: Month): Promise<{ statements: number; totals: Sums }> {
      const { rows } = await database.query(
        `SELECT count(*)::int AS statements, ${KEPT_SUMS} FROM statements WHERE month = $1::date`,
        [toDate(month)],
      )
      const row = rows[0] ?? {}
      return { statements: Number(row.statements), totals: toSums(row) }
    },
  }
}

const STORED = 'organization_id AS "organizationId", document, checksum'
const KEPT_SUMS = [
  'requests',
  'tokens_input',
  'tokens_output',
  'tokens_cached',
  'cost_nano_usd',
  'estimated',
  'estimated_nano_usd',
  'adjustment_nano_usd',
]
  .map((name) => `coalesce(sum(${name}), 0)::bigint AS ${name}`)
  .join(', ')
