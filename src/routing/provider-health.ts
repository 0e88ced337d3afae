import { ERRORS } from '../core/errors.ts'
import type { Attempt } from '../pipeline/exchange.ts'

/** Percentiles of a duration in milliseconds; `null` = nothing measured yet. */
export interface Percentiles {
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

export type Health = 'healthy' | 'degraded' | 'unhealthy' | 'unknown'

export interface ProviderHealth {
  readonly health: Health
  readonly calls: number
  readonly errors: number
  /** Failures since the last success. */
  readonly failuresInRow: number
  readonly latencyMs: Percentiles
  readonly firstTokenMs: Percentiles
}

export interface HealthTotals {
  /** 0 to 1. */
  readonly errorRate: number
  /** 95th percentile of answered calls. */
  readonly latencyMs: number
}

export interface Sample {
  /** Monotonic milliseconds. */
  readonly atMs: number
  readonly latencyMs: number
  readonly firstTokenMs: number | undefined
  /** The provider failed; refusals of the caller's own making are none of it. */
  readonly failed: boolean
}

const SAMPLES_MAX = 512
const WINDOW_MS = 5 * 60_000
const DEGRADED_ERROR_RATE = 0.05
const UNHEALTHY_ERROR_RATE = 0.5

/** What real traffic says about each provider: the last 512 calls of the last five minutes. */
export class HealthBook {
  private readonly samples = new Map<string, { ring: Sample[]; next: number; failuresInRow: number }>()

  note(provider: string, sample: Sample): void {
    let entry = this.samples.get(provider)
    if (entry === undefined) {
      entry = { ring: [], next: 0, failuresInRow: 0 }
      this.samples.set(provider, entry)
    }
    entry.ring[entry.next] = sample
    entry.next = (entry.next + 1) % SAMPLES_MAX
    entry.failuresInRow = sample.failed ? entry.failuresInRow + 1 : 0
  }

  /**
   * Takes from ended attempts what they say about their providers. Nothing is said by a caller's leaving, a defect
   * of ours, or a request that could not be written.
   */
  noteAttempts(attempts: readonly Attempt[], nowMs: number): void {
    for (const attempt of attempts) {
      const { errorCode, startedMs, endedMs = nowMs, firstTokenMs } = attempt
      if (errorCode === 'client_closed' || errorCode === 'internal_error') continue
      const failed = errorCode !== undefined && ERRORS[errorCode].status >= 500
      if (!attempt.dispatched && !failed) continue
      this.note(attempt.provider, {
        atMs: nowMs,
        latencyMs: endedMs - startedMs,
        firstTokenMs: firstTokenMs === undefined ? undefined : firstTokenMs - startedMs,
        failed,
      })
    }
  }

  /** All providers together. @param nowMs monotonic */
  totals(nowMs: number): HealthTotals {
    let calls = 0
    let errors = 0
    const latencies: number[] = []
    for (const { ring } of this.samples.values()) {
      for (const sample of ring) {
        if (nowMs - sample.atMs > WINDOW_MS) continue
        calls++
        if (sample.failed) errors++
        else latencies.push(sample.latencyMs)
      }
    }
    return { errorRate: calls === 0 ? 0 : errors / calls, latencyMs: percentiles(latencies).p95 ?? 0 }
  }

  /** @param nowMs monotonic */
  of(provider: string, nowMs: number): ProviderHealth {
    const entry = this.samples.get(provider)
    const recent = entry?.ring.filter((sample) => nowMs - sample.atMs <= WINDOW_MS) ?? []
    const good = recent.filter((sample) => !sample.failed)
    const errors = recent.length - good.length
    return {
      health: toHealth(recent.length, errors),
      calls: recent.length,
      errors,
      failuresInRow: entry?.failuresInRow ?? 0,
      latencyMs: percentiles(good.map((sample) => sample.latencyMs)),
      firstTokenMs: percentiles(good.flatMap((sample) => sample.firstTokenMs ?? [])),
    }
  }
}

function toHealth(calls: number, errors: number): Health {
  if (calls === 0) return 'unknown'
  const rate = errors / calls
  if (rate >= UNHEALTHY_ERROR_RATE) return 'unhealthy'
  return rate > DEGRADED_ERROR_RATE ? 'degraded' : 'healthy'
}

/** Nearest rank: every value that is shown was really measured. */
export function percentiles(values: readonly number[]): Percentiles {
  const sorted = [...values].sort((first, second) => first - second)
  const at = (share: number) => {
    const value = sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]
    return value === undefined ? null : Math.round(value * 1000) / 1000
  }
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}
