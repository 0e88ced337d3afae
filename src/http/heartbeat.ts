/** A stream that must not fall silent. */
export interface Pulse {
  /** Bytes went out just now. */
  beat(): void
  stop(): void
}

export interface Heartbeats {
  /** @param onSilence called after each whole period in which nothing went out */
  start(onSilence: () => void): Pulse
  close(): void
}

/**
 * One timer for all streams: a timer for each would be set again at every chunk.
 *
 * @param silenceMs the longest silence, give or take a tenth
 */
export function createHeartbeats(silenceMs: number, monotonicMs: () => number): Heartbeats {
  interface Entry {
    lastMs: number
    readonly onSilence: () => void
  }
  const entries = new Set<Entry>()
  const timer = setInterval(
    () => {
      const nowMs = monotonicMs()
      for (const entry of entries) {
        if (nowMs - entry.lastMs < silenceMs) continue
        entry.lastMs = nowMs
        try {
          entry.onSilence()
        } catch {
          // Its connection takes nothing more; the others, and the process, must not pay for that.
          entries.delete(entry)
        }
      }
    },
    Math.max(1, silenceMs / 10),
  )
  timer.unref()
  return {
    start(onSilence) {
      const entry: Entry = { lastMs: monotonicMs(), onSilence }
      entries.add(entry)
      return {
        beat() {
          entry.lastMs = monotonicMs()
        },
        stop() {
          entries.delete(entry)
        },
      }
    },
    close: () => clearInterval(timer),
  }
}
