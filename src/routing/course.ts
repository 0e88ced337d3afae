import type { Plan, TargetName } from '../pipeline/exchange.ts'
import type { Fault } from './fault.ts'
import type { BreakerVerdict } from './ports.ts'

export interface CourseOptions {
  /** Whether a target's breakers let a call pass; in half-open it takes one of their probes. */
  readonly admit: (target: TargetName) => BreakerVerdict
  /** @returns milliseconds to wait before the same target is asked again */
  readonly backoff: () => number
  /** Whether one more try may be made, all calls together. */
  readonly mayRetry: () => boolean
}

/** What to try next, and after how long. */
export interface Step {
  readonly target: TargetName
  readonly waitMs: number
}

/** All waits of one call together: failing over must not take longer than callers are ready to notice. */
const WAIT_MS_MAX = 1500

/** Faults after which the same target would say the same again. */
const FINAL_FOR_TARGET: readonly Fault[] = ['key-refused', 'unsupported', 'context-length']
/** Faults after which no target is asked any more. */
const FINAL_FOR_CALL: readonly Fault[] = ['callers', 'left', 'ours']

/**
 * The way of one call through its targets: each once, in their order, as long as there are some whose breakers are
 * closed; then those again that may have recovered, after a wait.
 */
export class Course {
  /** The shortest time after which a breaker that stood in the way lets calls pass again. */
  retryAfterMs: number | undefined
  /** Whether a target stood in the way that only asked for a pause. */
  private isPaused = false
  private readonly targets: readonly TargetName[]
  private readonly triesMax: number
  private readonly options: CourseOptions
  private readonly tried = new Map<TargetName, number>()
  private readonly excluded = new Set<TargetName>()
  private tries = 0
  private waitedMs = 0
  private isLonger = false

  constructor({ targets, policy }: Plan, options: CourseOptions) {
    const fallback = policy?.fallback === true
    this.targets = fallback ? targets : targets.slice(0, 1)
    this.triesMax = 1 + Math.max(policy?.retries ?? 0, this.targets.length - 1)
    this.options = options
  }

  /**
   * A pause sends calls to other targets; where there is none, the provider itself says how long it lasts.
   *
   * @returns `undefined` where no breaker lets the call pass
   */
  first(): Step | undefined {
    const step = this.untried(0)
    if (step !== undefined || !this.isPaused) return step
    const paused = this.targets.find((target) => {
      const verdict = this.options.admit(target)
      return verdict.open && verdict.why === 'paused'
    })
    return paused === undefined ? undefined : this.step(paused, 0)
  }

  /**
   * @param retryAfterMs what the provider asked for
   * @returns what to try after a failure; `undefined` where it is to be told
   */
  after(target: TargetName, fault: Fault, retryAfterMs: number | undefined): Step | undefined {
    if (FINAL_FOR_CALL.includes(fault) || this.tries >= this.triesMax) return undefined
    if (FINAL_FOR_TARGET.includes(fault)) this.excluded.add(target)
    if (fault === 'rate-limited' && (retryAfterMs ?? 0) > WAIT_MS_MAX - this.waitedMs)
      this.excluded.add(target)
    // Too long for one model: only a longer context helps, and is asked for once.
    if (fault === 'context-length') return this.isLonger ? undefined : this.longer(target)
    if (!this.options.mayRetry()) return undefined
    return this.untried(0) ?? this.again(fault === 'rate-limited' ? retryAfterMs : undefined)
  }

  private longer({ contextTokens }: TargetName): Step | undefined {
    this.isLonger = true
    for (const target of this.targets) {
      const isKnownLonger = contextTokens !== undefined && (target.contextTokens ?? 0) <= contextTokens
      if (!this.tried.has(target) && !isKnownLonger && this.admits(target)) return this.step(target, 0)
    }
    return undefined
  }

  private untried(waitMs: number): Step | undefined {
    for (const target of this.targets) {
      if (!this.tried.has(target) && !this.excluded.has(target) && this.admits(target))
        return this.step(target, waitMs)
    }
    return undefined
  }

  private again(retryAfterMs: number | undefined): Step | undefined {
    const waitMs = retryAfterMs ?? this.options.backoff()
    if (this.waitedMs + waitMs > WAIT_MS_MAX) return undefined
    const candidates = this.targets
      .filter((target) => this.tried.has(target) && !this.excluded.has(target))
      .toSorted((first, second) => (this.tried.get(first) ?? 0) - (this.tried.get(second) ?? 0))
    for (const target of candidates) if (this.admits(target, waitMs)) return this.step(target, waitMs)
    return undefined
  }

  private step(target: TargetName, waitMs: number): Step {
    this.tried.set(target, (this.tried.get(target) ?? 0) + 1)
    this.tries++
    this.waitedMs += waitMs
    return { target, waitMs }
  }

  /** @param waitMs before the target is asked: a pause that is over by then is none */
  private admits(target: TargetName, waitMs = 0): boolean {
    const verdict = this.options.admit(target)
    if (!verdict.open || (verdict.why === 'paused' && verdict.retryAfterMs <= waitMs)) return true
    this.isPaused ||= verdict.why === 'paused'
    this.retryAfterMs = Math.min(this.retryAfterMs ?? Number.POSITIVE_INFINITY, verdict.retryAfterMs)
    return false
  }
}
