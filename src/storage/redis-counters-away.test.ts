import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest'
import { NO_REDIS } from '../../test/support/services.ts'
import { systemClock } from '../core/clock.ts'
import { amounts, concurrency, LEASE_MS, period } from '../limits/counters-samples.ts'
import { createSharedCounters, type SharedCounters } from '../limits/shared-counters.ts'
import { openReplica, type Replica } from './redis-counters-fixture.ts'
import { launchRedis, type RedisServer } from './redis-server-fixture.ts'

const TIMEOUT_MS = 250
const LIMIT = 32_000
const server = await launchRedis()

interface Process extends Replica {
  readonly shared: SharedCounters
}

describe.skipIf(server === undefined)(`calls while Redis is away (${NO_REDIS} if skipped)`, () => {
  const budget = period('organization/budget', 'costNanoUsd', LIMIT, 0, 4_102_444_800_000)
  const calls = concurrency('key/K/concurrent_requests', 1000)
  const meters = [budget, calls]
  let organizationId = ''
  let processes: Process[] = []

  const running = (): RedisServer => {
    if (server === undefined) throw new Error(NO_REDIS)
    return server
  }
  const start = async (ticks = false): Promise<Process> => {
    const replica = await openReplica(running().url, { commandTimeoutMs: TIMEOUT_MS, unknown: 'refuse' })
    const shared = createSharedCounters({
      shared: replica.counters,
      clock: systemClock,
      newId: randomUUID,
      ticks,
    })
    const started = { ...replica, shared }
    processes.push(started)
    return started
  }
  const take = ({ shared }: Process, holdId: string, costNanoUsd: number) =>
    shared.take({ organizationId, holdId, meters, amounts: amounts(1, 0, costNanoUsd), leaseMs: LEASE_MS })
  const settle = ({ shared }: Process, holdId: string, costNanoUsd: number) =>
    shared.settle(organizationId, holdId, amounts(1, 0, costNanoUsd))
  const back = ({ redis }: Process) => expect.poll(() => redis.status, { timeout: 5000 }).toBe('ready')

  beforeEach(async () => {
    organizationId = randomUUID()
    processes = []
    const first = await start()
    await first.shared.rebuild(organizationId, await first.shared.generation(), [])
  })
  afterEach(async () => {
    for (const { shared, redis } of processes) {
      await shared.close()
      redis.disconnect()
    }
  })
  afterAll(() => server?.remove())

  it('two replicas spend no more than a budget while Redis is gone, and book it when it is back', async () => {
    const second = await start()
    const [first] = processes
    if (first === undefined) throw new Error('No replica was started.')
    for (const each of [first, second]) {
      await take(each, `warm ${each.shared === second.shared}`, 100)
      await settle(each, `warm ${each.shared === second.shared}`, 0)
      await each.shared.tick()
    }
    const shares = await first.shared.holds(organizationId)
    expect(shares).toHaveLength(2)
    // All but the shares is spent, so that nothing else is left.
    const free = LIMIT - shares.reduce((sum, { amounts: { costNanoUsd } }) => sum + costNanoUsd, 0)
    await take(first, 'most', free)
    await settle(first, 'most', free)

    await running().kill()
    await Promise.all(processes.map(({ redis }) => expect.poll(() => redis.status).not.toBe('ready')))
    let spent = free
    for (const [index, each] of processes.entries()) {
      const results = await Promise.allSettled(
        Array.from({ length: 200 }, (_, call) => take(each, `${index}.${call}`, 10)),
      )
      for (const [call, result] of results.entries()) {
        if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'storage_unavailable' })
        else if (result.value.granted) {
          spent += 10
          expect(await settle(each, `${index}.${call}`, 10)).toBe(true)
        }
      }
    }
    expect(spent).toBeLessThanOrEqual(LIMIT)
    expect(spent).toBeGreaterThan(0.99 * LIMIT)

    // It comes back empty: what was spent here is told before anything is counted anew from the books.
    await running().start()
    for (const each of processes) {
      await back(each)
      await expect
        .poll(() => each.shared.tick().then(() => each.shared.isAway), { timeout: 5000 })
        .toBe(false)
    }
    expect(await first.shared.read(organizationId, meters)).toMatchObject([
      { used: spent - free },
      { held: 0 },
    ])
    await expect(take(second, 'next', 10)).rejects.toMatchObject({ detail: { reason: 'counters_lost' } })
    await second.shared.rebuild(organizationId, await second.shared.generation(), [
      { meter: budget, used: spent },
    ])
    expect(await take(second, 'too much', LIMIT - spent + 1)).toMatchObject({ granted: false })
    expect(await second.shared.read(organizationId, [budget])).toMatchObject([{ used: spent, held: 0 }])
  }, 30_000)

  it('calls wait for Redis once, go on at once from then on, and find it again by themselves', async () => {
    const replica = await start(true)
    const unlimited = [{ ...budget, limit: null }, calls]
    const request = { organizationId, meters: unlimited, amounts: amounts(1, 0, 10), leaseMs: LEASE_MS }
    await replica.shared.take({ ...request, holdId: 'before' })
    running().freeze()
    try {
      const startedMs = performance.now()
      await replica.shared.take({ ...request, holdId: 'first' })
      expect(performance.now() - startedMs).toBeLessThan(8 * TIMEOUT_MS)
      expect(replica.shared.isAway).toBe(true)
      const nextMs = performance.now()
      for (let index = 0; index < 1000; index++) {
        await replica.shared.take({ ...request, holdId: `h${index}` })
        await replica.shared.settle(organizationId, `h${index}`, amounts(1, 0, 10))
      }
      await replica.shared.settle(organizationId, 'first', amounts(1, 0, 10))
      await replica.shared.settle(organizationId, 'before', amounts(1, 0, 10))
      expect(performance.now() - nextMs).toBeLessThan(TIMEOUT_MS)
    } finally {
      running().thaw()
    }
    await expect.poll(() => replica.shared.isAway, { timeout: 10_000 }).toBe(false)
    await expect
      .poll(() => replica.counters.read(organizationId, unlimited), { timeout: 5000 })
      .toMatchObject([{ used: 10_020, held: 0 }, { held: 0 }])
  }, 30_000)

  it('a call under way outlives a flush, and is held again', async () => {
    const [first] = processes
    if (first === undefined) throw new Error('No replica was started.')
    await first.shared.tick()
    await take(first, 'h', 900)
    await first.redis.flushall()
    await expect(take(first, 'i', 1)).rejects.toMatchObject({ detail: { reason: 'counters_lost' } })
    await first.shared.rebuild(organizationId, await first.shared.generation(), [
      { meter: budget, used: 5000 },
    ])
    expect(await first.shared.read(organizationId, meters)).toMatchObject([
      { used: 5000, held: 900 },
      { held: 1 },
    ])
    expect(await settle(first, 'h', 800)).toBe(true)
    expect(await first.shared.read(organizationId, meters)).toMatchObject([
      { used: 5800, held: 0 },
      { held: 0 },
    ])
  })
})
