import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { systemClock } from '../src/core/clock.ts'
import { type Breakers, openBreakers } from '../src/routing/breakers/breakers.ts'
import type { Fault } from '../src/routing/fault.ts'
import { createBreakerStore } from '../src/storage/breaker-store.ts'
import type { Database } from '../src/storage/database.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import { openRedisBreakers } from '../src/storage/redis-breakers-open.ts'
import { launchRedis } from '../src/storage/redis-server-fixture.ts'
import { SILENT } from '../src/storage/storage-logger.ts'
import { createDatabase, createDataDirectory, NO_REDIS, redisUrl } from './support/services.ts'

const SETTINGS = { failures: 5, windowSeconds: 60, openSeconds: 30, halfOpenCalls: 1 }
/** What other replicas are told, they follow at once, on a machine that is not busy with other tests. */
const TOLD = { timeout: 3000, interval: 10 }
/** What is set by hand has to be in force within 5 s. */
const BY_HAND = { timeout: 5000, interval: 20 }

interface Replica extends Breakers {
  fail(model?: string, count?: number, fault?: Fault): void
  answer(model: string): void
  state(): string
  isOpen(model?: string): boolean
  /** As one that is closed down. */
  end(): Promise<void>
}

const ended: (() => Promise<void>)[] = []

async function openReplica(
  database: Database,
  provider: string,
  redis?: { readonly url: string; readonly namespace: string },
): Promise<Replica> {
  const shared =
    redis === undefined
      ? undefined
      : openRedisBreakers({ ...redis, logger: SILENT, clock: systemClock, id: randomUUID() })
  const breakers = await openBreakers({
    settings: SETTINGS,
    providers: () => [provider],
    clock: systemClock,
    random: () => 0,
    feed: shared?.breakers,
    table: createBreakerStore(database),
    onError: () => undefined,
  })
  const { board } = breakers
  let isEnded = false
  async function end(): Promise<void> {
    if (isEnded) return
    isEnded = true
    await breakers.close()
    shared?.close()
  }
  ended.push(end)
  return {
    board,
    get isShared() {
      return breakers.isShared
    },
    force: breakers.force,
    close: breakers.close,
    end,
    fail(model = 'm', count = 5, fault = 'server') {
      for (let i = 0; i < count; i++) board.note({ provider, model }, fault, { durationMs: 0 })
    },
    answer: (model) => board.note({ provider, model }, undefined, { durationMs: 0 }),
    state: () => board.state(provider).state,
    isOpen: (model = 'm') => board.admit({ provider, model }).open,
  }
}

const postgres = await createDatabase()
const directory = postgres === undefined ? await createDataDirectory() : undefined
let database: Database
beforeAll(async () => {
  database = await openDatabase(
    postgres === undefined ? { dataDir: directory?.folder ?? '' } : { url: postgres.url },
  )
})
afterAll(async () => {
  await database.close()
  await postgres?.drop()
  directory?.remove()
})

let names = 0
let provider = ''
beforeEach(() => {
  provider = `provider-${++names}`
  return async () => {
    for (const end of ended.splice(0)) await end()
  }
})

const status = async () => {
  const { rows } = await database.query<{ state: string; failure_count: number; targets: unknown[] }>(
    'SELECT state, failure_count, targets FROM circuit_breaker_status WHERE provider = $1',
    [provider],
  )
  return rows[0]
}

describe('circuit_breaker_status', () => {
  it('has a row for each provider as soon as the gateway runs, and follows it', async () => {
    const replica = await openReplica(database, provider)
    await expect.poll(status, TOLD).toEqual({ state: 'closed', failure_count: 0, targets: [] })
    replica.answer('good')
    replica.fail('bad', 1)
    replica.answer('good')
    replica.fail('bad', 4)
    await expect.poll(status, BY_HAND).toMatchObject({
      state: 'closed',
      targets: [{ model: 'bad', state: 'open', failures: 5 }],
    })
    replica.fail('good')
    await expect.poll(status, BY_HAND).toMatchObject({ state: 'open', failure_count: 5 })
  })

  it('closes and opens a breaker of every process by an UPDATE', async () => {
    const first = await openReplica(database, provider)
    const second = await openReplica(database, provider)
    first.fail()
    await expect.poll(status, BY_HAND).toMatchObject({ state: 'open' })
    const set = (state: string) =>
      database.query(`UPDATE circuit_breaker_status SET state = $2 WHERE provider = $1`, [provider, state])
    await set('closed')
    await expect.poll(first.state, BY_HAND).toBe('closed')
    await set('open')
    await expect.poll(() => [first.isOpen(), second.isOpen()], BY_HAND).toEqual([true, true])
  })

  it('keeps what an operator holds open over a restart, until he closes it', async () => {
    const before = await openReplica(database, provider)
    await before.force(provider, 'open')
    await before.end()
    const after = await openReplica(database, provider)
    expect(after.board.state(provider)).toMatchObject({ state: 'open', byOperator: true })
    await after.force(provider, 'closed')
    await after.end()
    expect((await openReplica(database, provider)).state()).toBe('closed')
  })
})

