import { describe, expect, it } from 'vitest'
import { describeCounters } from './counters-conformance.ts'
import { amounts, concurrency, LEASE_MS, MINUTE_MS, period, rolling } from './counters-samples.ts'
import type { Amounts, Meter } from './ports.ts'
import { SharedCounters, type SharedCountersOptions } from './shared-counters.ts'
import { FlakyCounters, type Weather } from './shared-counters-fixture.ts'
import { isShareId } from './shared-counters-share.ts'

const START_MS = Date.UTC(2026, 0, 1)
const DAY_MS = 86_400_000
const SHARE_LEASE_MS = 900_000
const O = 'acme'

function replicaOf(store: FlakyCounters, name: string, options: Partial<SharedCountersOptions> = {}) {
  /** After so many calls that get through. */
  const weather: { now: Weather; after: number } = { now: 'up', after: 0 }
  const { time } = store
  const clock = { now: () => time.nowMs, monotonicMs: () => time.nowMs }
  let ids = 0
  const shared = store.connect(() => (weather.after-- > 0 ? 'up' : weather.now))
  const counters = new SharedCounters({
    shared,
    clock,
    newId: () => `${name}-${ids++}`,
    ticks: false,
    ...options,
  })
  return { counters, weather, shared }
}

function open(options: Partial<SharedCountersOptions> = {}, unknown: 'begin' | 'refuse' = 'begin') {
  const time = { nowMs: START_MS }
  const store = new FlakyCounters(time, unknown)
  return { time, store, ...replicaOf(store, 'a', options) }
}

const budget = period('organization/budget', 'costNanoUsd', 32_100, START_MS, 30 * DAY_MS)
const soft = period('team/T/budget', 'costNanoUsd', null, START_MS, 30 * DAY_MS)
const minute = rolling('key/K/requests_per_minute', 'requests', 3)
const hour = rolling('key/K/tokens_per_hour', 'tokens', 1000, 60 * MINUTE_MS)
const calls = concurrency('key/K/concurrent_requests', 2)

function request(holdId: string, meters: readonly Meter[], wanted: Amounts) {
  return { organizationId: O, holdId, meters, amounts: wanted, leaseMs: LEASE_MS }
}

/** A call that makes the counters know of a meter, and a tick that leases a share of it: 1000 of 32,100, for the call holds 100. */
async function warmUp({ counters }: { counters: SharedCounters }, meters: readonly Meter[] = [budget]) {
  await counters.take(request('warm', meters, amounts(1, 1, 100)))
  await counters.settle(O, 'warm', amounts(1, 0, 0))
  await counters.tick()
}

describeCounters('counters that go on while shared ones are away', async ({ unknown }) => {
  const time = { nowMs: START_MS }
  const store = new FlakyCounters(time, unknown)
  const replicas = ['a', 'b', 'c'].map((name) => replicaOf(store, name).counters)
  return {
    replicas,
    time,
    async close() {
      for (const replica of replicas) await replica.close()
    },
  }
})

