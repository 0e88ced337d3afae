import type { BudgetSet, LimitsSet } from '../../contract/limits.ts'
import { nanoToUsd } from '../../core/money.ts'
import { type MeterType, meterId } from '../../limits/meters.ts'
import { periodAt } from '../../limits/period.ts'
import {
  type Budget,
  type Limits,
  NO_BUDGET,
  NO_LIMITS,
  type Period,
  type Policy,
} from '../../limits/policy.ts'
import type { MeterState } from '../../limits/ports.ts'

/** By the meters' ids. */
export type States = ReadonlyMap<string, MeterState>

/** Whose they are, as every reply says first. */
export function toSubject({ organizationId, subject }: Pick<Policy, 'organizationId' | 'subject'>) {
  return { organizationId, scope: subject.scope, subject: subject.id === '' ? null : subject.id }
}

export function toLimitsSet(policy: Policy, states: States): LimitsSet {
  const limits: Limits = policy.limits ?? NO_LIMITS
  const stateOf = (type: MeterType) => states.get(meterId(policy.subject, type))
  return {
    requestsPerMinute: limits.requestsPerMinute,
    tokensPerMinute: limits.tokensPerMinute,
    tokensPerHour: limits.tokensPerHour,
    costPerDayUsd: toUsd(limits.costPerDayNanoUsd),
    costPerDayNanoUsd: limits.costPerDayNanoUsd,
    concurrentRequests: limits.concurrentRequests,
    onLimit: limits.onLimit === 'reject' ? 'reject' : { ...limits.onLimit },
    failClosed: limits.failClosed,
    state: {
      requestsPerMinute: toUsage(limits.requestsPerMinute, stateOf('requests_per_minute')),
      tokensPerMinute: toUsage(limits.tokensPerMinute, stateOf('tokens_per_minute')),
      tokensPerHour: toUsage(limits.tokensPerHour, stateOf('tokens_per_hour')),
      costPerDayUsd: toCostUsage(limits.costPerDayNanoUsd, stateOf('cost_per_day')),
      concurrentRequests: toUsage(limits.concurrentRequests, stateOf('concurrent_requests')),
    },
  }
}

function toUsage(limit: number | null, state: MeterState | undefined) {
  if (limit === null) return null
  const { used = 0, held = 0, resetsAtMs = null } = state ?? {}
  return {
    limit,
    used,
    held,
    remaining: Math.max(0, limit - used - held),
    resetsAt: resetsAtMs === null ? null : toIso(resetsAtMs),
  }
}

function toCostUsage(limitNanoUsd: number | null, state: MeterState | undefined) {
  const usage = toUsage(limitNanoUsd, state)
  if (usage === null) return null
  const { limit, used, held, remaining, resetsAt } = usage
  return {
    limit: nanoToUsd(limit),
    limitNanoUsd: limit,
    used: nanoToUsd(used),
    usedNanoUsd: used,
    held: nanoToUsd(held),
    heldNanoUsd: held,
    remaining: nanoToUsd(remaining),
    remainingNanoUsd: remaining,
    resetsAt,
  }
}

/** @param bookedNanoUsd what the ledger says of the period, where it was asked */
export function toBudgetSet(policy: Policy, states: States, bookedNanoUsd: number, atMs: number): BudgetSet {
  const budget: Budget = policy.budget ?? NO_BUDGET
  const { limitNanoUsd, hardLimit, alertAt } = budget
  const { used = 0, held = 0 } = states.get(meterId(policy.subject, 'budget')) ?? {}
  // Counters that were lost are counted anew with the next call; until then the ledger knows more.
  const spent = Math.max(used, bookedNanoUsd)
  const remaining = limitNanoUsd === null ? null : Math.max(0, limitNanoUsd - spent - held)
  const { startMs, endMs } = periodAt(budget.period, atMs)
  return {
    monthlyLimitUsd: toUsd(limitNanoUsd),
    limitUsd: toUsd(limitNanoUsd),
    limitNanoUsd,
    spentUsd: nanoToUsd(spent),
    spentNanoUsd: spent,
    heldUsd: nanoToUsd(held),
    heldNanoUsd: held,
    remainingUsd: toUsd(remaining),
    remainingNanoUsd: remaining,
    periodStart: toIso(startMs),
    periodEnd: toIso(endMs),
    period: toPeriod(budget.period),
    alertAt: [...alertAt],
    hardLimit,
  }
}

function toPeriod(period: Period): BudgetSet['period'] {
  if (period.kind === 'calendar') return period.unit
  return { start: toIso(period.startMs), end: toIso(period.endMs) }
}

function toUsd(nano: number | null): string | null {
  return nano === null ? null : nanoToUsd(nano)
}

function toIso(ms: number): string {
  return new Date(ms).toISOString()
}
