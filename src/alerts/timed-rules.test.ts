import { describe, expect, it } from 'vitest'
import type { Alert, AlertEvent } from './alert.ts'
import { someAlert } from './fixtures/alert.ts'
import type { HourOfWeek, SpendStore } from './ports.ts'
import { dailyCostRule, hourlyCostRule, spendAnomalyRule, type TimedRulesOptions } from './timed-rules.ts'

const USD = 1_000_000_000
const NOW = Date.UTC(2026, 10, 20, 10, 30)
const HOUR_MS = 3_600_000

function open() {
  const state = {
    spent: 0,
    asked: [] as string[],
    open: [] as Alert[],
    reported: [] as AlertEvent[],
    resolved: [] as string[],
    thresholds: { hourlyCostUsd: 10, dailyCostUsd: 50 },
    hours: [] as HourOfWeek[],
    isAway: false,
  }
  const spend: SpendStore = {
    async spentBetween(from, to) {
      state.asked.push(`${from.toISOString()} ${to.toISOString()}`)
      return state.spent
    },
    spenders: async () => [],
    async hoursOfWeek(hour) {
      if (state.isAway) throw new Error('away')
      state.asked.push(hour.toISOString())
      return state.hours
    },
    organizationName: async (id) => id.toUpperCase(),
  }
  const options: TimedRulesOptions = {
    store: { listOpen: async () => state.open },
    spend,
    thresholds: () => state.thresholds,
    report: (event) => state.reported.push(event),
    resolve: async ({ id }) => void state.resolved.push(id),
  }
  return { state, options }
}

describe('hourlyCostRule()', () => {
  it('compares the last sixty minutes with the threshold in force', async () => {
    const { state, options } = open()
    const rule = hourlyCostRule(options)
    state.spent = 10 * USD
    await rule(NOW)
    expect(state.asked).toEqual(['2026-11-20T09:30:00.000Z 2026-11-20T11:00:00.000Z'])
    expect(state.reported).toEqual([])
    state.thresholds = { hourlyCostUsd: 4, dailyCostUsd: 1000 }
    await rule(NOW)
    expect(state.reported).toMatchObject([{ kind: 'hourly_cost', severity: 'high' }])
  })

  it('ends what is over', async () => {
    const { state, options } = open()
    state.open = [someAlert({ id: 'm', severity: 'medium' })]
    state.spent = 9 * USD
    await hourlyCostRule(options)(NOW)
    expect(state.resolved).toEqual([])
    state.spent = 7 * USD
    await hourlyCostRule(options)(NOW)
    expect([state.resolved, state.reported]).toEqual([['m'], []])
  })
})

describe('dailyCostRule()', () => {
  it('adds up the day in UTC so far', async () => {
    const { state, options } = open()
    state.spent = 51 * USD
    await dailyCostRule(options)(NOW)
    expect(state.asked).toEqual(['2026-11-20T00:00:00.000Z 2026-11-21T00:00:00.000Z'])
    expect(state.reported).toMatchObject([{ kind: 'daily_cost', severity: 'medium' }])
  })
})

describe('spendAnomalyRule()', () => {
  it('looks once at each hour, when its last rows are in the books', async () => {
    const { state, options } = open()
    const rule = spendAnomalyRule(options)
    state.hours = [
      { organizationId: 'loud', costNanoUsd: 50 * USD, earlierNanoUsd: [USD, USD, USD] },
      { organizationId: 'usual', costNanoUsd: USD, earlierNanoUsd: [USD, USD, USD] },
    ]
    await rule(NOW)
    await rule(NOW + 60_000)
    expect(state.asked).toEqual(['2026-11-20T09:00:00.000Z'])
    expect(state.reported).toMatchObject([
      { kind: 'spend_anomaly', organizationId: 'loud', detail: { organizationName: 'LOUD' } },
    ])
    await rule(NOW + HOUR_MS / 2 + 2 * 60_000)
    expect(state.asked).toHaveLength(1)
    await rule(NOW + HOUR_MS / 2 + 3 * 60_000)
    expect(state.asked[1]).toBe('2026-11-20T10:00:00.000Z')
  })

  it('looks again where it could not', async () => {
    const { state, options } = open()
    const rule = spendAnomalyRule(options)
    state.isAway = true
    await expect(rule(NOW)).rejects.toThrow('away')
    state.isAway = false
    await rule(NOW)
    expect(state.asked).toHaveLength(1)
  })
})
