import { describe, expect, it } from 'vitest'
import type { Alert, AlertEvent } from './alert.ts'
import { createBudgetSweep } from './budget-sweep.ts'
import { toBudgetAlert } from './budget-thresholds.ts'
import { someAlert } from './fixtures/alert.ts'
import type { BudgetUse, Spender } from './ports.ts'

const NOW = Date.UTC(2026, 10, 20, 10, 30)
const HOUR_MS = 3_600_000

function use(organizationId: string, usedNanoUsd: number, limitNanoUsd = 100): BudgetUse {
  const subject = { scope: 'organization', id: '' } as const
  const period = { startMs: Date.UTC(2026, 10, 1), endMs: Date.UTC(2026, 11, 1) }
  const budget = { organizationId, subject, limitNanoUsd, hardLimit: false, alertAt: [0.8], ...period }
  return { budget, usedNanoUsd }
}

function open(spenders: Spender[], useOf: (organizationId: string) => BudgetUse = (id) => use(id, 90)) {
  const state = {
    reads: [] as string[],
    looked: [] as string[],
    reported: [] as AlertEvent[],
    resolved: [] as string[],
    open: [] as Alert[],
  }
  const sweep = createBudgetSweep({
    source: {
      async booked(organizationId) {
        state.looked.push(organizationId)
        return [useOf(organizationId)]
      },
    },
    spend: {
      async spenders(unit, from, after, max) {
        state.reads.push(`${unit} ${from.toISOString()}`)
        return spenders.filter(({ organizationId }) => organizationId > after).slice(0, max)
      },
      organizationName: async () => undefined,
    },
    store: { listOpen: async () => state.open },
    report: (event) => state.reported.push(event),
    isReported: () => false,
    resolve: async ({ id }) => void state.resolved.push(id),
    signal: new AbortController().signal,
  })
  return { sweep, state }
}

const spender = (organizationId: string, costNanoUsd = 1): Spender => ({ organizationId, costNanoUsd })

describe('createBudgetSweep()', () => {
  it('looks at everybody at first, then at those who spent something since', async () => {
    const spenders = [spender('a'), spender('b')]
    const { sweep, state } = open(spenders)
    await sweep.run(NOW)
    expect(state.reads).toEqual(['day 2026-10-19T00:00:00.000Z'])
    expect(state.looked).toEqual(['a', 'b'])
    expect(state.reported.map(({ organizationId }) => organizationId)).toEqual(['a', 'b'])

    await sweep.run(NOW + 60_000)
    await sweep.run(NOW + 120_000)
    expect(state.reads[1]).toBe('hour 2026-11-20T09:00:00.000Z')
    expect(state.looked).toEqual(['a', 'b', 'a', 'b'])
    spenders[1] = spender('b', 2)
    spenders.push(spender('c'))
    await sweep.run(NOW + 180_000)
    expect(state.looked.slice(4)).toEqual(['b', 'c'])
    await sweep.run(NOW + HOUR_MS)
    expect(state.reads.at(-1)).toMatch(/^day /)
    expect(state.looked.slice(6)).toEqual(['a', 'b', 'c'])
  })

  it('reads as many pages as there are', async () => {
    const spenders = Array.from({ length: 2500 }, (_, n) => spender(String(n).padStart(4, '0')))
    const { sweep, state } = open(spenders)
    await sweep.run(NOW)
    expect(state.looked).toEqual(spenders.map(({ organizationId }) => organizationId))
    expect(state.reads).toHaveLength(3)
  })

  it('ends the alert of a budget that was raised', async () => {
    const { sweep, state } = open([spender('a'), spender('b')], (id) => use(id, 90, id === 'a' ? 200 : 100))
    state.open = ['a', 'b'].map((id) => someAlert({ ...toBudgetAlert(use(id, 85), 0.8, undefined), id }))
    await sweep.run(NOW)
    expect(state.resolved).toEqual(['a'])
  })
})
