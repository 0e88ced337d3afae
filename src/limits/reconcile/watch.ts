/** What was seen of one excess. */
interface Watch {
  looks: number
  lastMs: number
  smallest: number
  /** When the newest of the calls began that were under way at the first look; `undefined` = none was. */
  readonly newestTakenAtMs: number | undefined
}

/** Calls under way on a meter: when the oldest and the newest of them began. */
export interface UnderWay {
  readonly oldestTakenAtMs: number
  readonly newestTakenAtMs: number
}

/**
 * `watching`: not seen often enough, or calls are still under way that were when it was seen first. `ripe`: nothing
 * explains it. `stuck`: it is there all the time, and so are those calls.
 */
export type Verdict = 'watching' | 'ripe' | 'stuck'

/** Looks closer together than this are one look. */
export const LOOK_GAP_MS = 30_000
const LOOKS_RIPE = 3
/** An hour of looks on schedule. */
const LOOKS_STUCK = 12
const WATCHES_MAX = 10_000

/**
 * Remembers what was too much, from look to look. A settlement reaches the counter first and the ledger later, so that
 * only what stays is wrong.
 */
export class Watches {
  private readonly watches = new Map<string, Watch>()

  get size(): number {
    return this.watches.size
  }

  /** @returns what to think of it, and the least that it was in any look */
  see(
    key: string,
    amount: number,
    nowMs: number,
    underWay: UnderWay | undefined,
  ): { readonly verdict: Verdict; readonly smallest: number } {
    const watch = this.watches.get(key)
    if (watch === undefined) {
      const [oldest] = this.watches.keys()
      if (this.watches.size >= WATCHES_MAX && oldest !== undefined) this.watches.delete(oldest)
      this.watches.set(key, {
        looks: 1,
        lastMs: nowMs,
        smallest: amount,
        newestTakenAtMs: underWay?.newestTakenAtMs,
      })
      return { verdict: 'watching', smallest: amount }
    }
    watch.smallest = Math.min(watch.smallest, amount)
    if (nowMs - watch.lastMs >= LOOK_GAP_MS) {
      watch.looks++
      watch.lastMs = nowMs
    }
    const { looks, smallest, newestTakenAtMs } = watch
    const isExplained =
      underWay !== undefined && newestTakenAtMs !== undefined && underWay.oldestTakenAtMs <= newestTakenAtMs
    if (looks < LOOKS_RIPE) return { verdict: 'watching', smallest }
    if (!isExplained) return { verdict: 'ripe', smallest }
    return { verdict: looks < LOOKS_STUCK ? 'watching' : 'stuck', smallest }
  }

  forget(key: string): void {
    this.watches.delete(key)
  }
}
