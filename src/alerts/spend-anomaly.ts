import { NANO_PER_USD, nanoToUsd } from '../core/money.ts'
import type { AlertEvent } from './alert.ts'
import { DAY_MS, HOUR_MS, inUsd } from './amounts.ts'
import type { HourOfWeek } from './ports.ts'

/** Earlier weeks that an hour is compared with. */
export const ANOMALY_WEEKS = 8
/** An hour that costs less than a dollar is nobody's emergency. */
export const ANOMALY_LEAST_NANO_USD = NANO_PER_USD

const SAMPLES_MIN = 3
const SCORE_MIN = 6
/** Makes the median absolute deviation of normal values their standard deviation (1 / Φ⁻¹(3/4)). */
const MAD_SCALE = 1.4826
/** Hours that were all alike have no deviation: then a tenth of the usual cost, and ten cents, pass for one. */
const DEVIATION_SHARE_MIN = 0.1
const DEVIATION_NANO_USD_MIN = NANO_PER_USD / 10

export interface Anomaly {
  readonly medianNanoUsd: number
  /** Robust standard deviation, floor included. */
  readonly deviationNanoUsd: number
  /** How many deviations above the median. */
  readonly score: number
}

/** @returns how far an hour is above what is usual; `undefined` where it is not, or nobody can know yet */
export function findAnomaly({ costNanoUsd, earlierNanoUsd }: HourOfWeek): Anomaly | undefined {
  if (earlierNanoUsd.length < SAMPLES_MIN || costNanoUsd < ANOMALY_LEAST_NANO_USD) return undefined
  const medianNanoUsd = medianOf(earlierNanoUsd)
  const mad = medianOf(earlierNanoUsd.map((cost) => Math.abs(cost - medianNanoUsd)))
  const deviationNanoUsd = Math.max(
    mad * MAD_SCALE,
    medianNanoUsd * DEVIATION_SHARE_MIN,
    DEVIATION_NANO_USD_MIN,
  )
  const score = (costNanoUsd - medianNanoUsd) / deviationNanoUsd
  return score > SCORE_MIN ? { medianNanoUsd, deviationNanoUsd, score } : undefined
}

/** @param hourMs the beginning of the hour; its alert is over a day after it */
export function toAnomalyAlert(
  hourOfWeek: HourOfWeek,
  { medianNanoUsd, deviationNanoUsd, score }: Anomaly,
  hourMs: number,
  organizationName: string | undefined,
): AlertEvent {
  const { organizationId, costNanoUsd, earlierNanoUsd } = hourOfWeek
  const hour = new Date(hourMs).toISOString()
  return {
    kind: 'spend_anomaly',
    severity: 'medium',
    organizationId,
    dedupeKey: `spend_anomaly/${organizationId}/${hour}`,
    title:
      `${organizationName ?? organizationId} spent ${inUsd(costNanoUsd)} USD in one hour; ` +
      `usual at this hour of the week is ${inUsd(Math.round(medianNanoUsd))} USD.`,
    detail: {
      organizationName: organizationName ?? null,
      hour,
      spentUsd: nanoToUsd(costNanoUsd),
      spentNanoUsd: costNanoUsd,
      medianUsd: nanoToUsd(Math.round(medianNanoUsd)),
      deviationUsd: nanoToUsd(Math.round(deviationNanoUsd)),
      score: Math.round(score * 10) / 10,
      scoreMin: SCORE_MIN,
      earlierUsd: earlierNanoUsd.map(nanoToUsd),
    },
    endsAt: new Date(hourMs + HOUR_MS + DAY_MS),
  }
}

function medianOf(values: readonly number[]): number {
  const sorted = [...values].sort((left, right) => left - right)
  const middle = sorted.length / 2
  const upper = sorted[Math.floor(middle)] ?? 0
  return Number.isInteger(middle) ? ((sorted[middle - 1] ?? 0) + upper) / 2 : upper
}
