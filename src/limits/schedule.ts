export interface Schedule {
  /** Begins no more; resolves once what runs has ended. */
  close(): Promise<void>
}

/**
 * Runs `work` every so often, the first time after one interval, never twice at once: a turn that comes while the last
 * one still runs is left out. Keeps no process alive.
 *
 * @param onError gets what `work` throws; the next turn comes all the same
 */
export function every(
  intervalMs: number,
  work: () => Promise<unknown>,
  onError: (error: unknown) => void,
): Schedule {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= work()
      .then(() => undefined, onError)
      .finally(() => {
        running = undefined
      })
  }, intervalMs)
  timer.unref()
  return {
    async close() {
      clearInterval(timer)
      await running
    },
  }
}
