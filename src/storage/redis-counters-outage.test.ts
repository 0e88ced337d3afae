import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { NO_REDIS } from '../../test/support/services.ts'
import { amounts, LEASE_MS, period, rolling } from '../limits/counters-samples.ts'
import type { TakeResult } from '../limits/ports.ts'
import { untilReady } from './redis-connection.ts'
import type { RedisCounters, RedisCountersOptions } from './redis-counters.ts'
import { openReplica, type Replica } from './redis-counters-fixture.ts'
import { launchRedis, type RedisServer } from './redis-server-fixture.ts'

const TIMEOUT_MS = 250
const meter = period('organization/cost_per_month', 'costNanoUsd', 1000, 0, 4_102_444_800_000)

const server = await launchRedis(['--enable-debug-command', 'yes'])

function take(counters: RedisCounters, organizationId: string, holdId: string): Promise<TakeResult> {
  const request = { organizationId, holdId, meters: [meter], amounts: amounts(1, 0, 10) }
  return counters.take({ ...request, leaseMs: LEASE_MS })
}

describe.skipIf(server === undefined)(`Redis that is away or forgot (${NO_REDIS} if skipped)`, () => {
  let replicas: Replica[] = []
  let organizationId = ''
  const running = (): RedisServer => {
    if (server === undefined) throw new Error(NO_REDIS)
    return server
  }
  const open = async (options: Partial<RedisCountersOptions> = {}): Promise<Replica> => {
    const replica = await openReplica(running().url, options)
    replicas.push(replica)
    return replica
  }
  const reconnect = async ({ redis }: Replica) => {
    // A server that is gone is noticed when its sockets close.
    await expect.poll(() => redis.status, { timeout: 5000 }).toBe('ready')
  }

  beforeAll(() => {
    replicas = []
  })
  beforeEach(() => {
    organizationId = randomUUID()
  })
  afterAll(async () => {
    for (const { counters, redis } of replicas) {
      await counters.close()
      redis.disconnect()
    }
    await server?.remove()
  })

  it('take() fails in time where the server does not answer, and what it took is given back', async () => {
    const { counters } = await open({ commandTimeoutMs: TIMEOUT_MS })
    const patient = await open()
    await take(counters, organizationId, 'before')
    running().freeze()
    const startedMs = performance.now()
    await expect(take(counters, organizationId, 'late')).rejects.toMatchObject({
      code: 'storage_unavailable',
      retryAfterSeconds: 1,
    })
    const tookMs = performance.now() - startedMs
    expect(tookMs).toBeGreaterThan(TIMEOUT_MS - 10)
    expect(tookMs).toBeLessThan(8 * TIMEOUT_MS)
    running().thaw()
    await expect
      .poll(async () => patient.counters.read(organizationId, [meter]), { timeout: 5000 })
      .toMatchObject([{ held: 10 }])
    expect(await patient.counters.holds(organizationId)).toMatchObject([{ holdId: 'before' }])
  })

  it('take() with the id of one that nobody heard of is not given back with it', async () => {
    const { counters, redis } = await open({ commandTimeoutMs: TIMEOUT_MS })
    const patient = await open()
    await take(counters, organizationId, 'other')
    running().freeze()
    await expect(take(counters, organizationId, 'h')).rejects.toMatchObject({ code: 'storage_unavailable' })
    // By now giving back is on its way; it will find the hold of the second take.
    const again = take(patient.counters, organizationId, 'h')
    running().thaw()
    expect(await again).toMatchObject({ granted: true })
    await untilReady(redis, 5000)
    await expect
      .poll(
        async () =>
          counters.sequence().then(
            () => true,
            () => false,
          ),
        { timeout: 5000 },
      )
      .toBe(true)
    const holds = await patient.counters.holds(organizationId)
    const states = await patient.counters.read(organizationId, [meter])
    // Either the first was given back before the second came, or the second kept it: one hold in any case.
    expect(holds.map(({ holdId }) => holdId).sort()).toEqual(['h', 'other'])
    expect(states).toMatchObject([{ held: 20 }])
  })

  it('calls fail at once while the connection is lost, and work again after it', async () => {
    const replica = await open({ commandTimeoutMs: TIMEOUT_MS })
    const { counters, redis } = replica
    await take(counters, organizationId, 'h')
    await running().kill()
    await expect.poll(() => redis.status, { timeout: 5000 }).not.toBe('ready')
    const startedMs = performance.now()
    const calls: Promise<unknown>[] = [
      take(counters, organizationId, 'i'),
      counters.grow(organizationId, 'h', amounts(0, 1), LEASE_MS),
      counters.settle(organizationId, 'h', amounts(1)),
      counters.release(organizationId, 'h'),
      counters.read(organizationId, [meter]),
      counters.assign(organizationId, meter, 1),
      counters.abandoned(10),
      counters.holds(organizationId),
      counters.generation(),
      counters.sequence(),
    ]
    for (const call of await Promise.allSettled(calls)) {
      expect(call).toMatchObject({ status: 'rejected', reason: { code: 'storage_unavailable' } })
    }
    expect(performance.now() - startedMs).toBeLessThan(TIMEOUT_MS)
    await running().start()
    await reconnect(replica)
    expect(await take(counters, organizationId, 'i')).toMatchObject({ granted: true })
  })

  it('take() refuses to count where the store came back empty, until it is rebuilt', async () => {
    const replica = await open({ unknown: 'refuse' })
    const other = await open({ unknown: 'refuse' })
    const before = await replica.counters.generation()
    await replica.counters.rebuild(organizationId, before, [])
    await take(replica.counters, organizationId, 'h')
    await take(other.counters, organizationId, 'i')
    await replica.redis.flushall()
    for (const { counters } of [replica, other]) {
      const lost = { detail: { reason: 'counters_lost', organizationId } }
      await expect(take(counters, organizationId, 'j')).rejects.toMatchObject(lost)
    }
    const generation = await replica.counters.generation()
    expect(generation).not.toBe(before)
    expect(await other.counters.generation()).toBe(generation)
    expect(await replica.counters.settle(organizationId, 'h', amounts(1, 0, 10))).toBe(false)
    expect(await replica.counters.rebuild(organizationId, generation, [{ meter, used: 990 }])).toBe(true)
    expect(await take(other.counters, organizationId, 'j')).toMatchObject({ granted: true })
    expect(await take(replica.counters, organizationId, 'k')).toMatchObject({ granted: false })
    expect(await replica.counters.generation()).toBe(generation)
  })

  it('generation() changes when the store came back empty, also where counting goes on', async () => {
    const { counters, redis } = await open()
    const before = await counters.generation()
    await take(counters, organizationId, 'h')
    await redis.flushall()
    expect(await take(counters, organizationId, 'i')).toMatchObject({ granted: true, states: [{ held: 10 }] })
    expect(await counters.generation()).not.toBe(before)
  })

  it('generation() changes when the server was started from an older snapshot', async () => {
    const replica = await open({ unknown: 'refuse' })
    const { counters, redis } = replica
    const before = await counters.generation()
    await counters.rebuild(organizationId, before, [])
    await take(counters, organizationId, 'h')
    await redis.save()
    await counters.settle(organizationId, 'h', amounts(1, 0, 10))
    await running().kill()
    await expect.poll(() => redis.status, { timeout: 5000 }).not.toBe('ready')
    await running().start()
    await reconnect(replica)
    // It is as it was when the snapshot was taken, and not to be believed.
    expect(await counters.read(organizationId, [meter])).toMatchObject([{ used: 0, held: 10 }])
    const lost = { detail: { reason: 'counters_lost', organizationId } }
    await expect(take(counters, organizationId, 'i')).rejects.toMatchObject(lost)
    const generation = await counters.generation()
    expect(generation).not.toBe(before)
    expect(await counters.rebuild(organizationId, generation, [{ meter, used: 10 }])).toBe(true)
    expect(await counters.release(organizationId, 'h')).toBe(true)
    expect(await take(counters, organizationId, 'i')).toMatchObject({ states: [{ used: 10, held: 10 }] })
  })

  it('take() refuses after a restart also where a settlement came first', async () => {
    const replica = await open({ unknown: 'refuse' })
    const { counters, redis } = replica
    const before = await counters.generation()
    await counters.rebuild(organizationId, before, [])
    await take(counters, organizationId, 'h')
    await redis.save()
    await running().kill()
    await expect.poll(() => redis.status, { timeout: 5000 }).not.toBe('ready')
    await running().start()
    await reconnect(replica)
    expect(await counters.settle(organizationId, 'h', amounts(1, 0, 10))).toBe(true)
    const other = await open({ unknown: 'refuse' })
    for (const each of [counters, other.counters]) {
      const lost = { detail: { reason: 'counters_lost', organizationId } }
      await expect(take(each, organizationId, 'i')).rejects.toMatchObject(lost)
    }
    expect(await counters.generation()).not.toBe(before)
  })

  it('take() notices that one organization fell back, without a new connection', async () => {
    const { counters, redis } = await open({ unknown: 'refuse' })
    const before = await counters.generation()
    await counters.rebuild(organizationId, before, [])
    await take(counters, organizationId, 'h')
    const state = `ratelimit:{${organizationId}}:state`
    const older = await redis.hgetall(state)
    await take(counters, organizationId, 'i')
    await redis.hset(state, older)
    const lost = { detail: { reason: 'counters_lost', organizationId } }
    await expect(take(counters, organizationId, 'j')).rejects.toMatchObject(lost)
    expect(await counters.generation()).not.toBe(before)
  })

  it('settle() notices it as well', async () => {
    const { counters, redis } = await open()
    const before = await counters.generation()
    await take(counters, organizationId, 'h')
    await take(counters, organizationId, 'i')
    await redis.hset(`ratelimit:{${organizationId}}:state`, 'sequence', '1')
    await redis.del(`ratelimit:{${organizationId}}:hold:i`)
    expect(await counters.settle(organizationId, 'i', amounts(1))).toBe(false)
    expect(await counters.generation()).not.toBe(before)
  })

  it('generation() changes when the sequence of all writes fell back', async () => {
    const { counters, redis } = await open()
    await take(counters, organizationId, 'h')
    await expect.poll(() => counters.sequence(), { timeout: 5000 }).toBeGreaterThan(0)
    const before = await counters.generation()
    await redis.set('ratelimit:sequence', '0')
    const after = await counters.generation()
    expect(after).not.toBe(before)
    expect(await counters.generation()).toBe(after)
  })

  it('take() sends scripts again that the server does not know', async () => {
    const { counters, redis } = await open()
    await take(counters, organizationId, 'h')
    await redis.script('FLUSH')
    const results = await Promise.all(['a', 'b', 'c'].map((id) => take(counters, organizationId, id)))
    expect(results.every(({ granted }) => granted)).toBe(true)
    expect(await counters.read(organizationId, [meter])).toMatchObject([{ held: 40 }])
  })

  it('take() says that the store is not available when it may not write', async () => {
    const { counters, redis } = await open()
    await take(counters, organizationId, 'h')
    await redis.config('SET', 'maxmemory', '1')
    try {
      await expect(take(counters, organizationId, 'i')).rejects.toMatchObject({ code: 'storage_unavailable' })
    } finally {
      await redis.config('SET', 'maxmemory', '0')
    }
  })

  it('every key of a meter that can lapse has an end', async () => {
    const { counters, redis } = await open({ namespace: 'lapse' })
    const meters = [
      rolling('key/K/tokens_per_minute', 'tokens', 10),
      period('key/K/cost_per_day', 'costNanoUsd', 10, Date.now(), 86_400_000),
      { ...meter, id: 'key/K/concurrent_requests', quantity: 'concurrency' as const },
    ]
    const request = { organizationId, meters, amounts: amounts(1, 1, 1), leaseMs: LEASE_MS }
    await counters.take({ ...request, holdId: 'h' })
    await counters.grow(organizationId, 'h', amounts(0, 1, 1), LEASE_MS)
    await counters.take({ ...request, holdId: 'i' })
    await counters.settle(organizationId, 'i', amounts(1, 1, 1))
    await counters.assign(organizationId, rolling('key/L/tokens_per_hour', 'tokens', 10), 5)
    const keys = await redis.keys('lapse:*')
    expect(keys.length).toBeGreaterThan(7)
    for (const key of keys) {
      const isOurs = ['lapse:generation', 'lapse:sequence'].includes(key)
      expect((await redis.pttl(key)) > 0, key).toBe(!isOurs)
    }
  })
})
