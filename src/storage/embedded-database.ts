import { join } from 'node:path'
import pg from 'pg'
import { type DataDirectoryLock, lockDataDirectory } from './data-directory-lock.ts'
import type { Database } from './database.ts'
import { type CreateWorker, startEmbeddedEngine } from './embedded-engine.ts'
import { checkHealth } from './health.ts'
import { createOrganizationScope } from './organization-scope.ts'
import { createSqlPool } from './sql-pool.ts'
import type { StorageLogger } from './storage-logger.ts'
import { createSubscriptions, quoteChannel } from './subscriptions.ts'
import { createTypeParsers } from './type-parsers.ts'

/** A caller waits this long for the one connection; a report over much data may hold it for seconds. */
const WAIT_MS_MAX = 30_000

/** Opens PGlite: PostgreSQL as WebAssembly, in a thread of its own, behind the same driver as the real one. */
export async function openEmbeddedDatabase(
  dataDir: string | undefined,
  logger: StorageLogger,
  createWorker?: CreateWorker,
): Promise<Database> {
  const lock: DataDirectoryLock | undefined =
    dataDir === undefined ? undefined : await lockDataDirectory(join(dataDir, 'database.lock'))
  const engine = startEmbeddedEngine(
    { directory: dataDir === undefined ? undefined : join(dataDir, 'database') },
    logger,
    createWorker,
  )
  try {
    await engine.ready()
  } catch (error) {
    lock?.release()
    throw error
  }

  const subscriptions = createSubscriptions()
  const pool = new pg.Pool({
    // One connection is all that PGlite has. The pool hands it out first come, first served.
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: WAIT_MS_MAX,
    stream: () => engine.createSocket(),
    types: createTypeParsers(),
    onConnect: async (client) => {
      client.on('end', () => subscriptions.lost())
      client.on('notification', ({ channel, payload }) => subscriptions.dispatch(channel, payload ?? ''))
      for (const channel of subscriptions.channels()) await client.query(`LISTEN ${quoteChannel(channel)}`)
      subscriptions.reconnected()
    },
  })
  // An idle connection that fails is replaced by the next caller's.
  pool.on('error', (error) =>
    logger.warn({ error: error.message }, 'The connection to the embedded database was lost.'),
  )
  const sql = createSqlPool(pool, { keepPlans: true })
  const kysely = sql.createKysely()
  let closed: Promise<void> | undefined

  return {
    kind: 'embedded',
    kysely,
    query: sql.query,
    transaction: sql.transaction,
    asOrganization: createOrganizationScope(sql.transaction),
    session: sql.session,
    bulkWrite: sql.bulkWrite,
    async listen(channel, handler, onReconnect, onLost) {
      const { first, stop } = subscriptions.add(channel, { handler, onReconnect, onLost })
      if (first) await sql.query(`LISTEN ${quoteChannel(channel)}`)
      return async () => {
        // A database that is closed or away listens to nothing any more.
        if (stop()) await sql.query(`UNLISTEN ${quoteChannel(channel)}`).catch(() => {})
      }
    },
    async notify(channel, payload) {
      await sql.query('SELECT pg_notify($1, $2)', [channel, payload])
    },
    health: (signal) => checkHealth(sql, signal),
    close() {
      closed ??= (async () => {
        await kysely.destroy()
        await pool.end()
        await engine.close()
        lock?.release()
      })()
      return closed
    },
  }
}
