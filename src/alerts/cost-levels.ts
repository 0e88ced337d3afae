import { nanoToUsd } from '../core/money.ts'
import type { AlertEvent, Severity } from './alert.ts'
import { DAY_MS, HOUR_MS, inUsd } from './amounts.ts'

/** Twice the threshold is another matter than the threshold. */
const HIGH_FACTOR = 2
/** What has to be left of a threshold before its alert is over: costs that swing around it are one alert. */
const END_SHARE = 0.8

interface OpenAlert {
  readonly id: string
  readonly severity: Severity
}

export interface CostVerdict {
  readonly raise: 'medium' | 'high' | undefined
  /** Ids of alerts that are over. */
  readonly resolve: readonly string[]
}

/**
 * Compares what was spent in a stretch of time with its threshold. While an alert is open there is no second one of its
 * level, and none of a lower one.
 */
export function judgeCost(
  spentNanoUsd: number,
  thresholdNanoUsd: number,
  open: readonly OpenAlert[],
): CostVerdict {
  const limitOf = (severity: Severity) => thresholdNanoUsd * (severity === 'high' ? HIGH_FACTOR : 1)
  const ended = open.filter(({ severity }) => spentNanoUsd < limitOf(severity) * END_SHARE)
  const left = open.filter((alert) => !ended.includes(alert))
  const raise =
    spentNanoUsd > limitOf('high') && !left.some(({ severity }) => severity === 'high')
      ? 'high'
      : spentNanoUsd > thresholdNanoUsd && left.length === 0
        ? 'medium'
        : undefined
  return { raise, resolve: ended.map(({ id }) => id) }
}

export interface CostFacts {
  readonly severity: 'medium' | 'high'
  readonly spentNanoUsd: number
  readonly thresholdNanoUsd: number
  readonly atMs: number
}

/** The last sixty minutes. At most one alert of each level for each hour of the clock. */
export function toHourlyCostAlert({ severity, spentNanoUsd, thresholdNanoUsd, atMs }: CostFacts): AlertEvent {
  const hour = new Date(Math.floor(atMs / HOUR_MS) * HOUR_MS).toISOString()
  return {
    kind: 'hourly_cost',
    severity,
    organizationId: null,
    dedupeKey: `hourly_cost/${severity}/${hour}`,
    title: `${inUsd(spentNanoUsd)} USD were spent in the last 60 minutes; the threshold is ${inUsd(thresholdNanoUsd)} USD.`,
    detail: {
      spentUsd: nanoToUsd(spentNanoUsd),
      spentNanoUsd,
      thresholdUsd: nanoToUsd(thresholdNanoUsd),
      from: new Date(atMs - HOUR_MS).toISOString(),
      to: new Date(atMs).toISOString(),
    },
  }
}

/** The day so far, in UTC. */
export function toDailyCostAlert({ severity, spentNanoUsd, thresholdNanoUsd, atMs }: CostFacts): AlertEvent {
  const startMs = Math.floor(atMs / DAY_MS) * DAY_MS
  const day = new Date(startMs).toISOString().slice(0, 10)
  return {
    kind: 'daily_cost',
    severity,
    organizationId: null,
    dedupeKey: `daily_cost/${severity}/${day}`,
    title: `${inUsd(spentNanoUsd)} USD were spent on ${day} (UTC) so far; the threshold is ${inUsd(thresholdNanoUsd)} USD.`,
    detail: {
      spentUsd: nanoToUsd(spentNanoUsd),
      spentNanoUsd,
      thresholdUsd: nanoToUsd(thresholdNanoUsd),
      day,
    },
    endsAt: new Date(startMs + DAY_MS),
  }
}
