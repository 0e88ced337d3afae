import { NANO_PER_USD } from '../core/money.ts'
import type { Alert, AlertEvent } from './alert.ts'
import { DAY_MS, HOUR_MS, MINUTE_MS } from './amounts.ts'
import { type CostFacts, judgeCost, toDailyCostAlert, toHourlyCostAlert } from './cost-levels.ts'
import type { AlertStore, SpendStore } from './ports.ts'
import { ANOMALY_LEAST_NANO_USD, ANOMALY_WEEKS, findAnomaly, toAnomalyAlert } from './spend-anomaly.ts'

/** Thresholds of the configuration in force. */
export interface CostThresholds {
  readonly hourlyCostUsd: number
  readonly dailyCostUsd: number
}

export interface TimedRulesOptions {
  readonly store: Pick<AlertStore, 'listOpen'>
  readonly spend: SpendStore
  readonly thresholds: () => CostThresholds
  readonly report: (event: AlertEvent) => void
  readonly resolve: (alert: Alert, reason: string) => Promise<void>
}

/** A look at something that no single call shows. */
export type TimedRule = (nowMs: number) => Promise<void>

/** Two alerts of a kind are all that one look can raise; more are only there where resolving them failed. */
const OPEN_MAX = 100
const ORGANIZATIONS_MAX = 10_000
/** Until then the last rows of an hour are in the ledger. */
const BOOKED_MS = 3 * MINUTE_MS

/** What the whole deployment spends in an hour. */
export function hourlyCostRule(options: TimedRulesOptions): TimedRule {
  return async (nowMs) => {
    // Up to the end of this hour of the clock, so that it comes out of the roll-up: nothing is later than now.
    const to = (Math.floor(nowMs / HOUR_MS) + 1) * HOUR_MS
    const spent = await options.spend.spentBetween(new Date(nowMs - HOUR_MS), new Date(to))
    const thresholdNanoUsd = options.thresholds().hourlyCostUsd * NANO_PER_USD
    await judge('hourly_cost', spent, thresholdNanoUsd, nowMs, toHourlyCostAlert, options)
  }
}

/** What it spends in a day. */
export function dailyCostRule(options: TimedRulesOptions): TimedRule {
  return async (nowMs) => {
    const startMs = Math.floor(nowMs / DAY_MS) * DAY_MS
    const spent = await options.spend.spentBetween(new Date(startMs), new Date(startMs + DAY_MS))
    const thresholdNanoUsd = options.thresholds().dailyCostUsd * NANO_PER_USD
    await judge('daily_cost', spent, thresholdNanoUsd, nowMs, toDailyCostAlert, options)
  }
}

async function judge(
  kind: string,
  spentNanoUsd: number,
  thresholdNanoUsd: number,
  atMs: number,
  toAlert: (facts: CostFacts) => AlertEvent,
  { store, report, resolve }: TimedRulesOptions,
): Promise<void> {
  const open = await store.listOpen(kind, OPEN_MAX)
  const verdict = judgeCost(spentNanoUsd, thresholdNanoUsd, open)
  for (const alert of open) {
    if (verdict.resolve.includes(alert.id))
      await resolve(alert, 'The cost is well below the threshold again.')
  }
  if (verdict.raise !== undefined)
    report(toAlert({ severity: verdict.raise, spentNanoUsd, thresholdNanoUsd, atMs }))
}

/** What an organization spends in an hour, against what it usually does at that hour of the week. Once for each hour. */
export function spendAnomalyRule({ spend, report }: TimedRulesOptions): TimedRule {
  let lastHourMs = Number.NEGATIVE_INFINITY
  return async (nowMs) => {
    const hourMs = Math.floor((nowMs - BOOKED_MS) / HOUR_MS) * HOUR_MS - HOUR_MS
    if (hourMs === lastHourMs) return
    const hours = await spend.hoursOfWeek(
      new Date(hourMs),
      ANOMALY_WEEKS,
      ANOMALY_LEAST_NANO_USD,
      ORGANIZATIONS_MAX,
    )
    for (const hour of hours) {
      const anomaly = findAnomaly(hour)
      if (anomaly === undefined) continue
      report(toAnomalyAlert(hour, anomaly, hourMs, await spend.organizationName(hour.organizationId)))
    }
    lastHourMs = hourMs
  }
}
