import type { Alert, AlertEvent } from './alert.ts'
import { DAY_MS, HOUR_MS } from './amounts.ts'
import { BUDGET_THRESHOLD, dedupeKeyOf, isOutgrown } from './budget-thresholds.ts'
import { reportReached } from './budget-watch.ts'
import type { AlertStore, BudgetSource, BudgetUse, SpendStore } from './ports.ts'

export interface BudgetSweepOptions {
  readonly source: Pick<BudgetSource, 'booked'>
  readonly spend: Pick<SpendStore, 'spenders' | 'organizationName'>
  readonly store: Pick<AlertStore, 'listOpen'>
  readonly report: (event: AlertEvent) => void
  readonly isReported: (dedupeKey: string) => boolean
  readonly resolve: (alert: Alert, reason: string) => Promise<void>
  readonly signal: AbortSignal
}

/** Finds in the ledger what no process saw happen: it was dead, or the database was away. */
export interface BudgetSweep {
  run(nowMs: number): Promise<void>
}

const PAGE_ROWS = 1000
const OPEN_MAX = 10_000
/** What organizations had spent at the last look; those where it is the same are not looked at. */
const SEEN_MAX = 100_000
/** A month and a day: calls that came in late, out of a journal, are among them. */
const FAR_DAYS = 32

export function createBudgetSweep(options: BudgetSweepOptions): BudgetSweep {
  let seen = new Map<string, number>()
  let lastFarMs = Number.NEGATIVE_INFINITY

  async function lookAt(organizationId: string, nowMs: number, open: ReadonlyMap<string, Alert>) {
    const uses = await options.source.booked(organizationId, nowMs)
    await reportReached(uses, { ...options, nameOf: options.spend.organizationName })
    for (const use of uses) await resolveOutgrown(use, open)
  }

  async function resolveOutgrown(use: BudgetUse, open: ReadonlyMap<string, Alert>): Promise<void> {
    for (const share of use.budget.alertAt) {
      const alert = open.get(dedupeKeyOf(use.budget, share))
      if (alert !== undefined && isOutgrown(use, alert.detail))
        await options.resolve(alert, 'The budget was raised.')
    }
  }

  async function eachSpender(
    unit: 'hour' | 'day',
    fromMs: number,
    look: (organizationId: string, costNanoUsd: number) => Promise<void>,
  ): Promise<void> {
    for (let after = ''; !options.signal.aborted; ) {
      const page = await options.spend.spenders(unit, new Date(fromMs), after, PAGE_ROWS)
      for (const { organizationId, costNanoUsd } of page) {
        if (options.signal.aborted) return
        await look(organizationId, costNanoUsd)
      }
      const last = page.at(-1)
      if (last === undefined || page.length < PAGE_ROWS) return
      after = last.organizationId
    }
  }

  return {
    async run(nowMs) {
      const open = new Map(
        (await options.store.listOpen(BUDGET_THRESHOLD, OPEN_MAX)).map((alert) => [alert.dedupeKey, alert]),
      )
      // Once an hour everybody; else who spent something since.
      if (nowMs - lastFarMs >= HOUR_MS) {
        const from = Math.floor(nowMs / DAY_MS) * DAY_MS - FAR_DAYS * DAY_MS
        await eachSpender('day', from, (organizationId) => lookAt(organizationId, nowMs, open))
        lastFarMs = nowMs
        return
      }
      const before = seen
      seen = new Map()
      const from = Math.floor(nowMs / HOUR_MS) * HOUR_MS - HOUR_MS
      await eachSpender('hour', from, async (organizationId, costNanoUsd) => {
        if (seen.size < SEEN_MAX) seen.set(organizationId, costNanoUsd)
        if (before.get(organizationId) !== costNanoUsd) await lookAt(organizationId, nowMs, open)
      })
    },
  }
}
