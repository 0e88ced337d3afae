import { describe, expect, it } from 'vitest'
import {
  amounts,
  type Bench,
  concurrency,
  LEASE_MS,
  MINUTE_MS,
  NEVER,
  period,
  rolling,
} from './counters-samples.ts'
import type { Amounts, Meter, TakeResult } from './ports.ts'

const LARGEST = Number.MAX_SAFE_INTEGER

/** Taking, and what it is told. */
export function testTakes(bench: () => Bench): void {
  const take = (
    { counters, organizationId }: Bench,
    holdId: string,
    meters: readonly Meter[],
    wanted: Amounts,
  ): Promise<TakeResult> =>
    Promise.resolve(counters.take({ organizationId, holdId, meters, amounts: wanted, leaseMs: LEASE_MS }))

  describe('take()', () => {
    it('take() holds on every meter in its own quantity', async () => {
      const here = bench()
      const { nowMs } = here.target.time
      const meters = [
        rolling('organization/requests_per_minute', 'requests', 60),
        rolling('team/T/tokens_per_hour', 'tokens', 1000, 60 * MINUTE_MS),
        period('key/K/cost_per_month', 'costNanoUsd', 5000, nowMs - 10, 1000),
        concurrency('user/U/concurrent_requests', 4),
        rolling('tag/deal=D-1/cost_per_day', 'costNanoUsd', null),
      ]
      expect(await take(here, 'h', meters, amounts(1, 300, 4000))).toEqual({
        granted: true,
        states: [
          { id: meters[0]?.id, limit: 60, used: 0, held: 1, resetsAtMs: nowMs + MINUTE_MS },
          { id: meters[1]?.id, limit: 1000, used: 0, held: 300, resetsAtMs: nowMs + 60 * MINUTE_MS },
          { id: meters[2]?.id, limit: 5000, used: 0, held: 4000, resetsAtMs: nowMs + 990 },
          { id: meters[3]?.id, limit: 4, used: 0, held: 1, resetsAtMs: null },
          { id: meters[4]?.id, limit: null, used: 0, held: 4000, resetsAtMs: nowMs + MINUTE_MS },
        ],
      })
    })

    it.each([0, 1, 2, 3, 4])('take() holds nothing anywhere when meter %i refuses', async (refusing) => {
      const here = bench()
      const scopes = ['organization', 'team/T', 'key/K', 'user/U', 'tag/a=b']
      const meters = scopes.map((scope, index) =>
        rolling(`${scope}/tokens_per_hour`, 'tokens', index === refusing ? 99 : 100),
      )
      const before = await here.counters.read(here.organizationId, meters)
      const result = await take(here, 'h', meters, amounts(1, 100))
      expect(result).toMatchObject({ granted: false, refusedBy: meters[refusing]?.id })
      expect(result.states).toEqual(before)
      expect(await here.counters.read(here.organizationId, meters)).toEqual(before)
      expect(await here.counters.holds(here.organizationId)).toEqual([])
      expect(await take(here, 'h', meters, amounts(1, 99))).toMatchObject({ granted: true })
    })

    it('take() grants exactly 60 of 100 at once, and the next 60 when the window is over', async () => {
      const here = bench()
      const { replicas, time } = here.target
      const meters = [rolling('organization/requests_per_minute', 'requests', 60)]
      for (const round of ['a', 'b']) {
        const results = await Promise.all(
          Array.from({ length: 100 }, (_, index) => {
            const counters = replicas[index % replicas.length] ?? here.counters
            return take({ ...here, counters }, `${round}${index}`, meters, amounts(1))
          }),
        )
        expect(results.filter(({ granted }) => granted)).toHaveLength(60)
        for (const result of results) {
          if (!result.granted) expect(result.retryAfterMs).toBe(MINUTE_MS)
        }
        time.nowMs += MINUTE_MS
      }
    })

    it('take() says to the millisecond when a rolling window begins anew', async () => {
      const here = bench()
      const { time } = here.target
      const meters = [rolling('key/K/requests_per_minute', 'requests', 1)]
      expect(await take(here, '1', meters, amounts(1))).toMatchObject({ granted: true })
      time.nowMs += 12_345
      const early = { granted: false, refusedBy: 'key/K/requests_per_minute', retryAfterMs: 47_655 }
      expect(await take(here, '2', meters, amounts(1))).toMatchObject(early)
      time.nowMs += 47_654
      expect(await take(here, '2', meters, amounts(1))).toMatchObject({ ...early, retryAfterMs: 1 })
      time.nowMs += 1
      const states = [{ id: meters[0]?.id, limit: 1, used: 0, held: 1, resetsAtMs: time.nowMs + MINUTE_MS }]
      expect(await take(here, '2', meters, amounts(1))).toEqual({ granted: true, states })
    })

    it('take() begins a window at the first use, not at a refusal or a reading', async () => {
      const here = bench()
      const { time } = here.target
      const meter = rolling('key/K/tokens_per_minute', 'tokens', 10)
      await take(here, '1', [meter], amounts(1, 11))
      const unopened = [{ id: meter.id, limit: 10, used: 0, held: 0, resetsAtMs: null }]
      expect(await here.counters.read(here.organizationId, [meter])).toEqual(unopened)
      time.nowMs += 5
      const result = await take(here, '1', [meter], amounts(1, 10))
      expect(result.states).toMatchObject([{ resetsAtMs: time.nowMs + MINUTE_MS }])
    })

    it('take() says null where no window would help', async () => {
      const here = bench()
      const budget = rolling('key/K/tokens_per_minute', 'tokens', 10)
      expect(await take(here, '1', [budget], amounts(1, 11))).toMatchObject({ retryAfterMs: null })
      const calls = concurrency('key/K/concurrent_requests', 1)
      await take(here, '2', [calls], amounts(1))
      expect(await take(here, '3', [calls], amounts(1))).toMatchObject({ granted: false, retryAfterMs: null })
    })

    it('take() names the meter that frees latest', async () => {
      const here = bench()
      const calls = concurrency('key/K/concurrent_requests', 1)
      const minute = rolling('key/K/tokens_per_minute', 'tokens', 10)
      const hour = rolling('key/K/tokens_per_hour', 'tokens', 10, 60 * MINUTE_MS)
      const never = rolling('key/K/tokens_per_day', 'tokens', 4)
      await take(here, '1', [calls, minute, hour], amounts(1, 10))
      const refusals: [Meter[], string, number | null][] = [
        [[calls, minute], minute.id, MINUTE_MS],
        [[hour, minute], hour.id, 60 * MINUTE_MS],
        [[minute, hour, calls], hour.id, 60 * MINUTE_MS],
        [[hour, never], never.id, null],
      ]
      for (const [meters, refusedBy, retryAfterMs] of refusals) {
        expect(await take(here, '2', meters, amounts(1, 5))).toMatchObject({ refusedBy, retryAfterMs })
      }
    })

    it('take() of a hold that is open is granted again and holds nothing more', async () => {
      const here = bench()
      const meters = [
        rolling('key/K/requests_per_minute', 'requests', 1),
        concurrency('key/K/concurrent_requests', 1),
      ]
      const first = await take(here, 'h', meters, amounts(1))
      const { replicas } = here.target
      const counters = replicas[1] ?? here.counters
      expect(await take({ ...here, counters }, 'h', meters, amounts(1))).toEqual(first)
      expect(await here.counters.release(here.organizationId, 'h')).toBe(true)
      expect(await here.counters.read(here.organizationId, meters)).toMatchObject([{ held: 0 }, { held: 0 }])
    })

    it('take() is not refused by a meter of which it wants nothing', async () => {
      const here = bench()
      const meter = period('organization/cost_per_month', 'costNanoUsd', 10, here.target.time.nowMs, 1000)
      await here.counters.assign(here.organizationId, meter, 11)
      expect(await take(here, '1', [meter], amounts(1, 5, 0))).toMatchObject({ granted: true })
      expect(await take(here, '2', [meter], amounts(1, 5, 1))).toMatchObject({ granted: false })
    })

    it('take() goes by the limit and the length that are named now', async () => {
      const here = bench()
      const { time } = here.target
      const named = (limit: number | null, ms = MINUTE_MS) => [
        rolling('key/K/tokens_per_minute', 'tokens', limit, ms),
      ]
      const openedMs = time.nowMs
      await take(here, '1', named(10), amounts(1, 10))
      expect(await take(here, '2', named(10), amounts(1, 1))).toMatchObject({ granted: false })
      expect(await take(here, '2', named(11), amounts(1, 1))).toMatchObject({ granted: true })
      expect(await take(here, '3', named(null), amounts(1, 50))).toMatchObject({ granted: true })
      time.nowMs += 100
      expect(await take(here, '4', named(5, 5000), amounts(1, 1))).toMatchObject({ retryAfterMs: 4900 })
      expect(await take(here, '4', named(5, 101), amounts(1, 1))).toMatchObject({ retryAfterMs: 1 })
      expect(await take(here, '5', named(5, 100), amounts(1, 1))).toMatchObject({
        granted: true,
        states: [{ used: 0, held: 1, resetsAtMs: openedMs + 200 }],
      })
    })

    it('take() on a meter without a window counts for good', async () => {
      const here = bench()
      const meter: Meter = { id: 'key/K/tokens_ever', quantity: 'tokens', limit: 10, window: NEVER }
      await take(here, '1', [meter], amounts(1, 8))
      await here.counters.settle(here.organizationId, '1', amounts(1, 6))
      here.target.time.nowMs += 100 * 86_400_000
      expect(await take(here, '2', [meter], amounts(1, 5))).toMatchObject({
        granted: false,
        retryAfterMs: null,
        states: [{ used: 6, held: 0, resetsAtMs: null }],
      })
    })

    it('take() keeps organizations apart', async () => {
      const here = bench()
      const there = bench()
      const meters = [rolling('organization/requests_per_minute', 'requests', 1)]
      expect(await take(here, 'h', meters, amounts(1))).toMatchObject({ granted: true })
      expect(await take(there, 'h', meters, amounts(1))).toMatchObject({ granted: true })
      expect(await there.counters.release(there.organizationId, 'h')).toBe(true)
      expect(await here.counters.read(here.organizationId, meters)).toMatchObject([{ held: 1 }])
    })

    it('take() works with any text in ids', async () => {
      const here = bench()
      const ids = ['a b', 'line\nbreak', '"quoted" \\', 'ä€😀', '{brace}', '100 %s %d', 'x@y', ';', 'limit=3']
      const meters = ids.map((id) => rolling(`user/${id}/tokens_per_hour`, 'tokens', 10))
      for (const id of ids) {
        expect(await take(here, id, meters, amounts(1, 1))).toMatchObject({ granted: true })
      }
      const grown = await here.counters.grow(here.organizationId, 'a b', amounts(0, 1), LEASE_MS)
      expect(grown?.states.map(({ id }) => id)).toEqual(meters.map(({ id }) => id))
      const holds = await here.counters.holds(here.organizationId)
      expect(holds.map(({ holdId }) => holdId).sort()).toEqual([...ids].sort())
      expect(holds[0]?.meterIds).toEqual(meters.map(({ id }) => id))
      for (const id of ids) await here.counters.settle(here.organizationId, id, amounts(1, 1))
      for (const state of await here.counters.read(here.organizationId, meters)) {
        expect(state).toMatchObject({ used: ids.length, held: 0 })
      }
    })

    it('take() is exact to the largest number, and refuses or stops there', async () => {
      const here = bench()
      const limited = rolling('key/K/cost_per_day', 'costNanoUsd', LARGEST)
      const counted = rolling('key/K/cost_per_hour', 'costNanoUsd', null)
      await take(here, '1', [limited, counted], amounts(1, 0, LARGEST - 1))
      expect(await take(here, '2', [limited], amounts(1, 0, 2))).toMatchObject({ granted: false })
      expect(await take(here, '2', [limited], amounts(1, 0, 1))).toMatchObject({ granted: true })
      await here.counters.settle(here.organizationId, '1', amounts(1, 0, LARGEST - 2))
      const states = [
        { used: LARGEST - 2, held: 1 },
        { used: LARGEST - 2, held: 0 },
      ]
      expect(await here.counters.read(here.organizationId, [limited, counted])).toMatchObject(states)
      expect(await take(here, '3', [counted], amounts(1, 0, 7))).toMatchObject({ granted: true })
      await here.counters.settle(here.organizationId, '3', amounts(1, 0, 7))
      expect(await here.counters.read(here.organizationId, [counted])).toMatchObject([{ used: LARGEST }])
    })

    it('take() refuses to count what is not a whole number, or one meter twice', async () => {
      const here = bench()
      const meter = rolling('key/K/tokens_per_minute', 'tokens', 10)
      const wrong: [readonly Meter[], Amounts][] = [
        [[meter], amounts(1, 0.5)],
        [[meter], amounts(1, -1)],
        [[meter], amounts(1, Number.NaN)],
        [[meter], amounts(1, LARGEST + 1)],
        [[{ ...meter, limit: 1.5 }], amounts(1)],
        [[{ ...meter, limit: -1 }], amounts(1)],
        [[{ ...meter, window: { kind: 'rolling', ms: 0 } }], amounts(1)],
        [[meter, meter], amounts(1)],
      ]
      for (const [meters, wanted] of wrong) {
        await expect((async () => take(here, 'h', meters, wanted))()).rejects.toThrow()
      }
      expect(await here.counters.holds(here.organizationId)).toEqual([])
    })
  })
}
