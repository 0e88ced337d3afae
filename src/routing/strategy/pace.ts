import type { Attempt } from '../../pipeline/exchange.ts'
import { DecayedMean } from './decayed-mean.ts'

/** A caller may invent models; those that answer are few. */
const TARGETS_MAX = 2000

/** Names a target in one text. Providers have no slash in their names. */
export function targetKey(provider: string, model: string): string {
  return `${provider}/${model}`
}

/** How fast one target is of late, and how busy. */
export class TargetPace {
  /** Attempts that began and have not ended. */
  inFlight = 0
  /** Whether it was asked for since it was last passed over for eviction. */
  used = false
  private readonly firstToken = new DecayedMean()
  private readonly generation = new DecayedMean()
  private readonly output = new DecayedMean()
  private readonly load = new DecayedMean()

  /** Milliseconds from the request to the first content of a stream; `undefined` = no stream was measured yet. */
  get ttftMs(): number | undefined {
    return this.firstToken.mean
  }

  /** `undefined` = not measured yet. */
  get tokensPerSecond(): number | undefined {
    const ms = this.generation.mean
    const tokens = this.output.mean
    return ms === undefined || tokens === undefined || ms <= 0 ? undefined : (tokens * 1000) / ms
  }

  /** Of one call, all answers together. */
  get outputTokens(): number | undefined {
    return this.output.mean
  }

  /** How many recent calls stand behind the measures: they count for less, the longer they are past. */
  evidenceAt(nowMs: number): number {
    return Math.max(this.firstToken.weightAt(nowMs), this.generation.weightAt(nowMs))
  }

  /**
   * @param outputTokens that the call is expected to have
   * @returns milliseconds until its last token; longer where more is under way than there was when it was measured
   */
  expectedMs(outputTokens: number): number | undefined {
    const ttftMs = this.firstToken.mean
    const ms = this.generation.mean
    if (ttftMs === undefined && ms === undefined) return undefined
    const msPerToken = (ms ?? 0) / Math.max(1, this.output.mean ?? 1)
    return ((ttftMs ?? 0) + msPerToken * outputTokens) * this.crowding()
  }

  /** A few calls more or less say nothing; twice as many as usual do. */
  private crowding(): number {
    const usual = this.load.mean ?? this.inFlight
    return Math.max(1, (this.inFlight + LOAD_SLACK) / (usual + LOAD_SLACK))
  }

  note(attempt: Attempt, nowMs: number): void {
    const { startedMs, endedMs = nowMs, firstTokenMs, errorCode, dispatched } = attempt
    const totalMs = endedMs - startedMs
    if (errorCode !== undefined) {
      // Whoever does not answer in time is at least that slow. Any other failure says nothing about pace.
      if (errorCode === 'upstream_timeout' && dispatched && firstTokenMs === undefined)
        this.firstToken.add(totalMs, nowMs)
      return
    }
    // Whoever left before the first word says nothing about how long it would have taken.
    if (!dispatched || (attempt.endedMs === undefined && firstTokenMs === undefined)) return
    this.load.add(this.inFlight, nowMs)
    const tokens = outputTokensOf(attempt)
    if (tokens <= 0) {
      // Vectors, and answers without a word: all of it was waiting.
      this.firstToken.add(totalMs, nowMs)
      return
    }
    if (firstTokenMs === undefined || firstTokenMs >= endedMs) {
      // A whole reply: when its first token was there, streams of the same target have told, or nobody knows.
      this.generation.add(Math.max(0, totalMs - (this.firstToken.mean ?? 0)), nowMs)
    } else {
      this.firstToken.add(firstTokenMs - startedMs, nowMs)
      this.generation.add(endedMs - firstTokenMs, nowMs)
    }
    this.output.add(tokens, nowMs)
  }
}

/** Calls under way that a provider does not notice. */
const LOAD_SLACK = 8
/** Where the provider does not say: English text. */
const CHARACTERS_PER_TOKEN = 4

function outputTokensOf({ usage, outputText }: Attempt): number {
  return usage.outputTokens ?? outputText.length / CHARACTERS_PER_TOKEN
}

/**
 * How fast and how busy each target is, from real traffic. In memory: a new process learns anew, within seconds.
 * Noting an attempt costs less than a microsecond.
 */
export class Pace {
  private readonly targets = new Map<string, TargetPace>()
  private readonly underWay = new WeakSet<Attempt>()
  private readonly noted = new WeakSet<Attempt>()

  /** An attempt is about to be sent. */
  began(attempt: Attempt): void {
    if (this.underWay.has(attempt) || this.noted.has(attempt)) return
    this.underWay.add(attempt)
    this.entry(targetKey(attempt.provider, attempt.model)).inFlight++
  }

  /**
   * An attempt is over. Only the first word on it counts.
   *
   * @param isMeasured false where it says nothing about other calls: tokens are counted faster than they are written
   */
  ended(attempt: Attempt, nowMs: number, isMeasured = true): void {
    if (this.noted.has(attempt)) return
    this.noted.add(attempt)
    const target = this.entry(targetKey(attempt.provider, attempt.model))
    if (this.underWay.delete(attempt) && target.inFlight > 0) target.inFlight--
    if (isMeasured) target.note(attempt, nowMs)
  }

  /** @param key as `targetKey` makes it */
  of(key: string): TargetPace | undefined {
    return this.targets.get(key)
  }

  private entry(key: string): TargetPace {
    let target = this.targets.get(key)
    if (target === undefined) {
      if (this.targets.size >= TARGETS_MAX) this.evict()
      target = new TargetPace()
      this.targets.set(key, target)
    } else target.used = true
    return target
  }

  /** The oldest that was not met again: names that are called once do not drive out those that are in use. */
  private evict(): void {
    let looks = 0
    for (const [key, target] of this.targets) {
      this.targets.delete(key)
      looks++
      // Where all are in use, the oldest goes after one round.
      if ((!target.used && target.inFlight === 0) || looks > TARGETS_MAX) return
      target.used = false
      this.targets.set(key, target)
    }
  }
}
