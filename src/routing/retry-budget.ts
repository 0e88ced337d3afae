/** A burst of failures may be answered in full before tries become dear. */
const TOKENS_MAX = 100
/** In the long run at most one further try for so many calls. */
const CALLS_PER_RETRY = 5
/** However few calls there are, some may be tried again. */
const TOKENS_PER_SECOND = 2

/**
 * Bounds the further tries of all calls together: where everything fails, tries would otherwise multiply the load on
 * providers that are down because of their load.
 */
export class RetryBudget {
  private tokens = TOKENS_MAX
  private atMs: number
  private readonly monotonicMs: () => number

  constructor(monotonicMs: () => number) {
    this.monotonicMs = monotonicMs
    this.atMs = monotonicMs()
  }

  /** A call begins: it pays in for those that fail. */
  begin(): void {
    this.tokens = Math.min(TOKENS_MAX, this.tokens + 1 / CALLS_PER_RETRY)
  }

  /** @returns whether a further try may be made */
  take(): boolean {
    const nowMs = this.monotonicMs()
    this.tokens = Math.min(TOKENS_MAX, this.tokens + ((nowMs - this.atMs) / 1000) * TOKENS_PER_SECOND)
    this.atMs = nowMs
    if (this.tokens < 1) return false
    this.tokens--
    return true
  }
}
