import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { planUsage, toUsageStatement } from './usage-query.ts'

const at = (text: string) => new Date(text)
const DAY_MS = 86_400_000

describe('planUsage()', () => {
  it('planUsage() reads 90 whole days from the daily roll-up alone', () => {
    const from = at('2026-01-01T00:00:00Z')
    const to = new Date(from.getTime() + 90 * DAY_MS)
    expect(planUsage({ from, to, groupBy: ['organization', 'model'], interval: 'day' })).toEqual([
      { source: 'usage_daily', fromMs: from.getTime(), toMs: to.getTime() },
    ])
  })

  it('planUsage() reads rows only at the two ends', () => {
    const query = {
      from: at('2026-01-01T22:30:00Z'),
      to: at('2026-01-04T01:15:00Z'),
      groupBy: ['key'] as const,
    }
    expect(planUsage({ ...query, interval: undefined })).toEqual([
      { source: 'ledger', fromMs: Date.UTC(2026, 0, 1, 22, 30), toMs: Date.UTC(2026, 0, 1, 23) },
      { source: 'usage_hourly', fromMs: Date.UTC(2026, 0, 1, 23), toMs: Date.UTC(2026, 0, 2) },
      { source: 'usage_daily', fromMs: Date.UTC(2026, 0, 2), toMs: Date.UTC(2026, 0, 4) },
      { source: 'usage_hourly', fromMs: Date.UTC(2026, 0, 4), toMs: Date.UTC(2026, 0, 4, 1) },
      { source: 'ledger', fromMs: Date.UTC(2026, 0, 4, 1), toMs: Date.UTC(2026, 0, 4, 1, 15) },
    ])
  })

  it('planUsage() never reads days where hours are asked for', () => {
    const plan = planUsage({
      from: at('2026-01-01T00:00:00Z'),
      to: at('2026-01-03T00:00:00Z'),
      groupBy: [],
      interval: 'hour',
    })
    expect(plan.map(({ source }) => source)).toEqual(['usage_hourly'])
  })

  it.each(['user', 'session', 'tag:deal'] as const)('planUsage() reads rows for %s', (group) => {
    const plan = planUsage({
      from: at('2026-01-01T00:00:00Z'),
      to: at('2026-01-03T00:00:00Z'),
      groupBy: ['organization', group],
      interval: 'day',
    })
    expect(plan.map(({ source }) => source)).toEqual(['ledger'])
  })

  it('planUsage() covers the time asked for once, without gap or overlap', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: -3 * DAY_MS, max: 3 * DAY_MS }),
        fc.integer({ min: 1, max: 5 * DAY_MS }),
        fc.constantFrom('hour' as const, 'day' as const, 'month' as const, undefined),
        (from, length, interval) => {
          const plan = planUsage({ from: new Date(from), to: new Date(from + length), groupBy: [], interval })
          expect(plan[0]?.fromMs).toBe(from)
          expect(plan.at(-1)?.toMs).toBe(from + length)
          for (const [index, segment] of plan.entries()) {
            expect(segment.fromMs).toBeLessThan(segment.toMs)
            if (index > 0) expect(segment.fromMs).toBe(plan[index - 1]?.toMs)
          }
        },
      ),
    )
  })
})

describe('toUsageStatement()', () => {
  it('toUsageStatement() keeps what callers name out of its text', () => {
    const hostile = `x') OR 1=1 --`
    const statement = toUsageStatement({
      from: at('2026-01-01T00:00:00Z'),
      to: at('2026-01-02T00:00:00Z'),
      organizationId: hostile,
      groupBy: [`tag:${hostile}`],
      rowsMax: 10,
    })
    expect(statement?.sql).not.toContain('1=1')
    expect(statement?.parameters.filter((value) => value === hostile)).toHaveLength(2)
  })
})
