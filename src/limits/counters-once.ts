/** A repetition comes within seconds or minutes; a day is far on the safe side of that. */
const KEPT_MS = 86_400_000
/** Some hundred bytes each. */
const KEPT_MAX = 200_000

/** What has been done already, for a day. */
export class DoneOnce {
  /** When each can be forgotten; the oldest first, for all are kept equally long. */
  private readonly done = new Map<string, number>()

  /** @returns whether it has not been done before */
  add(name: string, nowMs: number): boolean {
    for (const [oldest, forgottenMs] of this.done) {
      if (forgottenMs > nowMs && this.done.size < KEPT_MAX) break
      this.done.delete(oldest)
    }
    if (this.done.has(name)) return false
    this.done.set(name, nowMs + KEPT_MS)
    return true
  }

  get size(): number {
    return this.done.size
  }

  clear(): void {
    this.done.clear()
  }
}
