import { CallWindow } from './call-window.ts'
import type { BreakerRecord, BreakerState } from './ports.ts'

/** The `breaker` section of the configuration. */
export interface BreakerSettings {
  readonly failures: number
  readonly windowSeconds: number
  readonly openSeconds: number
  readonly halfOpenCalls: number
  readonly slowCallMs?: number | undefined
}

/**
 * What a call says about whoever answered it:
 *
 * - `answer`: it works
 * - `slow`: it works, and took longer than `slowCallMs`
 * - `cut`: it began to answer and broke off
 * - `failure`: it did not answer
 * - `alive`: it is there, and that is all that is known
 * - `nothing`: nothing
 */
export type Sign = 'answer' | 'slow' | 'cut' | 'failure' | 'alive' | 'nothing'

/** Weights are halves, so that they stay whole numbers: two slow or cut calls count as one failure. */
const WEIGHT: Readonly<Record<Sign, number>> = {
  answer: 0,
  slow: 1,
  cut: 1,
  failure: 2,
  alive: 0,
  nothing: 0,
}
const FAILURE = WEIGHT.failure
/** With fewer calls in the window every failure counts by itself; with more, at least half of them have to fail. */
const RATE_CALLS_MIN = 20
const RATE = 0.5
/** Open for at most this many times `openSeconds`. */
const OPEN_FACTOR_MAX = 10
const LEVEL_MAX = 4
/** Replicas that opened together do not all try again in the same moment; nobody waits longer than was said. */
const JITTER = 0.1
/** A probe that was not heard of for as long as a breaker is open, or this long, is forgotten. */
const PROBE_MS_MIN = 10_000
/** What is told to whoever is refused while probes are out: they are back soon, or it opens again. */
const PROBING_RETRY_MS = 1000
/** Durations may have been rounded. */
const ROUNDED_MS = 1

/**
 * One circuit breaker. It knows no clock, no randomness and no other breaker: all that happens to it comes as an
 * argument. Moments are monotonic milliseconds; methods that can change the state return whether they did.
 */
export class Breaker {
  state: BreakerState = 'closed'
  reason: string | undefined = undefined
  byOperator = false
  openedMs = 0
  /** When it may be tried again; `Infinity` = when an operator says so. */
  untilMs = 0
  level = 0
  /** When the failures began that no answer has interrupted. */
  rowSinceMs = 0
  private rowWeight = 0
  private settings: BreakerSettings
  private window: CallWindow
  private closedMs = Number.NEGATIVE_INFINITY
  /** Failures that opened it, and of its probes since. */
  private failuresOpened = 0
  private hadSignOfLife = false
  private probesOut = 0
  private probeMs = 0
  /** Calls that began before this were let through by another state. */
  private probesSinceMs = 0
  private answers = 0

  constructor(settings: BreakerSettings) {
    this.settings = settings
    this.window = new CallWindow(settings.windowSeconds * 1000)
  }

  reconfigure(settings: BreakerSettings): void {
    if (settings.windowSeconds !== this.settings.windowSeconds)
      this.window = new CallWindow(settings.windowSeconds * 1000)
    this.settings = settings
  }

  /** @returns milliseconds until a call is let through; 0 = now. Changes nothing */
  waitMs(nowMs: number): number {
    if (this.state === 'closed') return 0
    if (this.state === 'open') return Math.max(0, this.untilMs - nowMs)
    if (this.probesOut < this.settings.halfOpenCalls) return 0
    return nowMs - this.probeMs >= this.probeMsMax ? 0 : PROBING_RETRY_MS
  }

  /** Lets a call through that need not wait: as a probe, unless it is closed. */
  enter(nowMs: number): boolean {
    if (this.state === 'closed') return false
    const changed = this.advance(nowMs)
    if (this.probesOut >= this.settings.halfOpenCalls) {
      this.probesOut = 0
      this.probesSinceMs = nowMs
    }
    this.probesOut++
    this.probeMs = nowMs
    return changed
  }

  /** Goes half-open when its time has come. */
  advance(nowMs: number): boolean {
    if (this.state !== 'open' || this.untilMs > nowMs) return false
    this.halfOpen(nowMs)
    return true
  }

  /**
   * Takes in what a call says. A closed breaker only counts: whether that opens it, `verdict` says.
   *
   * @param startedMs when the call began
   * @param random uniform in [0, 1)
   */
  count(sign: Sign, startedMs: number, nowMs: number, random: number): boolean {
    switch (this.state) {
      case 'closed':
        this.countClosed(sign, nowMs)
        return false
      case 'open':
        return (sign === 'answer' || sign === 'slow' || sign === 'alive') && this.signOfLife(nowMs)
      case 'half-open':
        return this.countProbe(sign, startedMs, nowMs, random)
    }
  }

  /** @returns why a closed breaker should open now; `undefined` where it should not */
  verdict(nowMs: number): string | undefined {
    if (this.state !== 'closed') return undefined
    const { failures } = this.settings
    const weight = this.window.weight(nowMs)
    // Failures that left the window count in no row either.
    if (Math.min(this.rowWeight, weight) >= failures * FAILURE) return `${failures} failures in a row`
    const calls = this.window.calls(nowMs)
    const few = calls < Math.max(RATE_CALLS_MIN, failures)
    if (few && weight >= failures * FAILURE) return `${failures} failures in ${calls} calls`
    if (!few && weight >= RATE * calls * FAILURE) return `${toFailures(weight)} failures in ${calls} calls`
    return undefined
  }

