import { setTimeout as wait } from 'node:timers/promises'
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely'
import type pg from 'pg'
import { GatewayError } from '../core/errors.ts'
import { sendBulkWrite } from './bulk-write.ts'
import type { BulkWrite, Queryable, QueryResult, Statement } from './database.ts'
import type { Schema } from './schema.ts'
import { isTransactionConflict, toStorageError } from './storage-error.ts'

/** More callers than this in the queue for a connection, and the next is refused: memory stays bounded. */
const WAITING_MAX = 2000
const ATTEMPTS_MAX = 4
const FIRST_PAUSE_MS = 5

/** One connection that its holder gives back. */
interface SqlSession extends Queryable {
  bulkWrite(write: BulkWrite): Promise<void>
  /** @param broken closes the connection: its state is not known */
  release(broken?: boolean): void
}

/** A pool of `pg` whose errors are ours: `storage_unavailable` also when no connection is free in time. */
export interface SqlPool extends Queryable {
  /** Runs `work` again, some times, where another transaction stood in its way. It must only write to the session. */
  transaction<Result>(work: (session: Queryable) => Promise<Result>): Promise<Result>
  /** Keeps one connection for `work`, without a transaction. */
  session<Result>(work: (session: Queryable) => Promise<Result>): Promise<Result>
  /** @throws the database's own error where a row is there already; then nothing was written */
  bulkWrite(write: BulkWrite): Promise<void>
  createKysely(): Kysely<Schema>
}

export interface SqlPoolOptions {
  /** Whether a `Statement` is planned once per connection; not behind a proxy that shares connections out. */
  readonly keepPlans: boolean
}

export function createSqlPool(pool: pg.Pool, { keepPlans }: SqlPoolOptions): SqlPool {
  // A connection that breaks while a caller holds it says so twice: to the caller's query, and as an event that ends
  // the process where nobody listens. The pool itself listens to idle connections only.
  pool.on('connect', (client) => client.on('error', () => {}))
  const connect = async (): Promise<pg.PoolClient> => {
    if (pool.waitingCount >= WAITING_MAX) {
      throw new GatewayError('storage_unavailable', {
        message: 'The database is overloaded.',
        detail: { waiting: pool.waitingCount },
        retryAfterSeconds: 1,
      })
    }
    try {
      return await pool.connect()
    } catch (error) {
      throw toStorageError(error)
    }
  }
  const acquire = async (): Promise<SqlSession> => {
    const client = await connect()
    return {
      query: (sql, parameters) =>
        run(client, keepPlans || typeof sql === 'string' ? sql : sql.text, parameters),
      bulkWrite: (write) => sendBulkWrite(client, write),
      release: (broken) => client.release(broken),
    }
  }

  const withSession = async <Result>(work: (session: SqlSession) => Promise<Result>): Promise<Result> => {
    const session = await acquire()
    let broken = false
    try {
      return await work(session)
    } catch (error) {
      // Whatever made the database unavailable may have left the connection in the middle of something.
      broken = error instanceof GatewayError && error.code === 'storage_unavailable'
      throw error
    } finally {
      session.release(broken)
    }
  }

  return {
    session: withSession,
    bulkWrite: (write) => withSession((session) => session.bulkWrite(write)),
    query: (sql, parameters) => withSession((session) => session.query(sql, parameters)),
    async transaction<Result>(work: (session: Queryable) => Promise<Result>): Promise<Result> {
      for (let attempt = 1; ; attempt++) {
        try {
          return await runTransaction(await acquire(), work)
        } catch (error) {
          if (attempt >= ATTEMPTS_MAX || !isTransactionConflict(error)) throw error
        }
        await wait(FIRST_PAUSE_MS * 2 ** attempt)
      }
    },
    createKysely: () =>
      new Kysely<Schema>({ dialect: new PostgresDialect({ pool: createKyselyPool(pool, connect) }) }),
  }
}

async function runTransaction<Result>(
  session: SqlSession,
  work: (session: Queryable) => Promise<Result>,
): Promise<Result> {
  let broken = false
  try {
    await session.query('BEGIN')
    try {
      const result = await work(session)
      await session.query('COMMIT')
      return result
    } catch (error) {
      await session.query('ROLLBACK').catch(() => {
        broken = true
      })
      throw error
    }
  } finally {
    session.release(broken)
  }
}

async function run<Row>(
  client: pg.PoolClient,
  sql: string | Statement,
  parameters: readonly unknown[] = [],
): Promise<QueryResult<Row>> {
  try {
    const values = parameters as unknown[]
    // Without parameters the simple protocol is used, which also takes several statements at once.
    const result =
      typeof sql === 'string'
        ? values.length === 0
          ? await client.query(sql)
          : await client.query(sql, values)
        : await client.query({ name: sql.name, text: sql.text, values })
    // PostgreSQL answers COMMIT with ROLLBACK where a statement had failed and somebody swallowed its error.
    if (sql === 'COMMIT' && result.command === 'ROLLBACK') {
      throw new Error('The transaction could not be committed: one of its statements had failed.')
    }
    return { rows: (result.rows ?? []) as Row[], count: result.rowCount ?? 0 }
  } catch (error) {
    throw toStorageError(error)
  }
}

/** Kysely sees the same pool with the same errors; whoever made the pool ends it. */
function createKyselyPool(pool: pg.Pool, connect: () => Promise<pg.PoolClient>): PostgresPool {
  // Kysely remembers connections by identity, so each client keeps one wrapper for life.
  const wrappers = new WeakMap<pg.PoolClient, PostgresPoolClient>()
  return {
    options: pool.options,
    end: async () => {},
    async connect() {
      const client = await connect()
      let wrapper = wrappers.get(client)
      if (wrapper === undefined) {
        wrapper = {
          query: async (sql: unknown, parameters?: readonly unknown[]) => {
            try {
              return await client.query(sql as string, parameters as unknown[])
            } catch (error) {
              throw toStorageError(error)
            }
          },
          release: (destroy?: boolean) => client.release(destroy),
        } as unknown as PostgresPoolClient
        wrappers.set(client, wrapper)
      }
      return wrapper
    },
  }
}
