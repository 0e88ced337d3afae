import type { Database, Queryable } from './database.ts'

/** Months ahead of the present one that have a partition: nobody has to be awake at midnight of a month's first. */
const MONTHS_AHEAD = 3
/** Any number that nobody else uses: it names the lock under which replicas take turns. */
const LOCK_KEY = 4_728_116_902

interface Month {
  readonly name: string
  readonly from: string
  readonly to: string
}

/** @returns the month (UTC) of `now`, moved by `offset` */
export function toMonth(now: Date, offset: number): Month {
  const from = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset, 1))
  const to = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() + offset + 1, 1))
  return {
    name: `ledger_${from.toISOString().slice(0, 7).replace('-', '_')}`,
    from: from.toISOString(),
    to: to.toISOString(),
  }
}

/**
 * Makes the ledger's partitions for the month before `now`, the present one and the next three. Rows of such a
 * month that landed in the default partition move over. Does nothing where all are there.
 */
export async function ensureLedgerPartitions(database: Database, now: Date): Promise<void> {
  const months = Array.from({ length: MONTHS_AHEAD + 2 }, (_, index) => toMonth(now, index - 1))
  if ((await missing(database, months)).length === 0) return
  await database.transaction(async (transaction) => {
    await transaction.query('SELECT pg_advisory_xact_lock($1)', [LOCK_KEY])
    for (const month of await missing(transaction, months)) await createPartition(transaction, month)
  })
}

async function missing(database: Queryable, months: readonly Month[]): Promise<Month[]> {
  const { rows } = await database.query<{ name: string }>(
    `SELECT child.relname AS name FROM pg_inherits
     JOIN pg_class AS child ON child.oid = inhrelid
     WHERE inhparent = 'ledger'::regclass`,
  )
  const existing = new Set(rows.map(({ name }) => name))
  return months.filter(({ name }) => !existing.has(name))
}

/** Names and bounds are computed from a date, so they need no quoting. */
async function createPartition(transaction: Queryable, { name, from, to }: Month): Promise<void> {
  await transaction.query(`CREATE TABLE ${name} (LIKE ledger INCLUDING DEFAULTS INCLUDING INDEXES)`)
  // The default partition may hold no row that belongs to the new one. Writers wait until both are done.
  await transaction.query('LOCK TABLE ledger_default IN ACCESS EXCLUSIVE MODE')
  await transaction.query(
    `WITH moved AS (DELETE FROM ledger_default WHERE created_at >= '${from}' AND created_at < '${to}' RETURNING *)
     INSERT INTO ${name} SELECT * FROM moved`,
  )
  await transaction.query(
    `ALTER TABLE ledger ATTACH PARTITION ${name} FOR VALUES FROM ('${from}') TO ('${to}')`,
  )
}
