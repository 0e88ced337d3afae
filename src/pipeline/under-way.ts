import type { Running } from './run.ts'

/** Counts the calls that are not settled yet. */
export interface UnderWay {
  readonly count: number
  /** @returns the same running call, counted until it is settled or has failed */
  track(call: Promise<Running>): Promise<Running>
  /** Resolves when nothing is under way any more, or after `timeoutMs`. */
  idle(timeoutMs: number): Promise<void>
}

export function countUnderWay(): UnderWay {
  let count = 0
  const waiting = new Set<() => void>()

  function leave(): void {
    count--
    if (count === 0) for (const wake of waiting) wake()
  }

  return {
    get count() {
      return count
    },
    async track(call) {
      count++
      try {
        const running = await call
        let left = false
        return {
          reply: running.reply,
          async end(kind, error) {
            try {
              await running.end(kind, error)
            } finally {
              if (!left) leave()
              left = true
            }
          },
        }
      } catch (error) {
        leave()
        throw error
      }
    },
    idle(timeoutMs) {
      if (count === 0) return Promise.resolve()
      return new Promise((resolve) => {
        const wake = () => {
          clearTimeout(timer)
          waiting.delete(wake)
          resolve()
        }
        const timer = setTimeout(wake, timeoutMs)
        waiting.add(wake)
      })
    },
  }
}
