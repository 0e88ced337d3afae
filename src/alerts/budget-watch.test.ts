import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Outcome } from '../pipeline/stage.ts'
import type { AlertEvent } from './alert.ts'
import { createBudgetWatch, type SpentRow } from './budget-watch.ts'
import type { BudgetPeriod, BudgetUse, Subject } from './ports.ts'

const DONE: Outcome = { kind: 'completed', status: 200, error: undefined, endedMs: 0 }

function row(given: Partial<SpentRow> = {}): SpentRow {
  return { organizationId: 'a', teamId: null, keyId: 'k', userId: null, tags: {}, costNanoUsd: 1, ...given }
}

function refusal(meter: string, by: 'used' | 'held' = 'used'): Outcome {
  const error = new GatewayError('budget_exhausted', { message: 'x', detail: { meter, by } })
  return { kind: 'failed', status: 429, error, endedMs: 0 }
}

function use(organizationId: string, subject: Subject, usedNanoUsd: number): BudgetUse {
  const budget: BudgetPeriod = {
    organizationId,
    subject,
    limitNanoUsd: 100,
    hardLimit: true,
    alertAt: [0.8, 1],
    startMs: 0,
    endMs: 1000,
  }
  return { budget, usedNanoUsd }
}

function open(usedOf: (organizationId: string, subject: Subject) => number | undefined) {
  const state = { asked: [] as string[], reported: [] as AlertEvent[], errors: 0, names: 0 }
  const watch = createBudgetWatch({
    source: {
      async now(organizationId, subjects) {
        state.asked.push(
          `${organizationId}: ${subjects.map(({ scope, id }) => `${scope} ${id}`.trim()).join(', ')}`,
        )
        if (organizationId === 'away') throw new Error('away')
        return subjects.flatMap((subject) => {
          const used = usedOf(organizationId, subject)
          return used === undefined ? [] : [use(organizationId, subject, used)]
        })
      },
    },
    nameOf: async () => {
      state.names++
      return 'Acme'
    },
    report: (event) => state.reported.push(event),
    isReported: (key) => state.reported.some(({ dedupeKey }) => dedupeKey === key),
    now: () => 500,
    onError: () => state.errors++,
  })
  const told = () =>
    state.reported.map(({ detail }) => `${detail.scope} ${detail.subject} ${detail.threshold}`.trim())
  return { watch, state, told }
}

describe('createBudgetWatch()', () => {
  it('looks once at everybody who spent, by everything that a budget may be set on', async () => {
    const { watch, state } = open(() => undefined)
    expect(watch.note(DONE, [row({ costNanoUsd: 0 })])).toBe(false)
    expect(watch.note(DONE, [row({ teamId: 't', tags: { deal: 'D', cycle: '3' } })])).toBe(true)
    watch.note(DONE, [row({ userId: 'u' }), row()])
    watch.note(DONE, [row({ organizationId: 'b', keyId: null })])
    await watch.look()
    expect(state.asked).toEqual([
      'a: organization, team t, key k, tag deal=D, tag cycle=3, user u',
      'b: organization',
    ])
    await watch.look()
    expect(state.asked).toHaveLength(2)
  })

  it('reports each share that is reached, all of them where several are at once', async () => {
    let used = 79
    const { watch, state, told } = open((_, { scope }) => (scope === 'organization' ? used : 85))
    watch.note(DONE, [row()])
    await watch.look()
    expect(told()).toEqual(['key k 0.8'])
    used = 100
    watch.note(DONE, [row()])
    await watch.look()
    expect(told()).toEqual(['key k 0.8', 'organization  0.8', 'organization  1'])
    watch.note(DONE, [row()])
    await watch.look()
    expect(told()).toHaveLength(3)
    // Names are asked for with what is new alone.
    expect(state.names).toBe(2)
  })

  it('takes a refusal for the end of the budget that refused, and of no other', async () => {
    const { watch, told } = open(() => 95)
    watch.note(refusal('key/k/budget'), [row({ costNanoUsd: 0 })])
    await watch.look()
    expect(told()).toEqual(['organization  0.8', 'key k 0.8', 'key k 1'])
  })

  it('takes no refusal for the end where calls under way hold what is left', async () => {
    const { watch, told } = open(() => 95)
    expect(watch.note(refusal('organization/budget', 'held'), [row({ costNanoUsd: 0 })])).toBe(false)
    watch.note(DONE, [row({ keyId: null })])
    await watch.look()
    expect(told()).toEqual(['organization  0.8'])
  })

  it('leaves no organization out because another one cannot be read', async () => {
    const { watch, state, told } = open(() => 100)
    watch.note(DONE, [row({ organizationId: 'away' }), row({ keyId: null })])
    await watch.look()
    expect(state.errors).toBe(1)
    expect(told()).toHaveLength(2)
  })

  it('remembers a bounded number of rows', async () => {
    let organizations = 0
    const { watch } = open(() => {
      organizations++
      return undefined
    })
    for (let n = 0; n < 30_000; n++)
      watch.note(refusal('organization/budget'), [row({ organizationId: `${n}`, keyId: null })])
    await watch.look()
    expect(organizations).toBe(20_000)
  })
})
