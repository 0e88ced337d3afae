const ENTRIES_MAX = 10_000
/** Providers keep a prompt in their caches for five minutes after its last use, where they say how long. */
const TTL_MS = 5 * 60_000

interface Entry {
  readonly target: string
  readonly untilMs: number
}

/**
 * Where the calls of each session went, so that the next one finds the provider's prompt cache warm. Bounded: the
 * session that was silent longest is forgotten first.
 */
export class Affinity {
  private readonly entries = new Map<string, Entry>()
  private readonly entriesMax: number
  private readonly ttlMs: number

  constructor(entriesMax = ENTRIES_MAX, ttlMs = TTL_MS) {
    this.entriesMax = entriesMax
    this.ttlMs = ttlMs
  }

  get size(): number {
    return this.entries.size
  }

  /** @returns the target of the last call of a session, as `targetKey` names it */
  find(session: string, nowMs: number): string | undefined {
    const entry = this.entries.get(session)
    return entry === undefined || entry.untilMs <= nowMs ? undefined : entry.target
  }

  remember(session: string, target: string, nowMs: number): void {
    // Taken out first, so that it stands behind all that were silent for longer.
    this.entries.delete(session)
    if (this.entries.size >= this.entriesMax) {
      const oldest = this.entries.keys().next()
      if (!oldest.done) this.entries.delete(oldest.value)
    }
    this.entries.set(session, { target, untilMs: nowMs + this.ttlMs })
  }
}
