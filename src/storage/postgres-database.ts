import pg from 'pg'
import type { Database } from './database.ts'
import { checkHealth } from './health.ts'
import { createOrganizationScope } from './organization-scope.ts'
import { createPostgresListener } from './postgres-listener.ts'
import { createSqlPool } from './sql-pool.ts'
import { toStorageError } from './storage-error.ts'
import type { StorageLogger } from './storage-logger.ts'
import { createTypeParsers } from './type-parsers.ts'

/** Per replica. PostgreSQL allows 100 by default, so several replicas and their operators fit. */
const CONNECTIONS_MAX = 10
const CONNECT_MS_MAX = 5000
/** No statement of ours needs longer; migrations lift it for themselves. */
const STATEMENT_MS_MAX = 30_000
/** A client that died in a transaction must not hold its locks for ever. */
const IDLE_IN_TRANSACTION_MS_MAX = 60_000

/** Opens a pool on PostgreSQL 15 or later. @throws GatewayError `storage_unavailable` when it does not answer */
export async function openPostgresDatabase(url: string, logger: StorageLogger): Promise<Database> {
  const config: pg.ClientConfig = {
    connectionString: url,
    connectionTimeoutMillis: CONNECT_MS_MAX,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
    types: createTypeParsers(),
  }
  const pool = new pg.Pool({
    ...config,
    application_name: 'gatehouse',
    max: CONNECTIONS_MAX,
    idleTimeoutMillis: 30_000,
    // Settings, and not options of the connection, because PgBouncer refuses those. Days and months of the books
    // are those of UTC, wherever the server stands.
    onConnect: async (client) => {
      await client.query(
        `SET TIME ZONE 'UTC'; SET statement_timeout = ${STATEMENT_MS_MAX};` +
          `SET idle_in_transaction_session_timeout = ${IDLE_IN_TRANSACTION_MS_MAX}`,
      )
    },
  })
  // An idle connection that the server ends is no error to anybody: the next caller gets a new one.
  pool.on('error', (error) => logger.warn({ error: error.message }, 'A connection to PostgreSQL was lost.'))
  const listener = createPostgresListener({ ...config, application_name: 'gatehouse-notifications' }, logger)
  const sql = createSqlPool(pool, { keepPlans: false })
  const kysely = sql.createKysely()
  let closed: Promise<void> | undefined
  const close = () => {
    closed ??= (async () => {
      await listener.close()
      await kysely.destroy()
      await pool.end()
    })()
    return closed
  }

  try {
    await sql.query('SELECT 1')
  } catch (error) {
    await close()
    throw toStorageError(error)
  }
  return {
    kind: 'postgres',
    kysely,
    query: sql.query,
    transaction: sql.transaction,
    asOrganization: createOrganizationScope(sql.transaction),
    session: sql.session,
    bulkWrite: sql.bulkWrite,
    listen: (channel, handler, onReconnect, onLost) =>
      listener.listen(channel, { handler, onReconnect, onLost }),
    async notify(channel, payload) {
      await sql.query('SELECT pg_notify($1, $2)', [channel, payload])
    },
    health: (signal) => checkHealth(sql, signal),
    close,
  }
}
