/** The first pause where a provider does not say how long; each further one is twice as long. */
const FIRST_MS = 1000
const UNSAID_MS_MAX = 60_000
/** Some ask for a day. One call every five minutes does no harm and finds out when the limit was raised. */
const PAUSE_MS_MAX = 300_000

/** A pause that a rate limit asks for. It is no failure: nothing opens by it. Moments are monotonic milliseconds. */
export class Pause {
  untilMs = Number.NEGATIVE_INFINITY
  sinceMs = Number.NEGATIVE_INFINITY
  private nextMs = FIRST_MS

  leftMs(nowMs: number): number {
    return Math.max(0, this.untilMs - nowMs)
  }

  /**
   * @param retryAfterMs what the provider asked for; `undefined` where it did not say
   * @param startedMs when the call began that was refused
   * @returns whether the pause is longer now
   */
  ask(retryAfterMs: number | undefined, startedMs: number, nowMs: number): boolean {
    if (retryAfterMs !== undefined && retryAfterMs > 0) return this.extend(nowMs + retryAfterMs, nowMs)
    // Calls that were under way when it began are refused as well, and say nothing new.
    if (startedMs <= this.sinceMs || this.untilMs > nowMs) return false
    const pauseMs = this.nextMs
    this.nextMs = Math.min(pauseMs * 2, UNSAID_MS_MAX)
    return this.extend(nowMs + pauseMs, nowMs)
  }

  extend(untilMs: number, nowMs: number): boolean {
    const bounded = Math.min(untilMs, nowMs + PAUSE_MS_MAX)
    if (bounded <= this.untilMs || bounded <= nowMs) return false
    if (this.untilMs <= nowMs) this.sinceMs = nowMs
    this.untilMs = bounded
    return true
  }

  /** The provider answered a call that began after the last pause did. */
  answered(startedMs: number): void {
    if (startedMs > this.sinceMs) this.nextMs = FIRST_MS
  }

  /** @returns whether there was one */
  end(nowMs: number): boolean {
    const was = this.untilMs > nowMs
    this.untilMs = Number.NEGATIVE_INFINITY
    this.nextMs = FIRST_MS
    return was
  }
}
