import type { Page, PageRequest } from '../contract/page.ts'
import type { LedgerRow, LedgerStore, RequestFilter, UsageQuery, UsageRow } from '../ledger/ports.ts'
import { toBinaryRows } from './binary-rows.ts'
import type { Database } from './database.ts'
import { fromLedgerRecord, LEDGER_COLUMN_NAMES, LEDGER_RECORD, toLedgerJson } from './ledger-columns.ts'
import { decodeCursor, toPage, toPageLimit } from './page-cursor.ts'
import { ensureLedgerPartitions } from './partitions.ts'
import { ADD_DAILY, ADD_HOURLY, toRollupParameters } from './rollup-statement.ts'
import { toStorableRow } from './storable-row.ts'
import { sqlState, UNIQUE_VIOLATION } from './storage-error.ts'
import { fromUsageRecord, toUsageStatement } from './usage-query.ts'
import { toRollups } from './usage-rollup.ts'
import { createUserRegister } from './user-register.ts'

const COPY_ROWS = { name: 'copy-ledger', text: `COPY ledger (${LEDGER_COLUMN_NAMES}) FROM STDIN BINARY` }
const INSERT_ROWS = {
  name: 'insert-ledger',
  text:
    `INSERT INTO ledger (${LEDGER_COLUMN_NAMES}) SELECT ${LEDGER_COLUMN_NAMES} ` +
    `FROM json_to_recordset($1::json) AS given(${LEDGER_RECORD}) ` +
    'ON CONFLICT (id, created_at) DO NOTHING RETURNING id',
}

export interface LedgerStoreOptions {
  /**
   * `copy` takes a third of the time in PGlite; PostgreSQL refuses it where row-level security binds our user.
   * Default: `copy` for the embedded database.
   */
  readonly write?: 'copy' | 'insert'
}

/** The ledger in SQL. Roll-ups change in the transaction of their rows, so that the two always agree. */
export function createLedgerStore(database: Database, options: LedgerStoreOptions = {}): LedgerStore {
  const copies = (options.write ?? (database.kind === 'embedded' ? 'copy' : 'insert')) === 'copy'
  const users = createUserRegister()

  /** Everything in one trip, supposing that all rows are new. */
  const copy = async (rows: readonly LedgerRow[]): Promise<void> => {
    const { hourly, daily } = toRollups(rows)
    const then = [
      { statement: ADD_HOURLY, parameters: toRollupParameters(hourly) },
      { statement: ADD_DAILY, parameters: toRollupParameters(daily) },
    ]
    const unknown = users.unknownOf(rows)
    if (unknown.length > 0) then.push(users.toStatement(unknown))
    await database.bulkWrite({ copy: COPY_ROWS, rows: toBinaryRows(rows), then })
    users.remember(unknown)
  }

  /** Works whatever is there already. */
  const insert = async (rows: readonly LedgerRow[]): Promise<void> => {
    const unknown = users.unknownOf(rows)
    await database.transaction(async (transaction) => {
      const inserted = await transaction.query<{ id: string }>(INSERT_ROWS, [toLedgerJson(rows)])
      if (inserted.rows.length === 0) return
      const ids = new Set(inserted.rows.map(({ id }) => id))
      const { hourly, daily } = toRollups(rows.filter(({ id }) => ids.has(id)))
      await transaction.query(ADD_HOURLY, toRollupParameters(hourly))
      await transaction.query(ADD_DAILY, toRollupParameters(daily))
      if (unknown.length === 0) return
      const { statement, parameters } = users.toStatement(unknown)
      await transaction.query(statement, parameters)
    })
    users.remember(unknown)
  }

  return {
    async write(given: readonly LedgerRow[]): Promise<void> {
      // Of two rows of one settlement the first counts, also where both are in one batch.
      const rows = [...new Map(given.toReversed().map((row) => [row.id, row])).values()]
        .toReversed()
        .map(toStorableRow)
      if (rows.length === 0) return
      if (!copies) return insert(rows)
      try {
        await copy(rows)
      } catch (error) {
        if (sqlState(error) !== UNIQUE_VIOLATION) throw error
        // Written before: the journal is drained again after an unclear end. Rare, so it may cost more.
        await insert(rows)
      }
    },

    async usage(query: UsageQuery): Promise<UsageRow[]> {
      const statement = toUsageStatement(query)
      if (statement === undefined) return []
      const { rows } = await database.query(statement.sql, statement.parameters)
      return rows.map((record) => fromUsageRecord(record, query))
    },

    async listRequests(filter: RequestFilter, page: PageRequest): Promise<Page<LedgerRow>> {
      const limit = toPageLimit(page.limit)
      const after = decodeCursor(page.cursor)
      const parameters: unknown[] = []
      const parameter = (value: unknown) => `$${parameters.push(value)}`
      const conditions = ['final']
      for (const [field, column] of FILTER_COLUMNS) {
        const value = filter[field]
        if (value !== undefined) conditions.push(`${column} = ${parameter(value)}`)
      }
      if (filter.from !== undefined) conditions.push(`created_at >= ${parameter(filter.from)}`)
      if (filter.to !== undefined) conditions.push(`created_at < ${parameter(filter.to)}`)
      if (after !== undefined) {
        conditions.push(
          `(created_at, id) < (${parameter(after.at)}::timestamptz, ${parameter(after.id)}::text)`,
        )
      }
      const { rows } = await database.query(
        `SELECT ${LEDGER_COLUMN_NAMES} FROM ledger WHERE ${conditions.join(' AND ')} ` +
          `ORDER BY created_at DESC, id DESC LIMIT ${parameter(limit + 1)}`,
        parameters,
      )
      return toPage(rows.map(fromLedgerRecord), limit, (row) => ({ at: row.createdAt, id: row.id }))
    },

    /** Also by the id of one of its rows. */
    async findRequest(requestId: string): Promise<LedgerRow[]> {
      const { rows } = await database.query(
        `SELECT ${LEDGER_COLUMN_NAMES} FROM ledger
         WHERE request_id = coalesce((SELECT request_id FROM ledger WHERE id = $1 LIMIT 1), $1)
         ORDER BY attempt, created_at, id`,
        [requestId],
      )
      return rows.map(fromLedgerRecord)
    },

    ensurePartitions: (now: Date) => ensureLedgerPartitions(database, now),
  }
}

const FILTER_COLUMNS = [
  ['organizationId', 'organization_id'],
  ['keyId', 'key_id'],
  ['userId', 'user_id'],
  ['sessionId', 'session_id'],
  ['provider', 'provider'],
  ['model', 'model'],
  ['operation', 'operation'],
  ['status', 'status'],
  ['errorCode', 'error_code'],
] as const satisfies readonly (readonly [keyof RequestFilter, string])[]
