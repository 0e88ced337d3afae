import { nanoToUsd } from '../../core/money.ts'
import type { ReconcileStore } from './ports.ts'
import type { DriftEvent, ReportBuilder } from './report.ts'

export interface RollupLookOptions {
  readonly store: Pick<ReconcileStore, 'rollupDifferences' | 'rewriteRollups' | 'spendDifferences'>
  readonly onDrift: (event: DriftEvent) => void
}

const DAY_MS = 86_400_000
/** More days than this in one look mean that it was no accident of one day. */
const DIFFERENCES_MAX = 1000

export interface DayRange {
  readonly organizationId?: string | undefined
  /** Both at the beginning of a day in UTC; the end exclusive. */
  readonly fromMs: number
  readonly toMs: number
}

/** @returns the beginning of the day (UTC) that a moment is in */
export function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS) * DAY_MS
}

export { DAY_MS }

/**
 * Compares roll-ups with the rows that they are sums of. They change in one transaction, so that what differs is wrong,
 * and rows are what is right.
 */
export async function lookAtRollups(
  range: DayRange,
  repair: boolean,
  report: ReportBuilder,
  { store, onDrift }: RollupLookOptions,
): Promise<void> {
  const differences = await store.rollupDifferences(range, DIFFERENCES_MAX)
  const rewritten = new Map<string, boolean>()
  for (const { organizationId, dayMs, rollup, ledgerNanoUsd, rollupNanoUsd } of differences) {
    const day = new Date(dayMs).toISOString().slice(0, 10)
    const key = `${organizationId}\n${day}`
    let isRewritten = rewritten.get(key)
    if (isRewritten === undefined) {
      isRewritten = repair && (await store.rewriteRollups(organizationId, dayMs))
      rewritten.set(key, isRewritten)
    }
    report.addRollup({
      organizationId,
      day,
      rollup,
      ledgerNanoUsd,
      rollupNanoUsd,
      action: isRewritten ? 'adjusted' : 'reported',
    })
    if (repair && !isRewritten) {
      onDrift({
        kind: 'usage_drift',
        severity: 'high',
        organizationId,
        dedupeKey: `usage_drift/${organizationId}/${rollup}/${day}`,
        title: `${rollup} of ${day} does not agree with the ledger, and the day has too many rows to make it anew.`,
        detail: { rollup, day, ledgerNanoUsd, rollupNanoUsd },
      })
    }
  }
}

/** Compares what `ai_budgets` says is spent with the rows. It is a sum of them; where it differs, a view was changed. */
export async function lookAtSpend(
  organizationId: string,
  report: ReportBuilder,
  { store, onDrift }: RollupLookOptions,
): Promise<void> {
  for (const { spendNanoUsd, ledgerNanoUsd } of await store.spendDifferences(organizationId)) {
    report.addSpend({ organizationId, ledgerNanoUsd, spendNanoUsd, action: 'reported' })
    onDrift({
      kind: 'usage_drift',
      severity: 'high',
      organizationId,
      dedupeKey: `usage_drift/${organizationId}/current_spend_usd`,
      title: `ai_budgets.current_spend_usd says ${nanoToUsd(spendNanoUsd)} where the ledger has ${nanoToUsd(ledgerNanoUsd)}.`,
      detail: { spendNanoUsd, ledgerNanoUsd },
    })
  }
}
