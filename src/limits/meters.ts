import { periodAt } from './period.ts'
import type { Budget, Limits, Policy, Subject } from './policy.ts'
import type { Meter, Quantity } from './ports.ts'

/** What a meter counts for, as its id ends and the columns and errors are named. */
export const METER_TYPES = [
  'requests_per_minute',
  'tokens_per_minute',
  'tokens_per_hour',
  'cost_per_day',
  'concurrent_requests',
  'budget',
] as const
export type MeterType = (typeof METER_TYPES)[number]

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

const ROLLING: Readonly<
  Record<
    Exclude<MeterType, 'budget'>,
    {
      readonly quantity: Quantity
      readonly ms: number | undefined
      readonly limitOf: (limits: Limits) => number | null
    }
  >
> = {
  requests_per_minute: { quantity: 'requests', ms: MINUTE_MS, limitOf: (limits) => limits.requestsPerMinute },
  tokens_per_minute: { quantity: 'tokens', ms: MINUTE_MS, limitOf: (limits) => limits.tokensPerMinute },
  tokens_per_hour: { quantity: 'tokens', ms: HOUR_MS, limitOf: (limits) => limits.tokensPerHour },
  cost_per_day: { quantity: 'costNanoUsd', ms: DAY_MS, limitOf: (limits) => limits.costPerDayNanoUsd },
  concurrent_requests: {
    quantity: 'concurrency',
    ms: undefined,
    limitOf: (limits) => limits.concurrentRequests,
  },
}

/** @returns `organization/budget`, `key/K1/tokens_per_hour`, `tag/deal=D-17/cost_per_day` */
export function meterId({ scope, id }: Subject, type: MeterType): string {
  return scope === 'organization' ? `${scope}/${type}` : `${scope}/${id}/${type}`
}

/** @returns the subject and the type that a meter's id names */
export function fromMeterId(id: string): { readonly subject: Subject; readonly type: MeterType } | undefined {
  const first = id.indexOf('/')
  const last = id.lastIndexOf('/')
  const type = METER_TYPES.find((name) => name === id.slice(last + 1))
  const scope = id.slice(0, first)
  if (type === undefined) return undefined
  if (scope === 'organization') return { subject: { scope, id: '' }, type }
  if ((scope === 'team' || scope === 'key' || scope === 'user' || scope === 'tag') && last > first) {
    return { subject: { scope, id: id.slice(first + 1, last) }, type }
  }
  return undefined
}

/** @returns the meters of a policy's rates; those without a limit are not counted */
export function rateMeters(subject: Subject, limits: Limits): Meter[] {
  const meters: Meter[] = []
  for (const type of METER_TYPES) {
    if (type === 'budget') continue
    const { quantity, ms, limitOf } = ROLLING[type]
    const limit = limitOf(limits)
    if (limit === null) continue
    const window = ms === undefined ? ({ kind: 'none' } as const) : ({ kind: 'rolling', ms } as const)
    meters.push({ id: meterId(subject, type), quantity, limit, window })
  }
  return meters
}

/** @returns the meter of a budget in the period that `atMs` is in; a soft one counts and never refuses */
export function budgetMeter(subject: Subject, budget: Budget, atMs: number): Meter {
  return {
    id: meterId(subject, 'budget'),
    quantity: 'costNanoUsd',
    limit: budget.hardLimit ? budget.limitNanoUsd : null,
    window: { kind: 'period', ...periodAt(budget.period, atMs) },
  }
}

/** @returns every meter of a policy at a moment */
export function metersOf({ subject, limits, budget }: Policy, atMs: number): Meter[] {
  const meters = limits === undefined ? [] : rateMeters(subject, limits)
  if (budget !== undefined) meters.push(budgetMeter(subject, budget, atMs))
  return meters
}
