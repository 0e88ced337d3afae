/** Waiting, passed in so that tests own it. */
export interface Timers {
  /** @returns a function that calls it off */
  schedule(delayMs: number, run: () => void): () => void
}

export const systemTimers: Timers = {
  schedule(delayMs, run) {
    const timer = setTimeout(run, delayMs)
    return () => clearTimeout(timer)
  },
}
