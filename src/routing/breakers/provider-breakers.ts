import { Breaker, type BreakerSettings, type Sign } from './breaker.ts'
import { Pause } from './pause.ts'
import type { BreakerState } from './ports.ts'

/** What keeps calls from one target or provider. */
export interface Guard {
  /** `''` = the provider's own. */
  readonly model: string
  readonly breaker: Breaker
  readonly pause: Pause
}

/** Hears of every change. */
export type OnGuard = (guard: Guard) => void

/** Callers name models, so that there may be more than there are; what was idle longest is forgotten. */
const TARGETS_MAX = 500
/** A model that nobody has asked for since it failed, and perhaps nobody ever will. */
const TARGET_IDLE_MS = 600_000
/** So many paused targets, without an answer of another, are taken for a limit of the whole provider. */
const PAUSED_TARGETS = 2

/**
 * The breaker of a provider and those of its targets. Calls count for both; a target opens alone where the provider
 * goes on answering for others. Moments are monotonic milliseconds.
 */
export class ProviderBreakers {
  readonly own: Guard
  readonly targets = new Map<string, Guard>()
  /** Nothing keeps calls from it or from any of its targets. */
  isCalm = true
  private settings: BreakerSettings
  private readonly onChange: OnGuard
  /** The model that answered last, when, and when the last one of another name did. */
  private answeredModel = ''
  private answeredMs = Number.NEGATIVE_INFINITY
  private othersAnsweredMs = Number.NEGATIVE_INFINITY

  constructor(settings: BreakerSettings, onChange: OnGuard) {
    this.settings = settings
    this.onChange = onChange
    this.own = newGuard('', settings)
  }

  reconfigure(settings: BreakerSettings): void {
    this.settings = settings
    this.own.breaker.reconfigure(settings)
    for (const { breaker } of this.targets.values()) breaker.reconfigure(settings)
  }

  /** @returns what keeps a call from the target, the one that does so longest; else lets it through */
  admit(model: string, nowMs: number): Guard | undefined {
    const target = this.targets.get(model)
    const own = waitMs(this.own, nowMs)
    const targets = target === undefined ? 0 : waitMs(target, nowMs)
    if (own > 0 || targets > 0) return target !== undefined && targets > own ? target : this.own
    // Only now, so that no place among the probes is taken by a call that the other one refuses.
    if (this.own.breaker.enter(nowMs)) this.onChange(this.own)
    if (target?.breaker.enter(nowMs)) this.onChange(target)
    return undefined
  }

  /** @param what it is called, for people: `timeout` */
  note(model: string, sign: Sign, what: string, startedMs: number, nowMs: number, random: number): void {
    const target = this.target(model, sign, nowMs)
    if (sign === 'answer' || sign === 'slow') {
      this.noteAnswer(model, nowMs)
      this.own.pause.answered(startedMs)
      target?.pause.answered(startedMs)
    }
    const isFailure = sign === 'failure' || sign === 'cut' || sign === 'slow'
    const isOwnClosed = isClosed(this.own)
    const isTargetClosed = target === undefined || isClosed(target)
    // Whichever of the two is not closed answers for the failures of this target.
    const ownCounts = !isOwnClosed || isTargetClosed || !isFailure
    const targetCounts = target !== undefined && (isOwnClosed || !isTargetClosed)
    const ownChanged = ownCounts && this.count(this.own, sign, startedMs, nowMs, random)
    const targetChanged = targetCounts && this.count(target, sign, startedMs, nowMs, random)
    if (isFailure) this.judge(target, what, nowMs, random)
    if (ownChanged || targetChanged) this.calm(nowMs)
  }

  /** Pauses the target for as long as the provider asks. */
  limit(model: string, retryAfterMs: number | undefined, startedMs: number, nowMs: number): void {
    const target = this.target(model, 'failure', nowMs) ?? this.own
    if (!target.pause.ask(retryAfterMs, startedMs, nowMs)) return
    this.onChange(target)
    const paused = [...this.targets.values()].filter(({ pause }) => pause.untilMs > nowMs)
    if (paused.length >= PAUSED_TARGETS) {
      const sinceMs = Math.min(...paused.map(({ pause }) => pause.sinceMs))
      const untilMs = Math.min(...paused.map(({ pause }) => pause.untilMs))
      if (this.answeredMs < sinceMs && this.own.pause.extend(untilMs, nowMs)) this.onChange(this.own)
    }
    this.calm(nowMs)
  }