  /** @param random uniform in [0, 1) */
  open(nowMs: number, random: number, reason: string): void {
    this.failuresOpened = this.failures(nowMs)
    // Whoever fails soon after having been let in again is kept out for longer.
    const windowMs = this.settings.windowSeconds * 1000
    const calmWindows = Math.floor((nowMs - this.closedMs) / windowMs)
    const level = calmWindows === 0 ? this.level + 1 : Math.max(0, this.level - calmWindows)
    this.openAt(level, nowMs, random, reason)
  }

  /** Half-open before its time, once each time that it opened: what calls before it says, it may say again and again. */
  signOfLife(nowMs: number): boolean {
    if (this.state !== 'open' || this.hadSignOfLife || this.byOperator) return false
    this.hadSignOfLife = true
    this.halfOpen(nowMs)
    return true
  }

  /** Does what an operator says. */
  force(state: BreakerState, nowMs: number): void {
    if (state === 'closed') this.close(0, nowMs)
    if (state === 'half-open') this.halfOpen(nowMs)
    if (state === 'open') {
      this.failuresOpened = this.failures(nowMs)
      this.state = 'open'
      this.openedMs = nowMs
      this.untilMs = Number.POSITIVE_INFINITY
      this.reason = 'held open by an operator'
    }
    this.byOperator = true
  }

  /** Does as another replica did. @param untilMs by our own clock */
  follow(
    record: Pick<BreakerRecord, 'state' | 'failures' | 'reason' | 'level' | 'byOperator'>,
    untilMs: number,
    nowMs: number,
  ): void {
    // A replica that has not heard the operator yet does not overrule him.
    if (this.state === 'open' && this.byOperator && !record.byOperator) return
    if (record.state === 'closed') {
      if (this.state !== 'closed') this.close(record.level, nowMs)
    } else if (record.state === 'half-open') {
      if (this.state !== 'half-open') this.halfOpen(nowMs)
    } else {
      this.state = 'open'
      this.openedMs = nowMs
      this.untilMs = Math.min(untilMs, record.byOperator ? untilMs : nowMs + this.openMsMax)
      this.hadSignOfLife = false
      this.failuresOpened = record.failures
    }
    if (this.state !== 'closed') this.reason = record.reason
    this.level = Math.min(record.level, LEVEL_MAX)
    this.byOperator = record.byOperator
  }

  /** Forgets what it counted: somebody else's breaker answers for it. */
  forget(): void {
    this.window.clear()
    this.rowWeight = 0
  }

  failures(nowMs: number): number {
    return this.state === 'closed' ? toFailures(this.window.weight(nowMs)) : this.failuresOpened
  }

  /** Closes where it is half-open and nobody has called for so long that nobody may call at all. */
  rest(idleMs: number, nowMs: number): boolean {
    if (this.state !== 'half-open' || nowMs - Math.max(this.probeMs, this.probesSinceMs) < idleMs)
      return false
    this.close(this.level >> 1, nowMs)
    return true
  }

  /** Nothing would be lost with it. */
  isIdle(nowMs: number): boolean {
    return this.state === 'closed' && this.window.calls(nowMs) === 0
  }

  private get openMsMax(): number {
    return this.settings.openSeconds * 1000 * OPEN_FACTOR_MAX
  }

  private get probeMsMax(): number {
    return Math.max(PROBE_MS_MIN, this.settings.openSeconds * 1000)
  }

  private countClosed(sign: Sign, nowMs: number): void {
    if (sign === 'alive' || sign === 'nothing') return
    const weight = WEIGHT[sign]
    this.window.add(weight, nowMs)
    if (weight === 0) this.rowWeight = 0
    else {
      if (this.rowWeight === 0) this.rowSinceMs = nowMs
      this.rowWeight += weight
    }
  }

  private countProbe(sign: Sign, startedMs: number, nowMs: number, random: number): boolean {
    const isProbe = startedMs + ROUNDED_MS >= this.probesSinceMs
    if (isProbe) this.probesOut = Math.max(0, this.probesOut - 1)
    if (sign === 'nothing') return false
    if (sign === 'failure' || sign === 'cut') {
      // What began before says nothing new.
      if (!isProbe) return false
      this.failuresOpened++
      this.openAt(this.level + 1, nowMs, random, this.reason ?? 'a probe failed')
      return true
    }
    // An answer is good news whenever its call began: a breaker never stays open in front of one that answers.
    this.answers++
    if (this.answers < this.settings.halfOpenCalls) return false
    this.close(this.level >> 1, nowMs)
    return true
  }

  private openAt(level: number, nowMs: number, random: number, reason: string): void {
    this.level = Math.min(level, LEVEL_MAX)
    const openMs = this.settings.openSeconds * 1000 * Math.min(2 ** this.level, OPEN_FACTOR_MAX)
    this.state = 'open'
    this.reason = reason
    this.byOperator = false
    this.hadSignOfLife = false
    this.openedMs = nowMs
    this.untilMs = nowMs + openMs * (1 - JITTER * random)
  }

  private halfOpen(nowMs: number): void {
    this.state = 'half-open'
    this.byOperator = false
    this.untilMs = 0
    this.answers = 0
    this.probesOut = 0
    this.probesSinceMs = nowMs
  }

  private close(level: number, nowMs: number): void {
    this.state = 'closed'
    this.reason = undefined
    this.byOperator = false
    this.untilMs = 0
    this.level = level
    this.closedMs = nowMs
    this.forget()
  }
}

function toFailures(weight: number): number {
  return Math.ceil(weight / FAILURE)
}
