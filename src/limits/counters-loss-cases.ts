import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { CountersTarget, OpenCounters } from './counters-samples.ts'
import { amounts, LEASE_MS, period, rolling } from './counters-samples.ts'
import type { Counters, Meter } from './ports.ts'

/** What happens once counters were declared lost. */
export function testLosses(open: OpenCounters): void {
  describe('rebuild()', () => {
    let target: CountersTarget | undefined
    beforeAll(async () => {
      target = await open({ unknown: 'refuse' })
    })
    afterAll(async () => {
      await target?.close()
    })
    const bench = () => {
      const [counters] = target?.replicas ?? []
      if (target === undefined || counters === undefined) throw new Error('The counters are not open.')
      return { target, counters, organizationId: randomUUID() }
    }
    const meter = rolling('key/K/tokens_per_hour', 'tokens', 100)
    const take = async (
      counters: Counters,
      organizationId: string,
      holdId: string,
      meters: Meter[] = [meter],
    ) => counters.take({ organizationId, holdId, meters, amounts: amounts(1, 10), leaseMs: LEASE_MS })

    it('rebuild() comes before the first take of an organization', async () => {
      const { counters, organizationId } = bench()
      const generation = await counters.generation()
      const lost = {
        code: 'storage_unavailable',
        detail: { reason: 'counters_lost', organizationId, generation },
      }
      await expect(take(counters, organizationId, 'h')).rejects.toMatchObject(lost)
      expect(await counters.rebuild(organizationId, generation, [{ meter, used: 85 }])).toBe(true)
      expect(await take(counters, organizationId, 'h')).toMatchObject({
        granted: true,
        states: [{ used: 85, held: 10 }],
      })
      expect(await take(counters, organizationId, 'i')).toMatchObject({ granted: false })
    })

    it('rebuild() is done by one of many', async () => {
      const { counters, organizationId, target } = bench()
      const generation = await counters.generation()
      const done = await Promise.all(
        [1, 2, 3, 4].map(async (index) => {
          const replica = target.replicas[index % target.replicas.length] ?? counters
          return replica.rebuild(organizationId, generation, [{ meter, used: 20 }])
        }),
      )
      expect(done.filter(Boolean)).toHaveLength(1)
      await take(counters, organizationId, 'h')
      await counters.settle(organizationId, 'h', amounts(1, 10))
      expect(await counters.rebuild(organizationId, generation, [{ meter, used: 20 }])).toBe(false)
      expect(await counters.read(organizationId, [meter])).toMatchObject([{ used: 30 }])
    })

    it('renewGeneration() has every organization rebuilt before it counts again, on all replicas', async () => {
      const { counters, organizationId, target } = bench()
      const before = await counters.generation()
      await counters.rebuild(organizationId, before, [])
      await take(counters, organizationId, 'h')
      const generation = await counters.renewGeneration(before)
      expect(generation).not.toBe(before)
      expect(await counters.renewGeneration(before)).toBe(generation)
      for (const replica of target.replicas) {
        const detail = { reason: 'counters_lost', organizationId, generation }
        expect(await replica.generation()).toBe(generation)
        await expect(take(replica, organizationId, 'i')).rejects.toMatchObject({ detail })
        await expect(
          (async () => replica.grow(organizationId, 'h', amounts(0, 1), LEASE_MS))(),
        ).rejects.toMatchObject({ detail })
      }
      expect(await counters.rebuild(organizationId, before, [])).toBe(false)
      expect(await counters.rebuild(organizationId, generation, [{ meter, used: 50 }])).toBe(true)
      // Calls that were under way are still held, and settle as ever.
      expect(await counters.read(organizationId, [meter])).toMatchObject([{ used: 50, held: 10 }])
      for (const replica of target.replicas) {
        expect(await take(replica, organizationId, 'i')).toMatchObject({ granted: true })
      }
      expect(await counters.settle(organizationId, 'h', amounts(1, 9))).toBe(true)
      expect(await counters.read(organizationId, [meter])).toMatchObject([{ used: 59, held: 10 }])
    })

    it('settle() and release() work whatever the generation', async () => {
      const { counters, organizationId } = bench()
      const generation = await counters.generation()
      await counters.rebuild(organizationId, generation, [])
      await take(counters, organizationId, 'a')
      await take(counters, organizationId, 'b')
      await counters.renewGeneration(generation)
      expect(await counters.settle(organizationId, 'a', amounts(1, 7))).toBe(true)
      expect(await counters.release(organizationId, 'b')).toBe(true)
      expect(await counters.read(organizationId, [meter])).toMatchObject([{ used: 7, held: 0 }])
    })

    it('adjust(), assign() and read() work before a rebuild, which puts the books in their place', async () => {
      const { counters, organizationId } = bench()
      const month = period('key/K/cost_per_month', 'costNanoUsd', 100, 0, 1)
      await counters.adjust(organizationId, month, 30)
      await counters.assign(organizationId, meter, 20)
      expect(await counters.read(organizationId, [month, meter])).toMatchObject([{ used: 30 }, { used: 20 }])
      // They do not make an organization one that is known.
      await expect(take(counters, organizationId, 'h')).rejects.toMatchObject({
        detail: { reason: 'counters_lost' },
      })
      const used = [
        { meter: month, used: 35 },
        { meter, used: 0 },
      ]
      expect(await counters.rebuild(organizationId, await counters.generation(), used)).toBe(true)
      await counters.adjust(organizationId, month, 5)
      expect(await counters.read(organizationId, [month, meter])).toMatchObject([{ used: 40 }, { used: 0 }])
    })

    it('sequence() grows with what is written', async () => {
      const { counters, organizationId } = bench()
      await counters.rebuild(organizationId, await counters.generation(), [])
      const month = period('key/K/cost_per_month', 'costNanoUsd', null, 0, 1)
      let before = await counters.sequence()
      for (let round = 0; round < 2; round++) {
        await expect
          .poll(
            async () => {
              await counters.assign(organizationId, month, round)
              return counters.sequence()
            },
            { timeout: 5000, interval: 100 },
          )
          .toBeGreaterThan(before)
        before = await counters.sequence()
      }
    })
  })
}
