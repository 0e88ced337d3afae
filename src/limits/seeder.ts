import type { Policy } from './policy.ts'
import { type SeedPorts, seedPolicy } from './seed.ts'

export interface SeederOptions {
  readonly ports: SeedPorts
  /** What was missed is found by the next reconciliation. */
  readonly onError: (error: unknown) => void
}

/** Lets budgets begin with what was spent already, wherever they were set: by the API, or by hand in SQL. */
export interface Seeder {
  changed(policy: Policy, before: Policy | undefined): void
}

/** More changes at once are left to the reconciler. */
const WAITING_MAX = 10_000

export function createSeeder({ ports, onError }: SeederOptions): Seeder {
  let waiting = 0
  let last: Promise<unknown> = Promise.resolve()
  return {
    changed(policy, before) {
      if (waiting >= WAITING_MAX) return
      waiting++
      // One after the other: each waits for the ledger, and somebody may set a thousand budgets at once.
      last = last
        .then(() => seedPolicy(ports, policy, before))
        .catch(onError)
        .finally(() => {
          waiting--
        })
    },
  }
}