const sharedUrl = await redisUrl()

describe.skipIf(sharedUrl === undefined)(`breakers of two replicas (${NO_REDIS} if skipped)`, () => {
  const namespace = `test-${randomUUID()}`
  const url = sharedUrl ?? ''
  let redis: Redis
  beforeAll(() => {
    redis = new Redis(url)
  })
  afterAll(async () => {
    for await (const keys of redis.scanStream({ match: `${namespace}*`, count: 1000 })) {
      if (keys.length > 0) await redis.unlink(...(keys as string[]))
    }
    redis.disconnect()
  })
  const open = () => openReplica(database, provider, { url, namespace })
  const key = () => `${namespace}:${provider}:state`

  it('open, try again and close together', async () => {
    const [first, second] = [await open(), await open()]
    expect(await redis.get(key())).toBe('closed')
    first.fail()
    await expect.poll(() => second.isOpen(), TOLD).toBe(true)
    expect(second.board.state(provider)).toMatchObject({
      state: 'open',
      failures: 5,
      reason: '5 failures in a row, the last: server',
    })
    const untilMs = (replica: Replica) => replica.board.state(provider).untilMs ?? 0
    expect(Math.abs(untilMs(first) - untilMs(second))).toBeLessThan(100)
    await expect.poll(() => redis.get(key()), TOLD).toBe('open')
    expect(Date.parse((await redis.get(`${namespace}:${provider}:until`)) ?? '')).toBeGreaterThan(Date.now())
    second.board.signOfLife(provider)
    second.answer('m')
    await expect.poll(first.state, TOLD).toBe('closed')
    await expect.poll(() => redis.get(key()), TOLD).toBe('closed')
  })

  it('share those of targets, and pauses', async () => {
    const [first, second] = [await open(), await open()]
    first.answer('good')
    first.fail('bad', 1)
    first.answer('good')
    first.fail('bad', 4)
    first.board.note({ provider, model: 'limited' }, 'rate-limited', { durationMs: 0, retryAfterMs: 20_000 })
    await expect.poll(() => second.isOpen('bad'), TOLD).toBe(true)
    await expect
      .poll(() => second.board.admit({ provider, model: 'limited' }), TOLD)
      .toMatchObject({
        why: 'paused',
      })
    expect(second.isOpen('good')).toBe(false)
    expect(second.state()).toBe('closed')
  })

  it.each(['closed', ' Closed\n'])('close by hand in Redis, as %j', async (text) => {
    const [first, second] = [await open(), await open()]
    first.fail()
    await expect.poll(() => second.isOpen(), TOLD).toBe(true)
    await expect.poll(() => redis.get(key()), TOLD).toBe('open')
    await redis.set(key(), text)
    await expect.poll(() => [first.state(), second.state()], BY_HAND).toEqual(['closed', 'closed'])
    expect(first.isOpen()).toBe(false)
    expect(second.isOpen()).toBe(false)
    await expect.poll(status, BY_HAND).toMatchObject({ state: 'closed' })
  })

  it('stay open by hand in Redis, also for a replica that starts later, until they are closed', async () => {
    const [first, second] = [await open(), await open()]
    await redis.set(key(), 'open')
    await expect.poll(() => [first.isOpen(), second.isOpen()], BY_HAND).toEqual([true, true])
    const third = await open()
    expect(third.board.state(provider)).toMatchObject({ state: 'open', byOperator: true })
    // What calls say does not move it.
    third.answer('m')
    third.board.signOfLife(provider)
    expect(third.state()).toBe('open')
    await redis.set(key(), 'closed')
    await expect
      .poll(() => [first, second, third].map((each) => each.state()), BY_HAND)
      .toEqual(Array.from({ length: 3 }, () => 'closed'))
    expect(
      (await database.query('SELECT state FROM circuit_breaker_orders WHERE provider = $1', [provider])).rows,
    ).toEqual([{ state: 'closed' }])
  })

  it('are forced everywhere by one of them', async () => {
    const [first, second] = [await open(), await open()]
    await first.force(provider, 'open')
    await expect.poll(() => second.isOpen(), TOLD).toBe(true)
    await second.force(provider, 'closed')
    await expect.poll(() => first.isOpen(), TOLD).toBe(false)
  })

  it('agree in the end, whatever each found out in the same moment', async () => {
    const replicas = [await open(), await open(), await open()]
    const [first, second, third] = replicas
    for (let round = 0; round < 10; round++) {
      first?.fail()
      second?.fail()
      third?.board.signOfLife(provider)
      await Promise.resolve()
      second?.board.signOfLife(provider)
      if (round % 2 === 0) second?.answer('m')
      if (round % 3 === 0) await redis.set(key(), 'closed')
      await expect
        .poll(
          async () => new Set([...replicas.map((each) => each.state()), await redis.get(key())]).size,
          BY_HAND,
        )
        .toBe(1)
    }
  })

  it('are known to a replica that starts later', async () => {
    const first = await open()
    first.fail()
    await expect.poll(() => redis.get(key()), TOLD).toBe('open')
    expect((await open()).isOpen()).toBe(true)
  })

  it('come back to a Redis that has lost them', async () => {
    const first = await open()
    first.fail()
    await expect.poll(() => redis.get(key()), TOLD).toBe('open')
    for await (const keys of redis.scanStream({ match: `${namespace}*${provider}*` })) {
      if (keys.length > 0) await redis.del(...(keys as string[]))
    }
    await expect.poll(() => redis.get(key()), BY_HAND).toBe('open')
    expect(first.isOpen()).toBe(true)
  })
})

