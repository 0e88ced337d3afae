import { GatewayError } from '../core/errors.ts'
import type { Attempt } from '../pipeline/exchange.ts'
import { type Fault, faultOf } from './fault.ts'
import {
  newHistogram,
  percentiles,
  type Recent,
  RecentCalls,
  type Sample,
  WINDOW_MS,
} from './recent-calls.ts'

export type { Sample }

export type Health = 'healthy' | 'degraded' | 'unhealthy' | 'unknown'

/** The last time we asked whether a provider is there. */
export interface ProbeResult {
  readonly ok: boolean
  /** Monotonic milliseconds. */
  readonly atMs: number
  /** Why not. */
  readonly reason: string | undefined
}

export interface TargetHealth extends Recent {
  readonly health: Health
  /** Failures since the last success. */
  readonly failuresInRow: number
}

export interface ProviderHealth extends TargetHealth {
  /** `undefined` where it was not asked, or long ago. */
  readonly probe: ProbeResult | undefined
}

export interface HealthTotals {
  /** 0 to 1. */
  readonly errorRate: number
  /** 95th percentile of answered calls. */
  readonly latencyMs: number
}

const DEGRADED_ERROR_RATE = 0.05
const UNHEALTHY_ERROR_RATE = 0.5
/** Callers name models, so that there may be more than there are. */
const TARGETS_MAX = 200

interface Entry {
  readonly own: RecentCalls
  readonly targets: Map<string, RecentCalls>
  probe: ProbeResult | undefined
}

/** What real traffic, and free probes where there is none, say about each provider and target. */
export class HealthBook {
  private readonly entries = new Map<string, Entry>()

  note(provider: string, model: string, sample: Sample): void {
    const entry = this.entry(provider)
    entry.own.note(sample)
    targetOf(entry, model, sample.atMs).note(sample)
  }

  noteProbe(provider: string, probe: ProbeResult): void {
    this.entry(provider).probe = probe
  }

  /**
   * Takes from ended attempts what they say about their targets. Nothing is said by a caller's leaving, a defect of
   * ours, or a request that could not be written.
   */
  noteAttempts(attempts: readonly Attempt[], nowMs: number): void {
    for (const attempt of attempts) {
      const { startedMs, endedMs = nowMs, firstTokenMs } = attempt
      const fault = faultOfAttempt(attempt)
      if (fault === 'left' || fault === 'ours') continue
      if (!attempt.dispatched && fault !== 'connection' && fault !== 'timeout') continue
      this.note(attempt.provider, attempt.model, {
        atMs: nowMs,
        latencyMs: endedMs - startedMs,
        firstTokenMs: firstTokenMs === undefined ? undefined : firstTokenMs - startedMs,
        fault,
      })
    }
  }

  /** All providers together. @param nowMs monotonic */
  totals(nowMs: number): HealthTotals {
    let calls = 0
    let errors = 0
    const latencies = newHistogram()
    for (const { own } of this.entries.values()) {
      const recent = own.read(nowMs)
      calls += recent.calls
      errors += recent.errors
      own.addLatencies(latencies, nowMs)
    }
    return { errorRate: calls === 0 ? 0 : errors / calls, latencyMs: percentiles(latencies).p95 ?? 0 }
  }

  /** @param nowMs monotonic */
  of(provider: string, nowMs: number): ProviderHealth {
    const entry = this.entry(provider)
    const probe = entry.probe !== undefined && nowMs - entry.probe.atMs <= WINDOW_MS ? entry.probe : undefined
    const own = toHealth(entry.own, nowMs)
    return { ...own, health: withProbe(own, entry.own.lastMs, probe), probe }
  }

  /** @returns what is known of each target that was called in the last five minutes, by its model */
  targetsOf(provider: string, nowMs: number): ReadonlyMap<string, TargetHealth> {
    const known = [...this.entry(provider).targets]
      .map(([model, recent]) => [model, toHealth(recent, nowMs)] as const)
      .filter(([, { calls }]) => calls > 0)
    return new Map(known)
  }

  /** Monotonic milliseconds; when a call was last answered, or failed. */
  lastCallMs(provider: string): number {
    return this.entries.get(provider)?.own.lastMs ?? Number.NEGATIVE_INFINITY
  }

  private entry(provider: string): Entry {
    let entry = this.entries.get(provider)
    if (entry === undefined) {
      entry = { own: new RecentCalls(), targets: new Map(), probe: undefined }
      this.entries.set(provider, entry)
    }
    return entry
  }
}

function targetOf({ targets }: Entry, model: string, nowMs: number): RecentCalls {
  let target = targets.get(model)
  if (target === undefined) {
    if (targets.size >= TARGETS_MAX) forgetOne(targets, nowMs)
    target = new RecentCalls()
    targets.set(model, target)
  }
  return target
}

/** One that has nothing to say any more; else the one that was known first. */
function forgetOne(targets: Map<string, RecentCalls>, nowMs: number): void {
  const [first] = targets.keys()
  const idle = [...targets].find(([, { lastMs }]) => nowMs - lastMs > WINDOW_MS)?.[0] ?? first
  if (idle !== undefined) targets.delete(idle)
}

function toHealth(recent: RecentCalls, nowMs: number): TargetHealth {
  const read = recent.read(nowMs)
  return { ...read, health: healthOf(read), failuresInRow: recent.failuresInRow }
}

function healthOf({ calls, errors }: Recent): Health {
  if (calls === 0) return 'unknown'
  const rate = errors / calls
  if (rate >= UNHEALTHY_ERROR_RATE) return 'unhealthy'
  return rate > DEGRADED_ERROR_RATE ? 'degraded' : 'healthy'
}

/** A probe speaks where no call has spoken since. */
function withProbe({ health, calls }: TargetHealth, lastMs: number, probe: ProbeResult | undefined): Health {
  if (probe === undefined || probe.atMs <= lastMs) return health
  if (!probe.ok) return 'unhealthy'
  return calls === 0 ? 'healthy' : health
}

/** @returns what was wrong with an attempt that is over; `undefined` where nothing was */
function faultOfAttempt({ errorCode, status, dispatched, firstTokenMs }: Attempt): Fault | undefined {
  if (errorCode === undefined) return undefined
  const error = new GatewayError(errorCode, { message: '', detail: { sent: dispatched } })
  return faultOf(error, status, firstTokenMs !== undefined)
}