describe('SharedCounters', () => {
  const held = (store: FlakyCounters, meter = budget) => {
    const [state] = store.truth.read(O, [meter])
    return [state?.used, state?.held]
  }

  it('tick() leases a 32nd of what is left, and close() gives it back', async () => {
    const here = open()
    await warmUp(here)
    expect(held(here.store)).toEqual([0, 1000])
    expect(here.store.truth.holds(O).every(({ holdId }) => isShareId(holdId))).toBe(true)
    await here.counters.close()
    expect(held(here.store)).toEqual([0, 0])
  })

  it('tick() leases at least the largest call, and nothing where less than 20 of them are left', async () => {
    const here = open()
    await here.counters.take(request('h', [budget], amounts(1, 0, 1500)))
    await here.counters.release(O, 'h')
    await here.counters.tick()
    expect(held(here.store)).toEqual([0, 1500])
    await here.counters.take(request('i', [budget], amounts(1, 0, 1500)))
    await here.counters.settle(O, 'i', amounts(1, 0, 3000))
    await here.counters.take(request('j', [budget], amounts(1, 0, 1)))
    await here.counters.release(O, 'j')
    await here.counters.tick()
    expect(held(here.store)).toEqual([3000, 0])
  })

  it('take() gets the last of a budget, for shares make room', async () => {
    const here = open()
    await warmUp(here)
    expect(await here.counters.take(request('h', [budget], amounts(1, 0, 32_100)))).toMatchObject({
      granted: true,
    })
    expect(held(here.store)).toEqual([0, 32_100])
    await here.counters.tick()
    expect(held(here.store)).toEqual([0, 32_100])
  })

  it('grow() gets it too', async () => {
    const here = open()
    await here.counters.take(request('h', [budget], amounts(1, 0, 100)))
    await here.counters.tick()
    expect(await here.counters.grow(O, 'h', amounts(0, 0, 32_000), LEASE_MS)).toMatchObject({ granted: true })
  })

  it('take() spends no more than the share while the store is away, and says 503 then', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'down'
    for (let index = 0; index < 10; index++) {
      expect(await here.counters.take(request(`h${index}`, [budget], amounts(1, 0, 100)))).toMatchObject({
        granted: true,
        states: [{ id: budget.id, limit: 32_100 }],
      })
    }
    await expect(here.counters.take(request('last', [budget], amounts(1, 0, 1)))).rejects.toMatchObject({
      code: 'storage_unavailable',
      retryAfterSeconds: 1,
    })
    expect(await here.counters.release(O, 'h0')).toBe(true)
    expect(await here.counters.take(request('last', [budget], amounts(1, 0, 100)))).toMatchObject({
      granted: true,
    })
  })

  it('take() does not wait for a store that is known to be away', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'down'
    await here.counters.take(request('h', [budget], amounts(1, 0, 100)))
    const { length } = here.store
    here.weather.now = 'up'
    await here.counters.take(request('i', [budget], amounts(1, 0, 100)))
    expect(here.counters.isAway).toBe(true)
    expect(here.store.length).toBe(length)
    await here.counters.tick()
    expect(here.counters.isAway).toBe(false)
    await here.counters.take(request('j', [budget], amounts(1, 0, 100)))
    expect(here.store.truth.holds(O).some(({ holdId }) => holdId === 'j')).toBe(true)
  })

  it('take() refuses at once what is not to go on meanwhile', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'down'
    const wanted = { ...request('h', [budget], amounts(1, 0, 100)), whileAway: 'refuse' as const }
    await expect(here.counters.take(wanted)).rejects.toMatchObject({ code: 'storage_unavailable' })
    await expect(here.counters.take(wanted)).rejects.toMatchObject({ code: 'storage_unavailable' })
  })

  it('take() needs a share of every meter that limits money, and of no other', async () => {
    const here = open()
    const key = { ...budget, id: 'key/K/budget' }
    await warmUp(here, [budget])
    here.weather.now = 'down'
    const unknown = request('h', [budget, key], amounts(1, 0, 100))
    await expect(here.counters.take(unknown)).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await here.counters.take(request('i', [soft, hour], amounts(1, 5, 100)))).toMatchObject({
      granted: true,
    })
    // Of which nothing is asked: it refuses nothing.
    expect(await here.counters.take(request('j', [key], amounts(1, 5, 0)))).toMatchObject({ granted: true })
  })

  it('take() counts rates and calls under way here meanwhile, and refuses them as ever', async () => {
    const here = open()
    await warmUp(here, [budget, minute, calls])
    here.weather.now = 'down'
    const meters = [minute, budget, calls]
    for (const id of ['a', 'b']) await here.counters.take(request(id, meters, amounts(1, 0, 10)))
    expect(await here.counters.take(request('c', meters, amounts(1, 0, 10)))).toMatchObject({
      granted: false,
      refusedBy: calls.id,
      states: [{ held: 2, limit: 3 }, { held: 20 }, { held: 2, limit: 2 }],
    })
    await here.counters.settle(O, 'a', amounts(1, 0, 10))
    await here.counters.take(request('c', meters, amounts(1, 0, 10)))
    await here.counters.settle(O, 'b', amounts(1, 0, 10))
    expect(await here.counters.take(request('d', meters, amounts(1, 0, 10)))).toMatchObject({
      granted: false,
      refusedBy: minute.id,
      retryAfterMs: MINUTE_MS,
    })
  })

  it('tick() books what was used meanwhile, once, on every meter', async () => {
    const here = open()
    const meters = [budget, soft, hour, minute, calls]
    await warmUp(here, meters)
    here.weather.now = 'down'
    for (const id of ['a', 'b']) await here.counters.take(request(id, meters, amounts(1, 100, 300)))
    await here.counters.settle(O, 'a', amounts(1, 70, 250))
    await here.counters.settle(O, 'b', amounts(1, 90, 150))
    // Done, but nobody hears of it: it has to be told again, and counts once.
    here.weather.now = 'deaf'
    await here.counters.tick()
    here.weather.now = 'up'
    for (let round = 0; round < 3; round++) await here.counters.tick()
    const states = here.store.truth.read(O, meters)
    expect(states.map(({ used }) => used)).toEqual([400, 400, 160, 3, 0])
    // A share of what is left now.
    expect(states.map((state) => state.held)).toEqual([990, 0, 0, 0, 0])
    await here.counters.close()
    expect(held(here.store)).toEqual([400, 0])
  })

  it('tick() leases, books and gives back once, whenever answers are lost', async () => {
    for (let after = 0; after < 12; after++) {
      const here = open()
      const deaf = async () => {
        Object.assign(here.weather, { now: 'deaf', after })
        await here.counters.tick()
        here.weather.now = 'up'
        await here.counters.tick()
      }
      await here.counters.take(request('warm', [budget], amounts(1, 0, 100)))
      await here.counters.release(O, 'warm')
      await deaf()
      await here.counters.tick()
      expect(here.store.truth.holds(O)).toHaveLength(1)
      here.weather.now = 'down'
      await here.counters.take(request('h', [budget], amounts(1, 0, 400)))
      await here.counters.settle(O, 'h', amounts(1, 0, 300))
      await deaf()
      await here.counters.tick()
      expect(held(here.store)[0]).toBe(300)
      expect(here.store.truth.holds(O)).toHaveLength(1)
      await here.counters.close()
      expect(held(here.store)).toEqual([300, 0])
    }
  })

  it('a share is spent from only if it was leased after the last loss', async () => {
    const here = open()
    await here.counters.take(request('warm', [budget], amounts(1, 0, 100)))
    const { shared } = here
    const { take } = shared
    shared.take = async (wanted) => {
      const result = await take(wanted)
      here.store.fallBack(0)
      shared.take = take
      // A call finds out before the answer is heard of.
      await here.counters.settle(O, 'warm', amounts(1, 0, 0))
      return result
    }
    await here.counters.tick()
    here.weather.now = 'down'
    await expect(here.counters.take(request('h', [budget], amounts(1, 0, 1)))).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
  })

  it('a call that was taken meanwhile goes on to its end here, within its share', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'down'
    await here.counters.take(request('h', [budget], amounts(1, 0, 900)))
    here.weather.now = 'up'
    await here.counters.tick()
    // A share of what is left, and what the call holds.
    expect(held(here.store)).toEqual([0, 1903])
    expect(await here.counters.holds(O)).toMatchObject([{}, { holdId: 'h', amounts: { costNanoUsd: 900 } }])
    // More than the share has: the store is asked for it.
    expect(await here.counters.grow(O, 'h', amounts(0, 0, 5000), LEASE_MS)).toMatchObject({ granted: true })
    expect(held(here.store)[1]).toBeGreaterThanOrEqual(5900)
    await here.counters.settle(O, 'h', amounts(1, 0, 5500))
    await here.counters.tick()
    expect(held(here.store)[0]).toBe(5500)
    await here.counters.close()
    expect(held(here.store)).toEqual([5500, 0])
  })

  it('settle() of a hold in the store waits until that is back', async () => {
    for (const weather of ['down', 'deaf'] as const) {
      const here = open()
      await here.counters.take(request('h', [budget], amounts(1, 0, 900)))
      await here.counters.take(request('i', [budget], amounts(1, 0, 900)))
      here.weather.now = weather
      expect(await here.counters.settle(O, 'h', amounts(1, 0, 700))).toBe(true)
      expect(await here.counters.settle(O, 'h', amounts(1, 0, 700))).toBe(false)
      expect(await here.counters.release(O, 'i')).toBe(true)
      here.weather.now = 'up'
      await here.counters.tick()
      await here.counters.close()
      expect(held(here.store)).toEqual([700, 0])
    }
  })

  it('grow() of a hold in the store takes from the share meanwhile', async () => {
    const here = open()
    await warmUp(here, [budget, hour, calls])
    await here.counters.take(request('h', [budget, hour, calls], amounts(1, 100, 900)))
    here.weather.now = 'down'
    const grow = (more: Amounts) => here.counters.grow(O, 'h', more, LEASE_MS)
    expect(await grow(amounts(0, 10, 600))).toMatchObject({ granted: true })
    expect(await grow(amounts(0, 10, 300))).toMatchObject({ granted: true })
    expect(await grow(amounts(0, 0, 0))).toMatchObject({ granted: true })
    await expect(grow(amounts(0, 0, 200))).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await here.counters.settle(O, 'h', amounts(1, 115, 1800))).toBe(true)
    here.weather.now = 'up'
    for (let round = 0; round < 3; round++) await here.counters.tick()
    await here.counters.close()
    expect(here.store.truth.read(O, [budget, hour, calls])).toMatchObject([
      { used: 1800, held: 0 },
      { used: 115, held: 0 },
      { used: 0, held: 0 },
    ])
  })

  it('take() that nobody heard of holds nothing twice once the store is back', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'deaf'
    expect(await here.counters.take(request('h', [budget], amounts(1, 0, 400)))).toMatchObject({
      granted: true,
    })
    expect(held(here.store)).toEqual([0, 1400])
    here.weather.now = 'up'
    await here.counters.tick()
    await here.counters.settle(O, 'h', amounts(1, 0, 400))
    await here.counters.tick()
    await here.counters.close()
    expect(held(here.store)).toEqual([400, 0])
  })

  it('a share is spent from only while no other process can have it', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'down'
    here.time.nowMs += (SHARE_LEASE_MS * 2) / 3 - 1
    expect(await here.counters.take(request('h', [budget], amounts(1, 0, 1)))).toMatchObject({
      granted: true,
    })
    here.time.nowMs += 1
    await expect(here.counters.take(request('i', [budget], amounts(1, 0, 1)))).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
  })

  it('a share is renewed in time, and given back when its meter is not used any more', async () => {
    const here = open()
    await warmUp(here)
    const [share] = here.store.truth.holds(O)
    for (let minutes = 0; minutes < 40; minutes++) {
      here.time.nowMs += MINUTE_MS
      if (minutes < 30) {
        await here.counters.take(request(`h${minutes}`, [budget], amounts(1, 0, 100)))
        await here.counters.release(O, `h${minutes}`)
      }
      await here.counters.tick()
      if (minutes < 30) expect(here.store.truth.holds(O).map(({ holdId }) => holdId)).toEqual([share?.holdId])
      expect(here.store.truth.abandoned(10)).toEqual([])
    }
    expect(here.store.truth.holds(O)).toEqual([])
    expect(here.counters.sizes.meters).toBe(0)
  })

  it('what was spent of a share that was given to others meanwhile is booked all the same', async () => {
    const here = open()
    await warmUp(here)
    here.weather.now = 'down'
    await here.counters.take(request('h', [budget], amounts(1, 0, 400)))
    await here.counters.take(request('i', [budget], amounts(1, 0, 400)))
    await here.counters.settle(O, 'h', amounts(1, 0, 300))
    here.time.nowMs += 2 * SHARE_LEASE_MS
    for (const { holdId } of here.store.truth.abandoned(10)) here.store.truth.release(O, holdId)
    here.weather.now = 'up'
    await here.counters.tick()
    await here.counters.tick()
    expect(held(here.store)).toEqual([300, 400])
    await here.counters.settle(O, 'i', amounts(1, 0, 350))
    await here.counters.tick()
    await here.counters.close()
    expect(held(here.store)).toEqual([650, 0])
  })

  it('abandoned() gives the share of a dead process back once the books have been compared', async () => {
    const here = open()
    await warmUp(here)
    const compared: string[] = []
    let failures = 1
    const { counters } = replicaOf(here.store, 'b', {
      async onDoubt(organizationId) {
        compared.push(organizationId)
        if (failures-- > 0) throw new Error('The books cannot be read.')
        // What the dead process spent of it.
        here.store.truth.adjust(organizationId, budget, 300)
      },
    })
    here.time.nowMs += SHARE_LEASE_MS + 1000
    expect(await counters.abandoned(10)).toEqual([])
    expect(held(here.store)).toEqual([0, 1000])
    here.time.nowMs += 11_000
    expect(await counters.abandoned(10)).toEqual([])
    expect(compared).toEqual([O, O])
    expect(held(here.store)).toEqual([300, 0])
  })

  it('abandoned() says nothing of the store while it is away and shortly after, when all renew what they hold', async () => {
    const here = open()
    await here.counters.take(request('h', [soft], amounts(1, 0, 400)))
    here.weather.now = 'down'
    await here.counters.take(request('i', [soft], amounts(1, 0, 400)))
    here.time.nowMs += LEASE_MS + 1000
    // The one that was taken here has been left by its caller.
    expect(await here.counters.abandoned(10)).toMatchObject([{ holdId: 'i', meterIds: [soft.id] }])
    here.weather.now = 'up'
    await here.counters.tick()
    expect(await here.counters.abandoned(10)).toEqual([])
    here.time.nowMs += 5000
    expect(await here.counters.abandoned(10)).toEqual([])
    here.time.nowMs += LEASE_MS
    expect((await here.counters.abandoned(10)).map(({ holdId }) => holdId).sort()).toEqual(['h', 'i'])
  })

  it('calls under way are held again after the store forgot them', async () => {
    const here = open({}, 'refuse')
    await here.counters.rebuild(O, await here.counters.generation(), [])
    await here.counters.take(request('h', [budget, calls], amounts(1, 0, 900)))
    await here.counters.tick()
    here.store.fallBack(0)
    const lost = { detail: { reason: 'counters_lost' } }
    const wanted = request('i', [budget, calls], amounts(1, 0, 31_100))
    await expect(here.counters.take(wanted)).rejects.toMatchObject(lost)
    const generation = await here.counters.generation()
    expect(await here.counters.rebuild(O, generation, [{ meter: budget, used: 200 }])).toBe(true)
    expect(here.store.truth.read(O, [budget, calls])).toMatchObject([
      { used: 200, held: 900 },
      { used: 0, held: 1 },
    ])
    expect(await here.counters.take(wanted)).toMatchObject({ granted: false })
    expect(await here.counters.settle(O, 'h', amounts(1, 0, 800))).toBe(true)
    await here.counters.close()
    expect(held(here.store)).toEqual([1000, 0])
  })

  it('what a lost call came to is booked where it could not be held again', async () => {
    const doubts: string[] = []
    const here = open({ onDoubt: (organizationId) => void doubts.push(organizationId) })
    await here.counters.tick()
    await here.counters.take(request('h', [budget, hour], amounts(1, 10, 900)))
    here.store.fallBack(0)
    expect(await here.counters.settle(O, 'h', amounts(1, 8, 800))).toBe(true)
    await here.counters.tick()
    expect(here.store.truth.read(O, [budget, hour])).toMatchObject([{ used: 800 }, { used: 8 }])
    expect(doubts).toEqual([O])
    expect(await here.counters.settle(O, 'h', amounts(1, 8, 800))).toBe(false)
  })

  it('adjust() with an id waits for the store, and counts once', async () => {
    for (const weather of ['down', 'deaf'] as const) {
      const here = open()
      here.weather.now = weather
      await here.counters.adjust(O, budget, 70, 'batch-1')
      await expect(here.counters.adjust(O, budget, 5)).rejects.toMatchObject({ code: 'storage_unavailable' })
      here.weather.now = 'up'
      await here.counters.tick()
      await here.counters.adjust(O, budget, 70, 'batch-1')
      expect(held(here.store)).toEqual(
        [weather === 'deaf' ? 75 : 70, 0].map((used, at) => (at === 0 ? 70 : used)),
      )
    }
  })

  it('everything else fails while the store is away', async () => {
    const heard: (string | undefined)[] = []
    const here = open({ onAway: (error) => void heard.push(error?.message) })
    here.weather.now = 'down'
    const { counters } = here
    for (const work of [
      () => counters.read(O, [budget]),
      () => counters.assign(O, budget, 1),
      () => counters.holds(O),
      () => counters.generation(),
      () => counters.sequence(),
      () => counters.grow(O, 'h', amounts(0, 1), LEASE_MS),
    ]) {
      await expect(work()).rejects.toMatchObject({ code: 'storage_unavailable' })
    }
    here.weather.now = 'up'
    await counters.tick()
    expect(await counters.read(O, [budget])).toHaveLength(1)
    expect(heard).toEqual([expect.any(String), undefined])
  })

  it('what waits has a bound', async () => {
    const here = open()
    here.weather.now = 'down'
    await expect(here.counters.read(O, [])).rejects.toThrow()
    for (let index = 0; index < 10_000; index++) await here.counters.settle(O, `h${index}`, amounts(1))
    await expect(here.counters.settle(O, 'one more', amounts(1))).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
    expect(here.counters.sizes.waiting).toBe(10_000)
  })

  it('shares are leased of the 10,000 meters that were used last', async () => {
    const here = open()
    for (let index = 0; index < 10_050; index++) {
      const meter = { ...budget, id: `key/${index}/budget` }
      await here.counters.take(request(`h${index}`, [meter], amounts(1, 0, 1)))
      await here.counters.release(O, `h${index}`)
    }
    expect(here.counters.sizes.meters).toBe(10_000)
    await here.counters.tick()
    expect(here.store.truth.holds(O)).toHaveLength(10_000)
    expect(held(here.store, { ...budget, id: 'key/10049/budget' })).toEqual([0, 1003])
    expect(held(here.store, { ...budget, id: 'key/0/budget' })).toEqual([0, 0])
  })
})
