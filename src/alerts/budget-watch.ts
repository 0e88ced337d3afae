import type { Outcome } from '../pipeline/stage.ts'
import type { AlertEvent } from './alert.ts'
import { dedupeKeyOf, reachedThresholds, toBudgetAlert } from './budget-thresholds.ts'
import type { BudgetSource, BudgetUse, SpendStore, Subject } from './ports.ts'

/** What a row of the ledger says of budgets. */
export interface SpentRow {
  readonly organizationId: string
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly costNanoUsd: number
}

export interface BudgetWatchOptions {
  readonly source: Pick<BudgetSource, 'now'>
  readonly nameOf: SpendStore['organizationName']
  readonly report: (event: AlertEvent) => void
  /** Whether an event with this key was reported. */
  readonly isReported: (dedupeKey: string) => boolean
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

/** Looks at the budgets of those who just spent something. */
export interface BudgetWatch {
  /** Of a call that is booked. Costs next to nothing: rows are looked at later, all at once. */
  note(outcome: Outcome, rows: readonly SpentRow[]): boolean
  look(): Promise<void>
}

/** More than a process can answer between two looks; what is beyond is found in the ledger a minute later. */
const ROWS_MAX = 20_000
/** Organizations that are asked about at the same time. */
const PARALLEL = 16

export function createBudgetWatch(options: BudgetWatchOptions): BudgetWatch {
  let pending: SpentRow[] = []
  /** Organizations and meters that refused a call because they are used up. */
  let refused = new Set<string>()

  async function lookAt(organizationId: string, rows: readonly SpentRow[], refusing: ReadonlySet<string>) {
    try {
      const uses = await options.source.now(organizationId, subjectsOf(rows), options.now())
      await reportReached(uses, options, ({ budget }) =>
        refusing.has(refusalOf(organizationId, meterOf(budget.subject))),
      )
    } catch (error) {
      options.onError(error)
    }
  }

  return {
    note({ error }, rows) {
      const isSpent = error?.code === 'budget_exhausted' && error.detail?.by === 'used'
      for (const row of rows) {
        if (pending.length >= ROWS_MAX) break
        if (row.costNanoUsd === 0 && !isSpent) continue
        pending.push(row)
        if (isSpent) refused.add(refusalOf(row.organizationId, String(error.detail?.meter)))
      }
      return pending.length > 0
    },

    async look() {
      const byOrganization = [...Map.groupBy(pending, ({ organizationId }) => organizationId)]
      const refusing = refused
      pending = []
      refused = new Set()
      for (let start = 0; start < byOrganization.length; start += PARALLEL) {
        await Promise.all(
          byOrganization
            .slice(start, start + PARALLEL)
            .map(([organizationId, rows]) => lookAt(organizationId, rows, refusing)),
        )
      }
    },
  }
}

/** Reports every share that is reached. The organization's name is asked for only where that is new. */
export async function reportReached(
  uses: readonly BudgetUse[],
  { nameOf, report, isReported }: Pick<BudgetWatchOptions, 'nameOf' | 'report' | 'isReported'>,
  isRefusing: (use: BudgetUse) => boolean = () => false,
): Promise<void> {
  for (const use of uses) {
    const reached = reachedThresholds(use, isRefusing(use)).filter(
      (threshold) => !isReported(dedupeKeyOf(use.budget, threshold)),
    )
    if (reached.length === 0) continue
    const name = await nameOf(use.budget.organizationId)
    for (const threshold of reached) report(toBudgetAlert(use, threshold, name))
  }
}

/** @returns everything that a budget may be set on, and that these rows count for */
function subjectsOf(rows: readonly SpentRow[]): Subject[] {
  const subjects = new Map<string, Subject>([['', { scope: 'organization', id: '' }]])
  const add = (scope: Subject['scope'], id: string | null) => {
    if (id !== null) subjects.set(`${scope}/${id}`, { scope, id })
  }
  for (const { teamId, keyId, userId, tags } of rows) {
    add('team', teamId)
    add('key', keyId)
    add('user', userId)
    for (const name in tags) add('tag', `${name}=${tags[name]}`)
  }
  return [...subjects.values()]
}

/** As a refusal names the meter of a budget. */
function meterOf({ scope, id }: Subject): string {
  return scope === 'organization' ? 'organization/budget' : `${scope}/${id}/budget`
}

function refusalOf(organizationId: string, meter: string): string {
  return `${organizationId}\n${meter}`
}
