import { GatewayError } from '../core/errors.ts'

/** Those who wait until the ledger has all rows up to a number. */
export interface DrainWaiters {
  wait(through: number): Promise<void>
  /** To be called when the ledger has more rows than before. */
  tell(): void
}

/** @param isDrained whether it has them */
export function createDrainWaiters(isDrained: (through: number) => boolean): DrainWaiters {
  let waiters: { readonly through: number; readonly resolve: () => void }[] = []
  return {
    wait(through) {
      if (isDrained(through)) return Promise.resolve()
      return new Promise((resolve) => waiters.push({ through, resolve }))
    },
    tell() {
      if (waiters.length === 0) return
      const left: typeof waiters = []
      for (const waiter of waiters) {
        if (isDrained(waiter.through)) waiter.resolve()
        else left.push(waiter)
      }
      waiters = left
    },
  }
}

export function journalClosed(): GatewayError {
  return new GatewayError('storage_unavailable', { message: 'The journal is closed.' })
}
