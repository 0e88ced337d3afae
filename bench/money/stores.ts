import { Redis } from 'ioredis'
import { createSimulator } from '../../src/simulator/server.ts'
import type { Database } from '../../src/storage/database.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { launchRedis, type RedisServer } from '../../src/storage/redis-server-fixture.ts'
import { preparePostgres, withDatabase } from '../../test/support/postgres-template.ts'
import { type CutProxy, openCutProxy } from './cut-proxy.ts'

/** A provider, a PostgreSQL and a Redis of the benchmark's own. */
export interface Stores {
  readonly simulatorUrl: string
  /** Through a connection that can be cut. */
  readonly databaseUrl: string
  readonly way: CutProxy
  readonly database: Database
  readonly server: RedisServer
  readonly redis: Redis
}

/**
 * @param closers takes what ends each thing that was started
 * @returns `undefined` where PostgreSQL or Redis is not installed
 */
export async function startStores(closers: (() => unknown)[]): Promise<Stores | undefined> {
  const simulator = createSimulator()
  const { url: simulatorUrl } = await simulator.listen()
  closers.push(() => simulator.close())
  const postgres = await preparePostgres()
  if (postgres === undefined) return undefined
  closers.push(postgres.stop)
  const server = await launchRedis()
  if (server === undefined) return undefined
  closers.push(server.remove)
  const redis = new Redis(server.url, { retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  closers.push(() => redis.disconnect())
  const direct = withDatabase(postgres.adminUrl, postgres.template)
  const database = await openDatabase({ url: direct })
  closers.push(() => database.close())
  const way = await openCutProxy(Number(new URL(direct).port))
  closers.push(way.close)
  const through = new URL(direct)
  through.port = String(way.port)
  return { simulatorUrl, databaseUrl: through.href, way, database, server, redis }
}
