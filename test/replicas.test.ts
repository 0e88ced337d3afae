import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { parseConfig } from '../src/config/load.ts'
import { systemClock } from '../src/core/clock.ts'
import { createGateway, type Gateway } from '../src/gateway.ts'
import { createServer } from '../src/http/server.ts'
import { KINDS } from '../src/providers/kinds.ts'
import { createSimulator } from '../src/simulator/server.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import { launchRedis } from '../src/storage/redis-server-fixture.ts'
import { openRedisCounters, openSharedJournal } from '../src/storage/redis-stores.ts'
import { SILENT } from '../src/storage/storage-logger.ts'
import { startCommand } from './support/command.ts'
import { createDatabase, NO_POSTGRES, NO_REDIS } from './support/services.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

interface Replica {
  readonly gateway: Gateway
  call(key: string): Promise<number>
  /** As SIGTERM does. */
  drain(): Promise<void>
}

async function startReplica(databaseUrl: string, redisUrl: string, simulatorUrl: string): Promise<Replica> {
  const closers: (() => unknown)[] = []
  let closing: Promise<void> | undefined
  const close = () => {
    closing ??= (async () => {
      for (const closer of closers.splice(0).reverse()) await closer()
    })()
    return closing
  }
  undo.push(close)
  const config = parseConfig(
    {
      server: { host: '127.0.0.1', port: 0 },
      storage: { redis: redisUrl, journal: 'redis' },
      providers: { openai: { kind: 'openai', baseUrl: `${simulatorUrl}/v1`, apiKey: 'test' } },
      limits: { default: { requestsPerMinute: 20 } },
    },
    { knownKinds: [...KINDS.keys()] },
  )
  const database = await openDatabase({ url: databaseUrl })
  closers.push(() => database.close())
  const options = { url: redisUrl, logger: SILENT, clock: systemClock, required: true }
  const journal = await openSharedJournal({ ...options, bytesMax: 2 ** 20 })
  closers.push(() => journal.close())
  const opened = await openRedisCounters({ ...options, commandTimeoutMs: 5000 })
  closers.push(() => opened.close())
  const gateway = await createGateway({ config, database, journal, counters: opened.counters })
  closers.push(() => gateway.close())
  const server = await createServer(gateway)
  closers.push(() => server.drain())
  const url = await server.listen()
  return {
    gateway,
    async call(key) {
      const response = await fetch(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', connection: 'close' },
        body: JSON.stringify({ model: 'openai/gpt-4o', messages: [{ role: 'user', content: 'Hi' }] }),
      })
      await response.arrayBuffer()
      return response.status
    },
    drain: close,
  }
}

async function startRedis() {
  const redis = await launchRedis()
  if (redis !== undefined) undo.push(() => redis.remove())
  return redis
}

async function startDatabase() {
  const database = await createDatabase()
  if (database !== undefined) undo.push(() => database.drop())
  return database
}

describe('two replicas on one PostgreSQL and one Redis', () => {
  it('serve, count together, drain one after the other and lose nothing', async (test) => {
    const database = await startDatabase()
    if (database === undefined) return test.skip(NO_POSTGRES)
    const redis = await startRedis()
    if (redis === undefined) return test.skip(NO_REDIS)
    const simulator = createSimulator()
    const { url: simulatorUrl } = await simulator.listen()
    undo.push(() => simulator.close())
    const start = () => startReplica(database.url, redis.url, simulatorUrl)
    const [one, other] = await Promise.all([start(), start()])
    const { organizations } = one.gateway
    const limited = await organizations.create({ name: 'Limited' })
    const { key } = await organizations.issueKey(limited.id, { name: 'k' })
    const free = await organizations.create({ name: 'Free', isLimited: false })
    const { key: freeKey } = await organizations.issueKey(free.id, { name: 'k' })
    // What one replica makes is known to the other within a second.
    while ((await other.call(freeKey)) === 401);

    const statuses = await Promise.all(
      Array.from({ length: 30 }, (_, index) => (index % 2 === 0 ? one : other).call(key)),
    )
    expect(statuses.filter((status) => status === 200)).toHaveLength(20)
    expect(statuses.filter((status) => status === 429)).toHaveLength(10)

    const late = Array.from({ length: 5 }, () => one.call(freeKey))
    await Promise.all(late)
    await one.drain()
    expect(await other.call(freeKey)).toBe(200)
    await other.drain()

    const books = await openDatabase({ url: database.url })
    undo.push(() => books.close())
    const { rows } = await books.query<{ organization_id: string; status: number; calls: number }>(
      'SELECT organization_id, status, count(*)::int8 AS calls FROM ledger WHERE final GROUP BY 1, 2 ORDER BY 3 DESC',
    )
    expect(rows.map(({ status, calls }) => [status, calls])).toEqual([
      [200, 20],
      [429, 10],
      [200, 7],
    ])
  }, 60_000)
})

describe('gatehouse serve', () => {
  it('takes the Redis of REDIS_URL, also one that is away, and says so', async (test) => {
    const redis = await startRedis()
    if (redis === undefined) return test.skip(NO_REDIS)
    for (const isAway of [false, true]) {
      if (isAway) await redis.kill()
      const home = mkdtempSync(join(tmpdir(), 'gatehouse-home-'))
      undo.push(() => rmSync(home, { recursive: true, force: true }))
      writeFileSync(join(home, 'gatehouse.yaml'), 'storage: { journal: redis }\n')
      const command = startCommand(['serve', '--port', '0'], { cwd: home, env: { REDIS_URL: redis.url } })
      undo.push(async () => {
        command.process.kill('SIGKILL')
        await command.ended
      })
      await command.waitFor(/Store +embedded, in .*, Redis/)
      const log = command.stdout() + command.stderr()
      expect(log.includes('the start goes on without Redis')).toBe(isAway)
      command.process.kill('SIGTERM')
      expect(await command.ended).toBe(0)
    }
  }, 60_000)
})
