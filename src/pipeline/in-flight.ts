import type { Stage } from './stage.ts'

/** The calls that have begun and are not over: whoever takes something away from under them has to wait. */
export interface InFlight {
  readonly count: number
  /** Before a call is run through the stages. */
  begin(): void
  /** Has to be the first: it settles last. */
  readonly stage: Stage
  /** @returns whether none is under way any more, at the latest after `waitMs` */
  idle(waitMs: number): Promise<boolean>
}

export function createInFlight(): InFlight {
  let count = 0
  const waiting = new Set<() => void>()
  return {
    get count() {
      return count
    },
    begin() {
      count++
    },
    stage: {
      name: 'in-flight',
      settle() {
        count--
        if (count > 0) return
        for (const wake of waiting) wake()
        waiting.clear()
      },
    },
    async idle(waitMs) {
      if (count === 0) return true
      const { promise, resolve } = Promise.withResolvers<void>()
      const timer = setTimeout(resolve, waitMs)
      waiting.add(resolve)
      await promise
      clearTimeout(timer)
      waiting.delete(resolve)
      return count === 0
    },
  }
}
