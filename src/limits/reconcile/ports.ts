/** A day and a roll-up in which the sums of an organization are not those of its rows. */
export interface RollupDifference {
  readonly organizationId: string
  /** The day's beginning in UTC, Unix milliseconds. */
  readonly dayMs: number
  readonly rollup: 'usage_hourly' | 'usage_daily'
  /** How many sums differ: each is of one period and one group. */
  readonly sums: number
  /** What the rows of those sums come to. */
  readonly ledgerNanoUsd: number
  readonly rollupNanoUsd: number
}

/** What a table says that an organization has spent in a period, and what its rows say. */
export interface SpendDifference {
  readonly organizationId: string
  readonly periodStartMs: number
  readonly spendNanoUsd: number
  readonly ledgerNanoUsd: number
}

/** What a reconciliation needs of the books. Implemented in `storage/`. All throw GatewayError `storage_unavailable`. */
export interface ReconcileStore {
  /** @returns the next organizations after an id, in its order; `undefined` = from the first */
  organizations(after: string | undefined, limit: number): Promise<string[]>
  /** @returns organizations with calls since a moment (or since the beginning of its hour), largest cost first */
  active(sinceMs: number, limit: number): Promise<string[]>
  /**
   * Compares rows with roll-ups as they are at one moment.
   *
   * @param range whole days in UTC; `organizationId` left out = all
   * @returns at most `limit` differences, by organization and day
   */
  rollupDifferences(
    range: {
      readonly organizationId?: string | undefined
      readonly fromMs: number
      readonly toMs: number
    },
    limit: number,
  ): Promise<RollupDifference[]>
  /**
   * Makes both roll-ups of a day anew from its rows, in one transaction; whoever writes to the ledger waits for it.
   *
   * @returns whether it was done; `false` = the day has more rows than writers should wait for
   */
  rewriteRollups(organizationId: string, dayMs: number): Promise<boolean>
  /** @returns where `ai_budgets.current_spend_usd` is not what the rows of the period come to */
  spendDifferences(organizationId: string): Promise<SpendDifference[]>
  /** @returns what `work` does; `undefined` where another replica is doing such work now */
  exclusively<Result>(work: () => Promise<Result>): Promise<Result | undefined>
}
