import { type Budget, type Limits, NO_BUDGET, NO_LIMITS, type OnLimit } from './policy.ts'

const NANO_PER_USD = 1_000_000_000

/** What the configuration says that a new organization starts with. */
export interface LimitsDefault {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly tokensPerHour: number | null
  readonly costPerDayUsd: number | null
  readonly concurrentRequests: number | null
  readonly onLimit: OnLimit
  readonly failClosed: boolean
}

export interface BudgetDefault {
  readonly monthlyLimitUsd: number | null
  readonly alertAt: readonly number[]
  readonly hardLimit: boolean
}

export function toLimits({ costPerDayUsd, ...limits }: LimitsDefault): Limits {
  return { ...NO_LIMITS, ...limits, costPerDayNanoUsd: toNano(costPerDayUsd) }
}

export function toBudget({ monthlyLimitUsd, alertAt, hardLimit }: BudgetDefault): Budget {
  return { ...NO_BUDGET, limitNanoUsd: toNano(monthlyLimitUsd), alertAt, hardLimit }
}

function toNano(usd: number | null): number | null {
  return usd === null ? null : Math.round(usd * NANO_PER_USD)
}
