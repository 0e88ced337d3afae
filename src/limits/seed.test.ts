import { describe, expect, it } from 'vitest'
import { MemoryCounters } from './memory-counters.ts'
import { budgetMeter, rateMeters } from './meters.ts'
import { type Budget, NO_BUDGET, NO_LIMITS, ORGANIZATION, type Policy } from './policy.ts'
import type { SpentQuery } from './ports.ts'
import { type SeedPorts, seedPolicy } from './seed.ts'

const NOW = Date.UTC(2026, 1, 10, 12)
const WEEK: Budget = { ...NO_BUDGET, period: { kind: 'calendar', unit: 'week' } }

function policyOf(given: Partial<Policy>): Policy {
  return { organizationId: 'acme', subject: ORGANIZATION, limits: undefined, budget: undefined, ...given }
}

const BUDGETED = policyOf({ budget: NO_BUDGET })

/** @param bookedNanoUsd what the ledger has, whatever is asked */
function setUp(bookedNanoUsd: number, given: Partial<SeedPorts> = {}) {
  const counters = new MemoryCounters({
    clock: { now: () => NOW, monotonicMs: () => NOW },
    newId: () => 'g1',
    unknown: 'begin',
  })
  const asked: SpentQuery[] = []
  let isFlushed = false
  const ports: SeedPorts = {
    counters,
    spent: {
      async spent(_organizationId, queries) {
        asked.push(...queries)
        return queries.map(() => ({
          requests: 0,
          tokens: 0,
          costNanoUsd: isFlushed ? bookedNanoUsd : 0,
        }))
      },
    },
    flush: async () => {
      isFlushed = true
    },
    now: () => NOW,
    ...given,
  }
  const usedOf = (budget: Budget) => counters.read('acme', [budgetMeter(ORGANIZATION, budget, NOW)])[0]?.used
  return { counters, ports, asked, usedOf }
}

describe('seedPolicy()', () => {
  it('lets a new budget begin with what the ledger has of its period', async () => {
    const { ports, asked, usedOf } = setUp(700)
    const added = await seedPolicy(ports, BUDGETED, undefined)
    expect(added).toEqual([{ meter: budgetMeter(ORGANIZATION, NO_BUDGET, NOW), used: 700 }])
    expect(usedOf(NO_BUDGET)).toBe(700)
    expect(asked).toEqual([
      { subject: ORGANIZATION, fromMs: Date.UTC(2026, 1, 1), toMs: Date.UTC(2026, 2, 1) },
    ])
  })

  it('adds only what is missing, and nothing the second time', async () => {
    const { ports, counters, usedOf } = setUp(700)
    counters.adjust('acme', budgetMeter(ORGANIZATION, NO_BUDGET, NOW), 300)
    expect(await seedPolicy(ports, BUDGETED, undefined)).toMatchObject([{ used: 400 }])
    expect(await seedPolicy(ports, BUDGETED, undefined)).toEqual([])
    expect(usedOf(NO_BUDGET)).toBe(700)
  })

  it('takes nothing from a meter that has more than the ledger', async () => {
    const { ports, counters, usedOf } = setUp(700)
    counters.adjust('acme', budgetMeter(ORGANIZATION, NO_BUDGET, NOW), 900)
    expect(await seedPolicy(ports, BUDGETED, undefined)).toEqual([])
    expect(usedOf(NO_BUDGET)).toBe(900)
  })

  it('leaves a budget alone that was counted all along, and counts one whose period changed', async () => {
    const { ports, asked, usedOf } = setUp(700)
    const raised = policyOf({ budget: { ...NO_BUDGET, limitNanoUsd: 5, hardLimit: false } })
    expect(await seedPolicy(ports, raised, BUDGETED)).toEqual([])
    expect(asked).toEqual([])
    expect(await seedPolicy(ports, policyOf({ budget: WEEK }), raised)).toHaveLength(1)
    expect(usedOf(WEEK)).toBe(700)
    expect(usedOf(NO_BUDGET)).toBe(0)
  })

  it('counts a new cost of a day, and no limit of calls or tokens', async () => {
    const { ports, asked, counters } = setUp(700)
    const limits = { ...NO_LIMITS, requestsPerMinute: 1, tokensPerHour: 1, costPerDayNanoUsd: 1000 }
    const policy = policyOf({ limits })
    await seedPolicy(ports, policy, policyOf({ limits: { ...limits, costPerDayNanoUsd: null } }))
    expect(asked).toHaveLength(1)
    const states = counters.read('acme', rateMeters(ORGANIZATION, limits))
    expect(states.map(({ id, used }) => [id, used])).toEqual([
      ['organization/requests_per_minute', 0],
      ['organization/tokens_per_hour', 0],
      ['organization/cost_per_day', 700],
    ])
    expect(await seedPolicy(ports, policy, policy)).toEqual([])
  })

  it('adds the same once where two replicas hear of it at once', async () => {
    const { ports, usedOf } = setUp(700)
    await Promise.all([
      seedPolicy(ports, BUDGETED, undefined),
      seedPolicy(ports, BUDGETED, undefined),
      seedPolicy(ports, BUDGETED, undefined),
    ])
    expect(usedOf(NO_BUDGET)).toBe(700)
  })

  it('looks again where a call ended meanwhile, so that it counts once', async () => {
    const { ports, counters, usedOf } = setUp(0)
    let booked = 700
    let ended = 0
    const meter = budgetMeter(ORGANIZATION, NO_BUDGET, NOW)
    const endOne = () => {
      if (ended++ > 0) return
      counters.adjust('acme', meter, 50)
      booked += 50
    }
    await seedPolicy(
      {
        ...ports,
        flush: async () => endOne(),
        spent: {
          spent: async (_, queries) => queries.map(() => ({ requests: 0, tokens: 0, costNanoUsd: booked })),
        },
      },
      BUDGETED,
      undefined,
    )
    expect(usedOf(NO_BUDGET)).toBe(750)
  })

  it('ends where calls end all the time, and counts none of them too little', async () => {
    const { ports, counters, usedOf } = setUp(0)
    let booked = 700
    let looks = 0
    const meter = budgetMeter(ORGANIZATION, NO_BUDGET, NOW)
    await seedPolicy(
      {
        ...ports,
        flush: async () => {
          looks++
          counters.adjust('acme', meter, 50)
          booked += 50
        },
        spent: {
          spent: async (_, queries) => queries.map(() => ({ requests: 0, tokens: 0, costNanoUsd: booked })),
        },
      },
      BUDGETED,
      undefined,
    )
    expect(looks).toBeLessThan(10)
    expect(usedOf(NO_BUDGET)).toBeGreaterThanOrEqual(booked)
  })
})