const server = await launchRedis()

describe.skipIf(server === undefined)(`breakers without their Redis (${NO_REDIS} if skipped)`, () => {
  afterAll(() => server?.remove())

  it('go on by themselves, start at once, and agree when it is back', async () => {
    if (server === undefined) throw new Error(NO_REDIS)
    const redis = { url: server.url, namespace: 'away' }
    const first = await openReplica(database, provider, redis)
    expect(first.isShared).toBe(true)
    await server.kill()
    await expect.poll(() => first.isShared, BY_HAND).toBe(false)
    first.fail()
    expect(first.isOpen()).toBe(true)
    const startedMs = performance.now()
    const second = await openReplica(database, provider, redis)
    expect(performance.now() - startedMs).toBeLessThan(2000)
    expect(second.isOpen()).toBe(false)
    await server.start()
    await expect.poll(() => second.isOpen(), { timeout: 10_000 }).toBe(true)
    expect([first.isShared, second.isShared]).toEqual([true, true])
  })
})

describe('openBreakers()', () => {
  it('tells once that the table cannot be written, and writes when it can', async () => {
    vi.useFakeTimers()
    try {
      const errors: string[] = []
      let isAway = true
      const written: string[] = []
      const breakers = await openBreakers({
        settings: SETTINGS,
        providers: () => ['p'],
        clock: systemClock,
        random: () => 0,
        feed: undefined,
        table: {
          async write(rows) {
            if (isAway) throw new Error('away')
            written.push(...rows.map(({ state }) => state))
          },
          async order() {
            throw new Error('away')
          },
          watch: async () => async () => {},
        },
        onError: (_error, what) => errors.push(what),
      })
      await vi.advanceTimersByTimeAsync(3000)
      expect(errors).toHaveLength(1)
      await breakers.force('p', 'open')
      expect(errors).toHaveLength(2)
      expect(breakers.board.state('p').state).toBe('open')
      isAway = false
      await vi.advanceTimersByTimeAsync(3000)
      expect(written).toEqual(['open'])
      await breakers.close()
      await vi.advanceTimersByTimeAsync(3000)
      expect(written).toEqual(['open'])
    } finally {
      vi.useRealTimers()
    }
  })
})
