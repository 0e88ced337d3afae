import type { BudgetPeriod, BudgetSource, BudgetUse, Subject } from './ports.ts'

type Awaitable<Value> = Value | Promise<Value>

/** What is set on whom, as far as alerts look at it. */
export interface BudgetPolicy {
  readonly organizationId: string
  readonly subject: Subject
  readonly budget:
    | {
        readonly limitNanoUsd: number | null
        readonly hardLimit: boolean
        readonly alertAt: readonly number[]
      }
    | undefined
}

/** A budget's counter in one period. */
export interface BudgetMeter {
  readonly window: { readonly kind: string; readonly startMs?: number; readonly endMs?: number }
}

/** What knows of budgets: limits, their counters, and the ledger. */
export interface BudgetParts<Policy extends BudgetPolicy, Meter extends BudgetMeter> {
  /** From memory. */
  find(organizationId: string, subject: Subject): Policy | undefined
  list(organizationId: string): Promise<readonly Policy[]>
  meterOf(policy: Policy, atMs: number): Meter | undefined
  read(organizationId: string, meters: readonly Meter[]): Awaitable<readonly { readonly used: number }[]>
  spent(
    organizationId: string,
    queries: readonly { readonly subject: Subject; readonly fromMs: number; readonly toMs: number }[],
  ): Promise<readonly { readonly costNanoUsd: number }[]>
}

interface Watched<Meter> {
  readonly budget: BudgetPeriod
  readonly meter: Meter
}

/** Meters of one reading: a step of the counters must not take long. */
const METERS_MAX = 256

/** Joins them to what alerts ask. Budgets without a limit, or without a share to tell of, are none. */
export function createBudgetSource<Policy extends BudgetPolicy, Meter extends BudgetMeter>(
  parts: BudgetParts<Policy, Meter>,
): BudgetSource {
  function watch(policy: Policy | undefined, atMs: number): Watched<Meter> | undefined {
    const budget = policy?.budget
    if (policy === undefined || budget === undefined) return undefined
    const { limitNanoUsd, hardLimit, alertAt } = budget
    if (limitNanoUsd === null || limitNanoUsd <= 0 || alertAt.length === 0) return undefined
    const meter = parts.meterOf(policy, atMs)
    const { startMs, endMs } = meter?.window ?? {}
    if (meter === undefined || startMs === undefined || endMs === undefined) return undefined
    const { organizationId, subject } = policy
    return {
      budget: { organizationId, subject, limitNanoUsd, hardLimit, alertAt, startMs, endMs },
      meter,
    }
  }

  function watchAll(policies: readonly (Policy | undefined)[], atMs: number): Watched<Meter>[] {
    return policies.map((policy) => watch(policy, atMs)).filter((each) => each !== undefined)
  }

  return {
    async now(organizationId, subjects, atMs) {
      const watched = watchAll(
        subjects.map((subject) => parts.find(organizationId, subject)),
        atMs,
      )
      const uses: BudgetUse[] = []
      for (let start = 0; start < watched.length; start += METERS_MAX) {
        const page = watched.slice(start, start + METERS_MAX)
        const states = await parts.read(
          organizationId,
          page.map(({ meter }) => meter),
        )
        for (const [index, { budget }] of page.entries())
          uses.push({ budget, usedNanoUsd: states[index]?.used ?? 0 })
      }
      return uses
    },

    async booked(organizationId, atMs) {
      const watched = watchAll(await parts.list(organizationId), atMs)
      if (watched.length === 0) return []
      const queries = watched.map(({ budget }) => ({
        subject: budget.subject,
        fromMs: budget.startMs,
        toMs: budget.endMs,
      }))
      const sums = await parts.spent(organizationId, queries)
      return watched.map(({ budget }, index) => ({ budget, usedNanoUsd: sums[index]?.costNanoUsd ?? 0 }))
    },
  }
}
