import { nanoToUsd } from '../core/money.ts'
import type { AlertEvent } from './alert.ts'
import { inPercent, inUsd } from './amounts.ts'
import type { BudgetPeriod, BudgetUse, Subject } from './ports.ts'

export const BUDGET_THRESHOLD = 'budget_threshold'

/**
 * A hard budget refuses a call that needs more than is left, so it may be over without ever being used up. From here on
 * a refusal counts as the end.
 */
const NEARLY_USED_SHARE = 0.9

/**
 * @param isRefusing calls were refused because the budget is spent
 * @returns the shares that are reached, rising
 */
export function reachedThresholds({ budget, usedNanoUsd }: BudgetUse, isRefusing = false): number[] {
  const { limitNanoUsd, alertAt } = budget
  const isOver = isRefusing && usedNanoUsd >= limitNanoUsd * NEARLY_USED_SHARE
  return alertAt.filter((share) => {
    // Half a nano-dollar of a product like 0.1 * 3 must not decide.
    const least = Math.max(1, Math.round(limitNanoUsd * share))
    return usedNanoUsd >= least || (isOver && share <= 1)
  })
}

/** @returns the alert for one share of one budget in one period; the same whoever makes it */
export function toBudgetAlert(
  { budget, usedNanoUsd }: BudgetUse,
  threshold: number,
  organizationName: string | undefined,
): AlertEvent {
  const { organizationId, subject, limitNanoUsd, hardLimit, startMs, endMs } = budget
  const who = whoOf(subject, organizationName ?? organizationId)
  const consequence =
    threshold < 1 ? '' : hardLimit ? ' Calls are being refused.' : ' It is soft: calls go on.'
  return {
    kind: BUDGET_THRESHOLD,
    severity: threshold < 1 ? 'medium' : 'high',
    organizationId,
    dedupeKey: dedupeKeyOf(budget, threshold),
    title:
      `${who} has used ${inPercent(usedNanoUsd / limitNanoUsd)} of its budget of ${inUsd(limitNanoUsd)} USD ` +
      `(alert at ${inPercent(threshold)}).${consequence}`,
    detail: {
      organizationName: organizationName ?? null,
      scope: subject.scope,
      subject: subject.id,
      threshold,
      usedUsd: nanoToUsd(usedNanoUsd),
      usedNanoUsd,
      limitUsd: nanoToUsd(limitNanoUsd),
      limitNanoUsd,
      hardLimit,
      periodStart: new Date(startMs).toISOString(),
      periodEnd: new Date(endMs).toISOString(),
    },
    endsAt: new Date(endMs),
  }
}

export function dedupeKeyOf(
  { organizationId, subject, startMs }: Pick<BudgetPeriod, 'organizationId' | 'subject' | 'startMs'>,
  threshold: number,
): string {
  const start = new Date(startMs).toISOString()
  return `${BUDGET_THRESHOLD}/${organizationId}/${subject.scope}/${subject.id}/${start}/${threshold}`
}

/**
 * @returns whether an alert of this budget no longer holds, because the budget was raised since. What the books say may
 *   lag behind what the alert saw, so the larger of both counts
 */
export function isOutgrown(
  { budget, usedNanoUsd }: BudgetUse,
  detail: Readonly<Record<string, unknown>>,
): boolean {
  const { threshold, usedNanoUsd: seenNanoUsd, limitNanoUsd: formerNanoUsd } = detail
  if (typeof threshold !== 'number' || typeof seenNanoUsd !== 'number' || typeof formerNanoUsd !== 'number')
    return false
  if (budget.limitNanoUsd <= formerNanoUsd) return false
  return Math.max(usedNanoUsd, seenNanoUsd) < Math.round(budget.limitNanoUsd * threshold)
}

function whoOf({ scope, id }: Subject, organization: string): string {
  return scope === 'organization' ? organization : `The ${scope} ${id} of ${organization}`
}
