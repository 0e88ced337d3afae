import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { judgeCost, toDailyCostAlert, toHourlyCostAlert } from './cost-levels.ts'

const medium = { id: 'm', severity: 'medium' } as const
const high = { id: 'h', severity: 'high' } as const

describe('judgeCost()', () => {
  it('raises medium above the threshold and high above twice as much', () => {
    expect(judgeCost(100, 100, [])).toEqual({ raise: undefined, resolve: [] })
    expect(judgeCost(101, 100, []).raise).toBe('medium')
    expect(judgeCost(200, 100, []).raise).toBe('medium')
    expect(judgeCost(201, 100, []).raise).toBe('high')
  })

  it('raises nothing twice, and nothing lower than what is open', () => {
    expect(judgeCost(150, 100, [medium])).toEqual({ raise: undefined, resolve: [] })
    expect(judgeCost(250, 100, [medium]).raise).toBe('high')
    expect(judgeCost(250, 100, [high]).raise).toBeUndefined()
    expect(judgeCost(170, 100, [high])).toEqual({ raise: undefined, resolve: [] })
  })

  it('ends an alert only well below its own level', () => {
    expect(judgeCost(80, 100, [medium]).resolve).toEqual([])
    expect(judgeCost(79, 100, [medium]).resolve).toEqual(['m'])
    expect(judgeCost(160, 100, [medium, high]).resolve).toEqual([])
    expect(judgeCost(159, 100, [medium, high])).toEqual({ raise: undefined, resolve: ['h'] })
    expect(judgeCost(159, 100, [high])).toEqual({ raise: 'medium', resolve: ['h'] })
    expect(judgeCost(0, 100, [medium, high]).resolve).toEqual(['m', 'h'])
  })

  it('never raises what it ends', () => {
    const open = fc.subarray([medium, high])
    fc.assert(
      fc.property(fc.nat(1000), fc.nat(500), open, (spent, threshold, alerts) => {
        const { raise, resolve } = judgeCost(spent, threshold, alerts)
        const ended = alerts.filter(({ id }) => resolve.includes(id)).map(({ severity }) => severity)
        expect(ended).not.toContain(raise)
      }),
    )
  })
})

const facts = {
  severity: 'high',
  spentNanoUsd: 25_500_000_000,
  thresholdNanoUsd: 10_000_000_000,
  atMs: Date.UTC(2026, 10, 20, 10, 30),
} as const

describe('toHourlyCostAlert()', () => {
  it('is one for each hour of the clock and level', () => {
    const alert = toHourlyCostAlert(facts)
    expect(alert).toMatchObject({
      kind: 'hourly_cost',
      severity: 'high',
      organizationId: null,
      title: '25.50 USD were spent in the last 60 minutes; the threshold is 10 USD.',
      dedupeKey: 'hourly_cost/high/2026-11-20T10:00:00.000Z',
    })
    expect(toHourlyCostAlert({ ...facts, atMs: facts.atMs + 29 * 60_000 }).dedupeKey).toBe(alert.dedupeKey)
    expect(toHourlyCostAlert({ ...facts, atMs: facts.atMs + 30 * 60_000 }).dedupeKey).not.toBe(
      alert.dedupeKey,
    )
    expect(toHourlyCostAlert({ ...facts, severity: 'medium' }).dedupeKey).not.toBe(alert.dedupeKey)
  })
})

describe('toDailyCostAlert()', () => {
  it('is one for each day in UTC, and over with it', () => {
    expect(toDailyCostAlert(facts)).toMatchObject({
      kind: 'daily_cost',
      dedupeKey: 'daily_cost/high/2026-11-20',
      endsAt: new Date(Date.UTC(2026, 10, 21)),
      detail: { day: '2026-11-20', spentUsd: '25.5', thresholdUsd: '10' },
    })
  })
})