  /** A closed provider has no target that is open or paused. */
  force(state: BreakerState, nowMs: number): void {
    this.own.breaker.force(state, nowMs)
    if (state === 'closed') {
      this.own.pause.end(nowMs)
      for (const target of this.targets.values()) {
        const wasPaused = target.pause.end(nowMs)
        if (target.breaker.state === 'closed' && !wasPaused) continue
        target.breaker.force('closed', nowMs)
        this.onChange(target)
      }
    }
    this.onChange(this.own)
    this.calm(nowMs)
  }

  signOfLife(nowMs: number): void {
    if (this.own.breaker.signOfLife(nowMs)) this.onChange(this.own)
  }

  /** What waits for its time goes half-open when it has come, also while nobody calls. */
  advance(nowMs: number): void {
    if (this.isCalm) return
    if (this.own.breaker.advance(nowMs)) this.onChange(this.own)
    for (const target of this.targets.values()) {
      const { breaker } = target
      if (breaker.advance(nowMs) || breaker.rest(TARGET_IDLE_MS, nowMs)) this.onChange(target)
    }
    this.calm(nowMs)
  }

  /** To be called after what another replica says was taken over. */
  calm(nowMs: number): void {
    this.isCalm = isCalm(this.own, nowMs)
    for (const target of this.targets.values()) {
      if (!this.isCalm) return
      this.isCalm = isCalm(target, nowMs)
    }
  }

  /** @returns that of a target; `undefined` where there is no room for one, or nothing to remember */
  target(model: string, sign: Sign, nowMs: number): Guard | undefined {
    let target = this.targets.get(model)
    if (target !== undefined || sign === 'alive' || sign === 'nothing') return target
    if (this.targets.size >= TARGETS_MAX && !this.forgetOne(nowMs)) return undefined
    target = newGuard(model, this.settings)
    this.targets.set(model, target)
    return target
  }

  private forgetOne(nowMs: number): boolean {
    for (const [model, target] of this.targets) {
      if (!isCalm(target, nowMs) || !target.breaker.isIdle(nowMs)) continue
      return this.targets.delete(model)
    }
    return false
  }

  private count(guard: Guard, sign: Sign, startedMs: number, nowMs: number, random: number): boolean {
    const changed = guard.breaker.count(sign, startedMs, nowMs, random)
    if (changed) this.onChange(guard)
    return changed
  }

  private noteAnswer(model: string, nowMs: number): void {
    if (model !== this.answeredModel) {
      this.othersAnsweredMs = this.answeredMs
      this.answeredModel = model
    }
    this.answeredMs = nowMs
  }

  /** Opens the provider, or the target alone, where there is reason to. */
  private judge(target: Guard | undefined, what: string, nowMs: number, random: number): void {
    const own = this.own.breaker.verdict(nowMs)
    const targets = target?.breaker.verdict(nowMs)
    if (own === undefined && targets === undefined) return
    const isAlone = target !== undefined && this.isAlone(target)
    if (own !== undefined && !isAlone) {
      this.own.breaker.open(nowMs, random, `${own}, the last: ${what}`)
      // From here on the provider's breaker answers for this target; should it go on failing alone, it opens alone.
      target?.breaker.forget()
      this.onChange(this.own)
    } else if (target !== undefined && targets !== undefined) {
      target.breaker.open(nowMs, random, `${targets}, the last: ${what}`)
      // What it failed is told; the provider is not to open by that and one failure of another.
      this.own.breaker.forget()
      this.onChange(target)
    }
    this.calm(nowMs)
  }

  /** @returns whether the provider has answered for another model since this one began to fail */
  private isAlone({ model, breaker }: Guard): boolean {
    const othersMs = model === this.answeredModel ? this.othersAnsweredMs : this.answeredMs
    return othersMs >= breaker.rowSinceMs
  }
}

function newGuard(model: string, settings: BreakerSettings): Guard {
  return { model, breaker: new Breaker(settings), pause: new Pause() }
}

function waitMs({ breaker, pause }: Guard, nowMs: number): number {
  return Math.max(breaker.waitMs(nowMs), pause.leftMs(nowMs))
}

function isClosed({ breaker }: Guard): boolean {
  return breaker.state === 'closed'
}

function isCalm({ breaker, pause }: Guard, nowMs: number): boolean {
  return breaker.state === 'closed' && pause.untilMs <= nowMs
}
