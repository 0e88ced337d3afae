import { randomUUID } from 'node:crypto'
import { Cluster } from 'ioredis'
import { afterAll, describe, expect, it } from 'vitest'
import { NO_REDIS, redisUrl } from '../../test/support/services.ts'
import { systemClock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { amounts, concurrency, LEASE_MS, period, rolling } from '../limits/counters-samples.ts'
import type { Meter } from '../limits/ports.ts'
import { untilReady } from './redis-connection.ts'
import { RedisCounters } from './redis-counters.ts'
import { openReplica } from './redis-counters-fixture.ts'
import type { RedisClient } from './redis-script.ts'
import { launchRedis } from './redis-server-fixture.ts'

const DAY_MS = 86_400_000
const url = await redisUrl()
const cluster = await launchRedis(['--cluster-enabled', 'yes', '--cluster-announce-ip', '127.0.0.1'])

describe.skipIf(url === undefined)(`keys in Redis (${NO_REDIS} if skipped)`, () => {
  it('take() counts under ratelimit:{organization}, for people to read', async () => {
    const { counters, redis } = await openReplica(url ?? '')
    const organizationId = `acme-${randomUUID()}`
    const startMs = Date.UTC(2026, 1, 1)
    const meters = [
      rolling('key/K1/tokens_per_hour', 'tokens', 1000, 3_600_000),
      period('organization/cost_per_month', 'costNanoUsd', null, startMs, 28 * DAY_MS),
    ]
    const request = { organizationId, holdId: 'h1', meters, amounts: amounts(1, 30, 500), leaseMs: LEASE_MS }
    await counters.take(request)
    const prefix = `ratelimit:{${organizationId}}:`
    const hour = await redis.hgetall(`${prefix}key/K1/tokens_per_hour`)
    expect(hour).toMatchObject({ used: '0', held: '30', limit: '1000' })
    expect(Number(hour.window_end) - Number(hour.window_start)).toBe(3_600_000)
    expect(Math.abs(Number(hour.window_start) - Date.now())).toBeLessThan(60_000)
    expect(await redis.hgetall(`${prefix}organization/cost_per_month@${startMs}`)).toMatchObject({
      used: '0',
      held: '500',
      limit: '',
      window_start: String(startMs),
      window_end: String(startMs + 28 * DAY_MS),
    })
    expect(await redis.hgetall(`${prefix}hold:h1`)).toMatchObject({ tokens: '30', cost_nano_usd: '500' })

    // What a person changes there counts at once.
    await redis.hset(`${prefix}key/K1/tokens_per_hour`, 'used', '990')
    const next = { ...request, holdId: 'h2' }
    expect(await counters.take(next)).toMatchObject({ granted: false, states: [{ used: 990 }, {}] })
    await redis.del(`${prefix}key/K1/tokens_per_hour`)
    expect(await counters.take(next)).toMatchObject({ granted: true })
    expect(await counters.settle(organizationId, 'h1', amounts(1, 20, 400))).toBe(true)
    expect(await counters.read(organizationId, meters)).toMatchObject([
      { used: 0, held: 30 },
      { used: 400, held: 500 },
    ])
    await counters.release(organizationId, 'h2')
    await counters.close()
    redis.disconnect()
  })

  it("take() on many connections at once stays within the limit by the server's own clock", async () => {
    const open = await Promise.all([1, 2, 3].map(() => openReplica(url ?? '')))
    const organizationId = randomUUID()
    const meters = [rolling('organization/requests_per_minute', 'requests', 60)]
    const results = await Promise.all(
      Array.from({ length: 200 }, async (_, index) => {
        const replica = open[index % open.length]
        const holdId = `h${index}`
        return replica?.counters.take({
          organizationId,
          holdId,
          meters,
          amounts: amounts(1),
          leaseMs: LEASE_MS,
        })
      }),
    )
    expect(results.filter((result) => result?.granted)).toHaveLength(60)
    for (const result of results) {
      if (result?.granted !== false) continue
      expect(result.retryAfterMs).toBeGreaterThan(0)
      expect(result.retryAfterMs).toBeLessThanOrEqual(60_000)
    }
    for (const { counters, redis } of open) {
      await counters.close()
      redis.disconnect()
    }
  })

  it.each(['', 'a}b', '{a}', 'a{b'])(
    'take() names no keys for the organization "%s"',
    async (organizationId) => {
      const { counters, redis } = await openReplica(url ?? '')
      const request = { organizationId, holdId: 'h', meters: [], amounts: amounts(1), leaseMs: LEASE_MS }
      await expect(counters.take(request)).rejects.toThrow('No keys can be named')
      await counters.close()
      redis.disconnect()
    },
  )

  it.each(['state', 'leases', 'hold:h', 'Key/K/x', 'key/K/cost@123', ''])(
    'take() names no key for the meter "%s"',
    async (id) => {
      const { counters, redis } = await openReplica(url ?? '')
      const meters = [rolling(id, 'tokens', 10)]
      const request = { organizationId: 'o', holdId: 'h', meters, amounts: amounts(1), leaseMs: LEASE_MS }
      await expect(counters.take(request)).rejects.toThrow('No key can be named')
      await counters.close()
      redis.disconnect()
    },
  )
})

describe.skipIf(cluster === undefined)(`a cluster of Redis (${NO_REDIS} if skipped)`, () => {
  afterAll(() => cluster?.remove())

  it('all of an organization is on one node, and abandoned() finds it', async () => {
    if (cluster === undefined) throw new Error(NO_REDIS)
    const { redis } = await openReplica(cluster.url)
    await redis.call('CLUSTER', 'ADDSLOTSRANGE', '0', '16383')
    await expect.poll(() => redis.call('CLUSTER', 'INFO'), { timeout: 10_000 }).toContain('cluster_state:ok')
    const client = new Cluster([{ host: '127.0.0.1', port: cluster.port }], { enableAutoPipelining: true })
    await untilReady(client, 5000)
    const time = { nowMs: Date.now() }
    const counters = new RedisCounters({
      client,
      clock: systemClock,
      newId: randomUUID,
      unknown: 'refuse',
      commandTimeoutMs: 10_000,
      testNow: () => time.nowMs,
    })
    const meters: Meter[] = [
      rolling('organization/requests_per_minute', 'requests', 10),
      period('key/K/cost_per_month', 'costNanoUsd', 100, time.nowMs, DAY_MS),
      concurrency('key/K/concurrent_requests', 5),
    ]
    const ids = Array.from({ length: 20 }, () => randomUUID())
    const generation = await counters.generation()
    await Promise.all(
      ids.map(async (organizationId) => {
        const request = { organizationId, holdId: 'h', meters, amounts: amounts(1, 1, 50), leaseMs: LEASE_MS }
        expect(await counters.rebuild(organizationId, generation, [])).toBe(true)
        expect(await counters.take(request)).toMatchObject({ granted: true })
        expect(await counters.grow(organizationId, 'h', amounts(0, 0, 10), LEASE_MS)).toMatchObject({
          granted: true,
        })
        expect(await counters.take({ ...request, holdId: 'i' })).toMatchObject({ granted: false })
        expect(await counters.holds(organizationId)).toHaveLength(1)
      }),
    )
    time.nowMs += LEASE_MS + 1000
    const found = await counters.abandoned(100)
    expect(found.map(({ organizationId }) => organizationId).sort()).toEqual([...ids].sort())
    for (const { organizationId, holdId } of found) {
      expect(await counters.settle(organizationId, holdId, amounts(1, 1, 42))).toBe(true)
      expect(await counters.read(organizationId, meters)).toMatchObject([
        { used: 1, held: 0 },
        { used: 42, held: 0 },
        { used: 0, held: 0 },
      ])
    }
    expect(await counters.generation()).toBe(generation)
    await counters.close()
    client.disconnect()
    redis.disconnect()
  }, 60_000)
})

describe('RedisCounters', () => {
  /** A server that never answers. */
  const silent = { status: 'ready', isCluster: true, on: () => undefined, off: () => undefined }
  const never = () => new Promise<never>(() => undefined)
  const client = new Proxy(silent, {
    get: (target, name) => (name in target ? Reflect.get(target, name) : never),
  }) as unknown as RedisClient
  const open = (commandTimeoutMs: number) =>
    new RedisCounters({ client, clock: systemClock, newId: randomUUID, unknown: 'begin', commandTimeoutMs })

  it('says that too many wait, instead of letting more of them', async () => {
    const counters = open(1000)
    const waiting = Array.from({ length: 10_000 }, () => counters.release('o', 'h'))
    const startedMs = performance.now()
    await expect(counters.release('o', 'h')).rejects.toMatchObject({ detail: { reason: /Too many/ } })
    expect(performance.now() - startedMs).toBeLessThan(900)
    for (const call of await Promise.allSettled(waiting)) {
      expect(call.status === 'rejected' && call.reason instanceof GatewayError).toBe(true)
    }
  })

  it('take() sends nothing any more once nobody waits for it', async () => {
    const sent: string[] = []
    let answer = (_: string | null) => {}
    const late = new Proxy(silent, {
      get(target, name) {
        if (name === 'set') {
          return () =>
            new Promise((resolve) => {
              answer = resolve
            })
        }
        if (name === 'get') return async () => null
        if (name in target) return Reflect.get(target, name)
        return (...args: unknown[]) => {
          sent.push(`${String(name)} ${args.includes('release') ? 'release' : ''}`.trim())
          return never()
        }
      },
    }) as unknown as RedisClient
    const options = { client: late, clock: systemClock, newId: randomUUID, unknown: 'begin' as const }
    const counters = new RedisCounters({ ...options, commandTimeoutMs: 20 })
    const request = { organizationId: 'o', holdId: 'h', meters: [], amounts: amounts(1), leaseMs: LEASE_MS }
    await expect(counters.take(request)).rejects.toMatchObject({ code: 'storage_unavailable' })
    answer('generation@')
    await new Promise((resolve) => setImmediate(resolve))
    expect(sent).toEqual(['evalsha release'])
  })

  it('counts nothing any more once it is closed', async () => {
    const counters = open(1000)
    await counters.close()
    await expect(counters.release('o', 'h')).rejects.toMatchObject({ code: 'storage_unavailable' })
  })
})
