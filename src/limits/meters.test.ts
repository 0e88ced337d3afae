import { describe, expect, it } from 'vitest'
import { budgetMeter, fromMeterId, METER_TYPES, meterId, metersOf, rateMeters } from './meters.ts'
import { NO_BUDGET, NO_LIMITS, ORGANIZATION, SCOPES } from './policy.ts'

const NOW = Date.UTC(2026, 1, 10)
const KEY = { scope: 'key', id: 'K1' } as const
const FEBRUARY = { kind: 'period', startMs: Date.UTC(2026, 1), endMs: Date.UTC(2026, 2) }
const LIMITS = {
  ...NO_LIMITS,
  requestsPerMinute: 1,
  tokensPerMinute: 2,
  tokensPerHour: 3,
  costPerDayNanoUsd: 4,
  concurrentRequests: 5,
}

describe('meterId()', () => {
  it('names whose and what', () => {
    expect(meterId(ORGANIZATION, 'budget')).toBe('organization/budget')
    expect(meterId(KEY, 'tokens_per_hour')).toBe('key/K1/tokens_per_hour')
    expect(meterId({ scope: 'tag', id: 'deal=D-17' }, 'cost_per_day')).toBe('tag/deal=D-17/cost_per_day')
  })
})

describe('fromMeterId()', () => {
  it('reads back every name, also those with slashes in them', () => {
    for (const scope of SCOPES) {
      for (const type of METER_TYPES) {
        for (const id of ['K1', 'a/b/c', '/', '']) {
          const subject = { scope, id: scope === 'organization' ? '' : id }
          expect(fromMeterId(meterId(subject, type))).toEqual({ subject, type })
        }
      }
    }
  })

  it('knows nothing else', () => {
    for (const id of [
      '',
      '/',
      'budget',
      '/budget',
      'key/budget',
      'key/K1/bud',
      'team',
      'share/x/budget',
      'key/K1/',
    ]) {
      expect([id, fromMeterId(id)]).toEqual([id, undefined])
    }
  })
})

describe('rateMeters()', () => {
  it('has a meter for each limit, and a window for all but calls under way', () => {
    expect(rateMeters(KEY, LIMITS)).toEqual([
      {
        id: 'key/K1/requests_per_minute',
        quantity: 'requests',
        limit: 1,
        window: { kind: 'rolling', ms: 60_000 },
      },
      {
        id: 'key/K1/tokens_per_minute',
        quantity: 'tokens',
        limit: 2,
        window: { kind: 'rolling', ms: 60_000 },
      },
      {
        id: 'key/K1/tokens_per_hour',
        quantity: 'tokens',
        limit: 3,
        window: { kind: 'rolling', ms: 3_600_000 },
      },
      {
        id: 'key/K1/cost_per_day',
        quantity: 'costNanoUsd',
        limit: 4,
        window: { kind: 'rolling', ms: 86_400_000 },
      },
      { id: 'key/K1/concurrent_requests', quantity: 'concurrency', limit: 5, window: { kind: 'none' } },
    ])
  })

  it('has none for what has no limit, and one for a limit of nothing', () => {
    expect(rateMeters(KEY, NO_LIMITS)).toEqual([])
    expect(rateMeters(KEY, { ...NO_LIMITS, tokensPerHour: 0 })).toMatchObject([{ limit: 0 }])
  })
})

describe('budgetMeter()', () => {
  it('counts money in the period that the moment is in', () => {
    expect(budgetMeter(KEY, { ...NO_BUDGET, limitNanoUsd: 7 }, NOW)).toEqual({
      id: 'key/K1/budget',
      quantity: 'costNanoUsd',
      limit: 7,
      window: FEBRUARY,
    })
  })

  it('never refuses where it is soft', () => {
    expect(budgetMeter(KEY, { ...NO_BUDGET, limitNanoUsd: 7, hardLimit: false }, NOW).limit).toBeNull()
    expect(budgetMeter(KEY, NO_BUDGET, NOW).limit).toBeNull()
  })
})

describe('metersOf()', () => {
  it('has those of limits and of the budget', () => {
    const policy = { organizationId: 'o', subject: KEY, limits: LIMITS, budget: NO_BUDGET }
    expect(metersOf(policy, NOW).map(({ id }) => id)).toEqual(METER_TYPES.map((type) => `key/K1/${type}`))
    expect(metersOf(policy, NOW).at(-1)?.window).toEqual(FEBRUARY)
    expect(metersOf({ ...policy, limits: undefined }, NOW)).toHaveLength(1)
    expect(metersOf({ ...policy, budget: undefined }, NOW)).toHaveLength(5)
    expect(metersOf({ ...policy, limits: undefined, budget: undefined }, NOW)).toEqual([])
  })
})
