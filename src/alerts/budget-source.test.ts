import { describe, expect, it } from 'vitest'
import { type BudgetPolicy, createBudgetSource } from './budget-source.ts'
import type { Subject } from './ports.ts'

const WHOLE: Subject = { scope: 'organization', id: '' }

function policy(subject: Subject, limitNanoUsd: number | null, alertAt = [0.8]): BudgetPolicy {
  return { organizationId: 'a', subject, budget: { limitNanoUsd, hardLimit: true, alertAt } }
}

function open(policies: readonly BudgetPolicy[]) {
  const asked: number[] = []
  const source = createBudgetSource({
    find: (_, subject) =>
      policies.find((each) => each.subject.scope === subject.scope && each.subject.id === subject.id),
    list: async () => policies,
    meterOf: ({ subject }: BudgetPolicy, atMs) => ({
      id: subject.id,
      window: { kind: 'period', startMs: atMs - 10, endMs: atMs + 10 },
    }),
    read(_, meters) {
      asked.push(meters.length)
      return meters.map(({ id }) => ({ used: Number(id || 7) }))
    },
    spent: async (_, queries) => queries.map(({ fromMs, toMs }) => ({ costNanoUsd: toMs - fromMs })),
  })
  return { source, asked }
}

describe('createBudgetSource()', () => {
  it('now() reads the counters of budgets that have a limit and something to tell', async () => {
    const { source } = open([
      policy(WHOLE, 100),
      policy({ scope: 'key', id: '1' }, null),
      policy({ scope: 'key', id: '2' }, 100, []),
      policy({ scope: 'key', id: '3' }, 0),
      { organizationId: 'a', subject: { scope: 'key', id: '4' }, budget: undefined },
    ])
    const subjects = ['1', '2', '3', '4', '5'].map((id) => ({ scope: 'key', id }) as const)
    expect(await source.now('a', [WHOLE, ...subjects], 50)).toEqual([
      {
        budget: {
          organizationId: 'a',
          subject: WHOLE,
          limitNanoUsd: 100,
          hardLimit: true,
          alertAt: [0.8],
          startMs: 40,
          endMs: 60,
        },
        usedNanoUsd: 7,
      },
    ])
  })

  it('now() asks the counters for a bounded number at once', async () => {
    const subjects = Array.from({ length: 600 }, (_, n) => ({ scope: 'user', id: String(n + 1) }) as const)
    const { source, asked } = open(subjects.map((subject) => policy(subject, 100)))
    const uses = await source.now('a', subjects, 50)
    expect(asked).toEqual([256, 256, 88])
    expect(uses.map(({ usedNanoUsd }) => usedNanoUsd)).toEqual(subjects.map(({ id }) => Number(id)))
  })

  it('booked() asks the ledger for the period', async () => {
    const { source } = open([policy(WHOLE, 100), policy({ scope: 'key', id: '1' }, null)])
    expect(await source.booked('a', 50)).toMatchObject([{ usedNanoUsd: 20, budget: { subject: WHOLE } }])
    expect(await open([]).source.booked('a', 50)).toEqual([])
  })
})
