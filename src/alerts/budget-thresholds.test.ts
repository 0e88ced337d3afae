import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { dedupeKeyOf, isOutgrown, reachedThresholds, toBudgetAlert } from './budget-thresholds.ts'
import type { BudgetPeriod } from './ports.ts'

const BUDGET: BudgetPeriod = {
  organizationId: 'acme',
  subject: { scope: 'organization', id: '' },
  limitNanoUsd: 1_000_000_000_000,
  hardLimit: true,
  alertAt: [0.5, 0.8, 1],
  startMs: Date.UTC(2026, 10, 1),
  endMs: Date.UTC(2026, 11, 1),
}
const use = (usedNanoUsd: number, given: Partial<BudgetPeriod> = {}) => ({
  budget: { ...BUDGET, ...given },
  usedNanoUsd,
})

describe('reachedThresholds()', () => {
  it('are those that what is used has reached, to the nano-dollar', () => {
    expect(reachedThresholds(use(0))).toEqual([])
    expect(reachedThresholds(use(799_999_999_999))).toEqual([0.5])
    expect(reachedThresholds(use(800_000_000_000))).toEqual([0.5, 0.8])
    expect(reachedThresholds(use(1_000_000_000_000))).toEqual([0.5, 0.8, 1])
    expect(reachedThresholds(use(3, { limitNanoUsd: 3 }))).toEqual([0.5, 0.8, 1])
    // 0.1 * 3 is 0.30000000000000004 in doubles.
    expect(reachedThresholds(use(3, { limitNanoUsd: 30, alertAt: [0.1] }))).toEqual([0.1])
  })

  it('hold of nothing that was not spent, however small the budget', () => {
    expect(reachedThresholds(use(0, { limitNanoUsd: 1, alertAt: [0.1] }))).toEqual([])
  })

  it('take a budget that refuses calls, and is nearly used, for used up', () => {
    expect(reachedThresholds(use(950_000_000_000), true)).toEqual([0.5, 0.8, 1])
    expect(reachedThresholds(use(900_000_000_000), true)).toEqual([0.5, 0.8, 1])
    expect(reachedThresholds(use(899_999_999_999), true)).toEqual([0.5, 0.8])
    expect(reachedThresholds(use(950_000_000_000, { alertAt: [1, 1.5] }), true)).toEqual([1])
  })

  it('never become fewer while more is used', () => {
    const share = fc.double({ min: 0.01, max: 10, noNaN: true })
    fc.assert(
      fc.property(
        fc.nat({ max: 2 ** 50 }),
        fc.nat({ max: 2 ** 50 }),
        fc.integer({ min: 1, max: 2 ** 50 }),
        fc.array(share),
        (first, more, limitNanoUsd, alertAt) => {
          const before = reachedThresholds(use(first, { limitNanoUsd, alertAt }))
          const after = reachedThresholds(use(first + more, { limitNanoUsd, alertAt }))
          expect(before.every((each) => after.includes(each))).toBe(true)
        },
      ),
    )
  })
})

describe('toBudgetAlert()', () => {
  it('is medium before the end and high at it, and over with the period', () => {
    const early = toBudgetAlert(use(839_999_999_999), 0.8, 'Acme Ltd')
    expect(early).toMatchObject({
      kind: 'budget_threshold',
      severity: 'medium',
      organizationId: 'acme',
      title: 'Acme Ltd has used 83 % of its budget of 1000 USD (alert at 80 %).',
      endsAt: new Date(BUDGET.endMs),
      detail: { usedUsd: '839.999999999', limitUsd: '1000', threshold: 0.8, organizationName: 'Acme Ltd' },
    })
    const end = toBudgetAlert(use(BUDGET.limitNanoUsd), 1, undefined)
    expect(end).toMatchObject({
      severity: 'high',
      title: 'acme has used 100 % of its budget of 1000 USD (alert at 100 %). Calls are being refused.',
    })
    expect(toBudgetAlert(use(BUDGET.limitNanoUsd, { hardLimit: false }), 1, 'A').title).toContain(
      'calls go on',
    )
    const key = { subject: { scope: 'key', id: 'k1' } } as const
    expect(toBudgetAlert(use(1, key), 0.5, 'A').title).toMatch(/^The key k1 of A has used 0 %/)
  })

  it('has a key of its own for each organization, subject, period and share', () => {
    const keys = [
      toBudgetAlert(use(1), 0.5, undefined),
      toBudgetAlert(use(1), 0.8, undefined),
      toBudgetAlert(use(1, { organizationId: 'other' }), 0.5, undefined),
      toBudgetAlert(use(1, { subject: { scope: 'team', id: 't' } }), 0.5, undefined),
      toBudgetAlert(use(1, { subject: { scope: 'user', id: 't' } }), 0.5, undefined),
      toBudgetAlert(use(1, { startMs: BUDGET.endMs }), 0.5, undefined),
    ].map(({ dedupeKey }) => dedupeKey)
    expect(new Set(keys).size).toBe(keys.length)
    expect(toBudgetAlert(use(2), 0.5, 'renamed').dedupeKey).toBe(keys[0])
    expect(dedupeKeyOf(BUDGET, 0.5)).toBe(keys[0])
  })
})

describe('isOutgrown()', () => {
  const { detail } = toBudgetAlert(use(850_000_000_000), 0.8, 'Acme')

  it('says so once the budget was raised far enough', () => {
    expect(isOutgrown(use(850_000_000_000, { limitNanoUsd: 2_000_000_000_000 }), detail)).toBe(true)
    expect(isOutgrown(use(850_000_000_000, { limitNanoUsd: 1_050_000_000_000 }), detail)).toBe(false)
  })

  it('believes the alert where the books lag behind it', () => {
    expect(isOutgrown(use(0), detail)).toBe(false)
    expect(isOutgrown(use(0, { limitNanoUsd: 1_050_000_000_000 }), detail)).toBe(false)
    expect(isOutgrown(use(1_700_000_000_000, { limitNanoUsd: 2_000_000_000_000 }), detail)).toBe(false)
  })
})
