import { describe, expect, it } from 'vitest'
import { amounts, type Bench, concurrency, LEASE_MS, MINUTE_MS, period, rolling } from './counters-samples.ts'
import type { Amounts, Hold, Meter, MeterState } from './ports.ts'

const HOUR_MS = 60 * MINUTE_MS
/** Due holds are found at the latest this long after their lease ended. */
const FOUND_MS = 1000
const CLAIM_MS = 10_000

/** What becomes of a hold. */
export function testHolds(bench: () => Bench): void {
  const take = async (here: Bench, holdId: string, meters: readonly Meter[], wanted: Amounts) => {
    const { counters, organizationId } = here
    const request = { organizationId, holdId, meters, amounts: wanted, leaseMs: LEASE_MS }
    expect(await counters.take(request)).toMatchObject({ granted: true })
  }
  const read = async ({ counters, organizationId }: Bench, ...meters: Meter[]) =>
    (await counters.read(organizationId, meters)).map(({ used, held }: MeterState) => [used, held])
  const abandoned = async ({ counters, organizationId }: Bench, max = 10_000) =>
    (await counters.abandoned(max)).filter((hold: Hold) => hold.organizationId === organizationId)

  describe('settle()', () => {
    it('settle() turns what was held into what it came to', async () => {
      const here = bench()
      const meters = [
        rolling('key/K/requests_per_minute', 'requests', 10),
        rolling('key/K/tokens_per_hour', 'tokens', 1000, HOUR_MS),
        period('organization/cost_per_month', 'costNanoUsd', null, here.target.time.nowMs, HOUR_MS),
        concurrency('key/K/concurrent_requests', 2),
      ]
      await take(here, 'h', meters, amounts(1, 400, 900))
      expect(await here.counters.settle(here.organizationId, 'h', amounts(0, 150, 1000))).toBe(true)
      expect(await read(here, ...meters)).toEqual([
        [1, 0],
        [150, 0],
        [1000, 0],
        [0, 0],
      ])
    })

    it('settle() happens once, on whichever replica', async () => {
      const here = bench()
      const meter = rolling('key/K/tokens_per_hour', 'tokens', 1000)
      await take(here, 'h', [meter], amounts(1, 400))
      const { replicas } = here.target
      const settled = await Promise.all(
        [0, 1, 2, 3, 4].map(async (index) => {
          const counters = replicas[index % replicas.length] ?? here.counters
          return counters.settle(here.organizationId, 'h', amounts(1, 100))
        }),
      )
      expect(settled.filter(Boolean)).toHaveLength(1)
      expect(await here.counters.release(here.organizationId, 'h')).toBe(false)
      expect(await here.counters.settle(here.organizationId, 'unknown', amounts(1))).toBe(false)
      expect(await read(here, meter)).toEqual([[100, 0]])
    })

    it('settle() books more than was held, and then nothing fits', async () => {
      const here = bench()
      const meter = rolling('key/K/tokens_per_hour', 'tokens', 100)
      await take(here, 'h', [meter], amounts(1, 100))
      await here.counters.settle(here.organizationId, 'h', amounts(1, 130))
      const { organizationId } = here
      const request = { organizationId, holdId: 'i', meters: [meter], leaseMs: LEASE_MS }
      expect(await here.counters.take({ ...request, amounts: amounts(1, 1) })).toMatchObject({
        granted: false,
        states: [{ used: 130, held: 0 }],
      })
    })

    it('settle() leaves a new window alone when the one it held in has ended', async () => {
      const here = bench()
      const meters = [
        rolling('key/K/tokens_per_minute', 'tokens', 100),
        rolling('key/K/requests_per_minute', 'requests', 10),
      ]
      await take(here, 'old', meters, amounts(1, 90))
      here.target.time.nowMs += MINUTE_MS
      expect(await read(here, ...meters)).toEqual([
        [0, 0],
        [0, 0],
      ])
      await take(here, 'new', meters, amounts(1, 100))
      await here.counters.settle(here.organizationId, 'old', amounts(1, 95))
      expect(await read(here, ...meters)).toEqual([
        [0, 100],
        [0, 1],
      ])
    })

    it('settle() books into the period in which it was taken', async () => {
      const here = bench()
      const { time } = here.target
      const january = period('organization/cost_per_month', 'costNanoUsd', 100, time.nowMs, HOUR_MS)
      const february = period(
        'organization/cost_per_month',
        'costNanoUsd',
        100,
        time.nowMs + HOUR_MS,
        HOUR_MS,
      )
      await take(here, 'old', [january], amounts(1, 0, 60))
      time.nowMs += HOUR_MS
      await take(here, 'new', [february], amounts(1, 0, 100))
      await here.counters.settle(here.organizationId, 'old', amounts(1, 0, 40))
      await here.counters.settle(here.organizationId, 'new', amounts(1, 0, 99))
      expect(await read(here, january, february)).toEqual([
        [40, 0],
        [99, 0],
      ])
    })
  })

  describe('release()', () => {
    it('release() gives everything back, the request included', async () => {
      const here = bench()
      const meters = [
        rolling('key/K/requests_per_minute', 'requests', 1),
        rolling('key/K/tokens_per_hour', 'tokens', 100),
        period('key/K/cost_per_month', 'costNanoUsd', 100, here.target.time.nowMs, HOUR_MS),
        concurrency('key/K/concurrent_requests', 1),
      ]
      for (const holdId of ['a', 'b', 'c']) {
        await take(here, holdId, meters, amounts(1, 100, 100))
        expect(await here.counters.release(here.organizationId, holdId)).toBe(true)
        expect(await here.counters.release(here.organizationId, holdId)).toBe(false)
      }
      expect(await read(here, ...meters)).toEqual(meters.map(() => [0, 0]))
    })
  })

  describe('grow()', () => {
    it('grow() adds to all meters or to none', async () => {
      const here = bench()
      const meters = [
        rolling('organization/tokens_per_hour', 'tokens', 100),
        rolling('key/K/cost_per_day', 'costNanoUsd', 50),
        concurrency('key/K/concurrent_requests', 1),
      ]
      const grow = (more: Amounts) => here.counters.grow(here.organizationId, 'h', more, LEASE_MS)
      await take(here, 'h', meters, amounts(1, 10, 10))
      expect(await grow(amounts(0, 20, 30))).toMatchObject({
        granted: true,
        states: [{ held: 30 }, { held: 40 }, { held: 1 }],
      })
      expect(await grow(amounts(0, 20, 11))).toMatchObject({
        granted: false,
        refusedBy: meters[1]?.id,
        retryAfterMs: MINUTE_MS,
        states: [{ held: 30 }, { held: 40 }, { held: 1 }],
      })
      expect(await grow(amounts(0, 71, 0))).toMatchObject({ granted: false, refusedBy: meters[0]?.id })
      expect(await grow(amounts(0, 70, 10))).toMatchObject({ granted: true })
      const [hold] = await here.counters.holds(here.organizationId)
      expect(hold?.amounts).toEqual(amounts(1, 100, 50))
      await here.counters.settle(here.organizationId, 'h', amounts(1, 77, 44))
      expect(await read(here, ...meters)).toEqual([
        [77, 0],
        [44, 0],
        [0, 0],
      ])
    })

    it('grow() knows no hold that has ended', async () => {
      const here = bench()
      await take(here, 'h', [rolling('key/K/tokens_per_hour', 'tokens', 100)], amounts(1, 10))
      await here.counters.settle(here.organizationId, 'h', amounts(1, 10))
      expect(await here.counters.grow(here.organizationId, 'h', amounts(0, 1), LEASE_MS)).toBeUndefined()
      expect(await here.counters.grow(here.organizationId, 'never', amounts(0, 1), LEASE_MS)).toBeUndefined()
    })

    it('grow() obeys a limit that was lowered meanwhile', async () => {
      const here = bench()
      const meter = rolling('key/K/tokens_per_hour', 'tokens', 100)
      await take(here, 'h', [meter], amounts(1, 10))
      const { counters, organizationId } = here
      const lowered = { organizationId, holdId: 'i', meters: [{ ...meter, limit: 12 }], leaseMs: LEASE_MS }
      expect(await counters.take({ ...lowered, amounts: amounts(1, 3) })).toMatchObject({ granted: false })
      expect(await counters.grow(organizationId, 'h', amounts(0, 3), LEASE_MS)).toMatchObject({
        granted: false,
        states: [{ limit: 12, held: 10 }],
      })
      expect(await counters.grow(organizationId, 'h', amounts(0, 2), LEASE_MS)).toMatchObject({
        granted: true,
      })
    })

    it('grow() counts in the window that is open now, and settle() books the rest there', async () => {
      const here = bench()
      const { time } = here.target
      const minute = rolling('key/K/tokens_per_minute', 'tokens', 100)
      const month = period('key/K/cost_per_month', 'costNanoUsd', 100, time.nowMs, MINUTE_MS)
      await take(here, 'h', [minute, month], amounts(1, 80, 10))
      time.nowMs += MINUTE_MS
      expect(await here.counters.grow(here.organizationId, 'h', amounts(0, 50, 5), LEASE_MS)).toMatchObject({
        granted: true,
        states: [
          { used: 0, held: 50, resetsAtMs: time.nowMs + MINUTE_MS },
          { used: 0, held: 15, resetsAtMs: time.nowMs },
        ],
      })
      // 80 of these belong to the minute that is gone.
      await here.counters.settle(here.organizationId, 'h', amounts(1, 110, 12))
      expect(await read(here, minute, month)).toEqual([
        [30, 0],
        [12, 0],
      ])
    })

    it('grow() renews the lease', async () => {
      const here = bench()
      const { time } = here.target
      await take(here, 'h', [rolling('key/K/tokens_per_hour', 'tokens', null)], amounts(1, 1))
      for (let round = 0; round < 5; round++) {
        time.nowMs += LEASE_MS - 1
        expect(await abandoned(here)).toEqual([])
        await here.counters.grow(here.organizationId, 'h', amounts(0, 1), LEASE_MS)
      }
      time.nowMs += LEASE_MS + FOUND_MS
      expect(await abandoned(here)).toMatchObject([{ holdId: 'h', amounts: amounts(1, 6) }])
      expect(await here.counters.settle(here.organizationId, 'h', amounts(1))).toBe(true)
    })
  })

  describe('abandoned()', () => {
    it('abandoned() finds each hold once its lease has ended, and not before', async () => {
      const here = bench()
      const { time } = here.target
      const meters = [
        rolling('key/K/tokens_per_minute', 'tokens', null, 10 * MINUTE_MS),
        concurrency('key/K/concurrent_requests', 5),
      ]
      const takenAtMs = time.nowMs
      await take(here, 'dead', meters, amounts(1, 5, 7))
      await take(here, 'done', meters, amounts(1, 5, 7))
      await here.counters.settle(here.organizationId, 'done', amounts(1))
      time.nowMs += LEASE_MS - 1
      expect(await abandoned(here)).toEqual([])
      time.nowMs += 1 + FOUND_MS
      const found = await abandoned(here)
      expect(found).toEqual([
        {
          organizationId: here.organizationId,
          holdId: 'dead',
          amounts: amounts(1, 5, 7),
          meterIds: meters.map(({ id }) => id),
          takenAtMs,
          leaseEndsMs: takenAtMs + LEASE_MS,
        },
      ])
      // It holds until somebody says what became of it.
      expect(await read(here, ...meters)).toEqual([
        [0, 5],
        [0, 1],
      ])
      expect(await here.counters.settle(here.organizationId, 'dead', amounts(1, 4))).toBe(true)
      expect(await read(here, ...meters)).toEqual([
        [4, 0],
        [0, 0],
      ])
      time.nowMs += 10 * LEASE_MS
      expect(await abandoned(here)).toEqual([])
    })

    it('abandoned() hands a hold to one asker at a time', async () => {
      const here = bench()
      const { replicas, time } = here.target
      const ids = Array.from({ length: 30 }, (_, index) => `h${index}`)
      for (const id of ids) await take(here, id, [concurrency('key/K/concurrent_requests', 99)], amounts(1))
      time.nowMs += LEASE_MS + FOUND_MS
      const askers = [0, 1, 2].map((index) => replicas[index % replicas.length] ?? here.counters)
      const found = await Promise.all(askers.map((counters) => abandoned({ ...here, counters })))
      expect(
        found
          .flat()
          .map(({ holdId }) => holdId)
          .sort(),
      ).toEqual(ids.sort())
      expect(await abandoned(here)).toEqual([])
      time.nowMs += CLAIM_MS + FOUND_MS
      expect(await abandoned(here)).toHaveLength(30)
      for (const id of ids) await here.counters.release(here.organizationId, id)
    })

    it('abandoned() returns no more than it is asked for, and the rest to the next', async () => {
      const here = bench()
      const ids = Array.from({ length: 12 }, (_, index) => `h${index}`)
      for (const id of ids) await take(here, id, [], amounts(1))
      here.target.time.nowMs += LEASE_MS + FOUND_MS
      const found: string[] = []
      // Those of other tests may come first.
      for (let round = 0; round < 100 && found.length < ids.length; round++) {
        const holds = await here.counters.abandoned(5)
        expect(holds.length).toBeLessThanOrEqual(5)
        for (const hold of holds) if (hold.organizationId === here.organizationId) found.push(hold.holdId)
      }
      expect(found.sort()).toEqual(ids.sort())
      for (const id of ids) await here.counters.release(here.organizationId, id)
    })

    it('abandoned() finds what was taken after it found nothing', async () => {
      const here = bench()
      for (const holdId of ['first', 'second']) {
        await take(here, `${holdId} done`, [], amounts(1))
        await here.counters.settle(here.organizationId, `${holdId} done`, amounts(1))
        here.target.time.nowMs += LEASE_MS + FOUND_MS
        expect(await abandoned(here)).toEqual([])
        await take(here, holdId, [], amounts(1))
        here.target.time.nowMs += LEASE_MS + FOUND_MS
        expect(await abandoned(here)).toMatchObject([{ holdId }])
        await here.counters.release(here.organizationId, holdId)
      }
    })

    it('abandoned() finds holds whose shorter leases were taken later', async () => {
      const here = bench()
      const { counters, organizationId } = here
      const meters = [concurrency('key/K/concurrent_requests', null)]
      for (const [holdId, leaseMs] of [
        ['long', 3_600_000],
        ['short', 10],
        ['middle', 7_000],
      ] as const) {
        await counters.take({ organizationId, holdId, meters, amounts: amounts(1), leaseMs })
      }
      for (const [ms, holdId] of [
        [2000, 'short'],
        [7000, 'middle'],
        [3_600_000, 'long'],
      ] as const) {
        here.target.time.nowMs += ms
        expect(await abandoned(here)).toMatchObject([{ holdId }])
        await counters.release(organizationId, holdId)
      }
    })
  })

  describe('assign()', () => {
    it('assign() puts the used amount right and leaves what is held', async () => {
      const here = bench()
      const { time } = here.target
      const month = period('organization/cost_per_month', 'costNanoUsd', 100, time.nowMs, HOUR_MS)
      const hour = rolling('key/K/tokens_per_hour', 'tokens', 100, HOUR_MS)
      await take(here, 'h', [month, hour], amounts(1, 10, 20))
      await here.counters.assign(here.organizationId, month, 70)
      await here.counters.assign(here.organizationId, hour, 0)
      expect(await read(here, month, hour)).toEqual([
        [70, 20],
        [0, 10],
      ])
      await here.counters.settle(here.organizationId, 'h', amounts(1, 5, 15))
      expect(await read(here, month, hour)).toEqual([
        [85, 0],
        [5, 0],
      ])
    })

    it('assign() opens a window where none is open', async () => {
      const here = bench()
      const { time } = here.target
      const meter = rolling('key/K/tokens_per_hour', 'tokens', 100, HOUR_MS)
      await here.counters.assign(here.organizationId, meter, 40)
      expect(await here.counters.read(here.organizationId, [meter])).toEqual([
        { id: meter.id, limit: 100, used: 40, held: 0, resetsAtMs: time.nowMs + HOUR_MS },
      ])
      time.nowMs += HOUR_MS
      expect(await read(here, meter)).toEqual([[0, 0]])
    })

    it('assign() leaves calls under way alone', async () => {
      const here = bench()
      const meter = concurrency('key/K/concurrent_requests', 2)
      await here.counters.assign(here.organizationId, meter, 2)
      await take(here, 'h', [meter], amounts(1))
      await here.counters.assign(here.organizationId, meter, 2)
      expect(await read(here, meter)).toEqual([[0, 1]])
    })
  })

  describe('adjust()', () => {
    it('adjust() adds and takes away, down to 0, and leaves what is held', async () => {
      const here = bench()
      const { time } = here.target
      const { counters, organizationId } = here
      const month = period('organization/cost_per_month', 'costNanoUsd', 100, time.nowMs, HOUR_MS)
      await take(here, 'h', [month], amounts(1, 0, 20))
      await counters.adjust(organizationId, month, 70)
      expect(await read(here, month)).toEqual([[70, 20]])
      // It never refuses, and what is over the limit refuses the next.
      await counters.adjust(organizationId, month, 50)
      expect(await read(here, month)).toEqual([[120, 20]])
      await counters.adjust(organizationId, month, -119)
      await counters.settle(organizationId, 'h', amounts(1, 0, 15))
      expect(await read(here, month)).toEqual([[16, 0]])
      await counters.adjust(organizationId, month, -17)
      expect(await read(here, month)).toEqual([[0, 0]])
    })

    it('adjust() opens a window only for what is more than nothing', async () => {
      const here = bench()
      const { time } = here.target
      const meter = rolling('key/K/tokens_per_hour', 'tokens', 100, HOUR_MS)
      await here.counters.adjust(here.organizationId, meter, -5)
      await here.counters.adjust(here.organizationId, meter, 0)
      const state = { id: meter.id, limit: 100, used: 0, held: 0, resetsAtMs: null }
      expect(await here.counters.read(here.organizationId, [meter])).toEqual([state])
      await here.counters.adjust(here.organizationId, meter, 40)
      const opened = { ...state, used: 40, resetsAtMs: time.nowMs + HOUR_MS }
      expect(await here.counters.read(here.organizationId, [meter])).toEqual([opened])
      time.nowMs += HOUR_MS
      await here.counters.adjust(here.organizationId, meter, 3)
      expect(await read(here, meter)).toEqual([[3, 0]])
    })

    it('adjust() counts in the period that is named, also a former one', async () => {
      const here = bench()
      const { time } = here.target
      const { counters, organizationId } = here
      const named = (startMs: number) =>
        period('organization/cost_per_month', 'costNanoUsd', 100, startMs, HOUR_MS)
      const january = named(time.nowMs)
      const february = named(time.nowMs + HOUR_MS)
      await counters.adjust(organizationId, january, 10)
      time.nowMs += HOUR_MS
      await counters.adjust(organizationId, february, 20)
      await counters.adjust(organizationId, january, 1)
      expect(await read(here, january, february)).toEqual([
        [11, 0],
        [20, 0],
      ])
    })

    it('adjust() goes by the limit and the length that are named now', async () => {
      const here = bench()
      const { counters, organizationId } = here
      const openedMs = here.target.time.nowMs
      const meter = rolling('key/K/tokens_per_hour', 'tokens', 100, HOUR_MS)
      await take(here, 'h', [meter], amounts(1, 10))
      here.target.time.nowMs += 1
      await counters.adjust(organizationId, { ...meter, limit: 12, window: { kind: 'rolling', ms: 50 } }, 1)
      expect(await counters.grow(organizationId, 'h', amounts(0, 2), LEASE_MS)).toMatchObject({
        granted: false,
        states: [{ limit: 12, used: 1, held: 10, resetsAtMs: openedMs + 50 }],
      })
    })

    it('adjust() with an id counts once on each meter, on whichever replica, for a day', async () => {
      const here = bench()
      const { replicas, time } = here.target
      const { counters, organizationId } = here
      const meters = [
        period('organization/cost_per_month', 'costNanoUsd', 100, time.nowMs, 48 * HOUR_MS),
        period('organization/cost_per_month', 'costNanoUsd', 100, time.nowMs + 48 * HOUR_MS, 48 * HOUR_MS),
        period('key/K/cost_per_month', 'costNanoUsd', null, time.nowMs, 48 * HOUR_MS),
      ]
      const everywhere = async (id: string) => {
        await Promise.all(
          meters.flatMap((meter) =>
            [0, 1, 2, 3].map(async (index) => {
              const replica = replicas[index % replicas.length] ?? counters
              await replica.adjust(organizationId, meter, 10, id)
            }),
          ),
        )
      }
      await everywhere('a')
      expect(await read(here, ...meters)).toEqual(meters.map(() => [10, 0]))
      await everywhere('b')
      time.nowMs += 24 * HOUR_MS - 1
      await everywhere('a')
      expect(await read(here, ...meters)).toEqual(meters.map(() => [20, 0]))
      time.nowMs += 1
      await counters.adjust(organizationId, meters[0] as Meter, 10, 'a')
      expect(await read(here, meters[0] as Meter)).toEqual([[30, 0]])
      const there = bench()
      await counters.adjust(there.organizationId, meters[0] as Meter, 10, 'a')
      expect(await read(there, meters[0] as Meter)).toEqual([[10, 0]])
    })

    it('adjust() leaves calls under way alone, stops at the largest number, and counts whole ones only', async () => {
      const here = bench()
      const { counters, organizationId } = here
      const calls = concurrency('key/K/concurrent_requests', 2)
      await take(here, 'h', [calls], amounts(1))
      await counters.adjust(organizationId, calls, 1)
      expect(await read(here, calls)).toEqual([[0, 1]])
      const meter = rolling('key/K/cost_per_day', 'costNanoUsd', null)
      await counters.adjust(organizationId, meter, Number.MAX_SAFE_INTEGER - 1)
      await counters.adjust(organizationId, meter, 7)
      expect(await read(here, meter)).toEqual([[Number.MAX_SAFE_INTEGER, 0]])
      for (const delta of [0.5, Number.NaN, Number.MAX_SAFE_INTEGER + 1]) {
        await expect((async () => counters.adjust(organizationId, meter, delta))()).rejects.toThrow()
      }
    })
  })

  describe('notes', () => {
    it('take() keeps a note of any text with the hold, as it was first taken', async () => {
      const here = bench()
      const { counters, organizationId } = here
      const notes = { none: undefined, empty: '', text: '={"a":"\\"ä😀\n"}', large: 'x'.repeat(4096) }
      for (const [holdId, note] of Object.entries(notes)) {
        const request = { organizationId, holdId, meters: [], amounts: amounts(1), leaseMs: LEASE_MS }
        await counters.take({ ...request, note })
        await counters.take({ ...request, note: 'another' })
        await counters.grow(organizationId, holdId, amounts(0, 1), LEASE_MS)
      }
      const noted = (holds: readonly Hold[]) =>
        Object.fromEntries(holds.map(({ holdId, note }) => [holdId, note]))
      expect(noted(await counters.holds(organizationId))).toEqual(notes)
      here.target.time.nowMs += LEASE_MS + FOUND_MS
      expect(noted(await abandoned(here))).toEqual(notes)
      for (const holdId of Object.keys(notes)) await counters.release(organizationId, holdId)
    })

    it('take() refuses a note of more than 4 kB', async () => {
      const { counters, organizationId } = bench()
      const request = { organizationId, holdId: 'h', meters: [], amounts: amounts(1), leaseMs: LEASE_MS }
      const note = `${'x'.repeat(4095)}ä`
      await expect((async () => counters.take({ ...request, note }))()).rejects.toThrow('4096 bytes')
    })
  })

  describe('holds()', () => {
    it('holds() lists what is open, of one organization', async () => {
      const here = bench()
      const there = bench()
      const meters = [rolling('key/K/tokens_per_hour', 'tokens', null)]
      const { nowMs } = here.target.time
      await take(here, 'a', meters, amounts(1, 2, 3))
      await take(here, 'b', meters, amounts(1))
      await take(there, 'c', meters, amounts(1))
      await here.counters.release(here.organizationId, 'b')
      expect(await here.counters.holds(here.organizationId)).toEqual([
        {
          organizationId: here.organizationId,
          holdId: 'a',
          amounts: amounts(1, 2, 3),
          meterIds: ['key/K/tokens_per_hour'],
          takenAtMs: nowMs,
          leaseEndsMs: nowMs + LEASE_MS,
        },
      ])
      for (const end of [here, there]) {
        for (const { holdId } of await end.counters.holds(end.organizationId)) {
          await end.counters.release(end.organizationId, holdId)
        }
      }
    })
  })
}
