/** A calendar month in UTC. */
export interface Month {
  /** `2026-02`. */
  readonly name: string
  readonly start: Date
  /** Exclusive. */
  readonly end: Date
}

/** What a statement breaks its total down by; the lines of each add up to the total. */
export const BREAKDOWNS = [
  'team',
  'key',
  'user',
  'model',
  'operation',
  'task',
  'deal',
  'cycle',
  'day',
] as const
export type Breakdown = (typeof BREAKDOWNS)[number]

/** Exact sums over rows of the ledger. Amounts are `bigint`: a total may be above what a double holds exactly. */
export interface Sums {
  /** Calls: final rows. */
  readonly requests: number
  readonly tokensInput: number
  readonly tokensOutput: number
  readonly tokensCached: number
  readonly costNanoUsd: bigint
  /** Rows counted by us, because the provider did not say. */
  readonly estimated: number
  /** The share of the cost that stands on those rows. */
  readonly estimatedNanoUsd: bigint
  /** The share of the cost that belongs to earlier months, which were closed when it became known. */
  readonly adjustmentNanoUsd: bigint
}

export interface BookedLine {
  readonly breakdown: Breakdown
  /** One value, or provider and model; `null` = none. */
  readonly values: readonly (string | null)[]
  /** How many of the smallest lines this one stands for; 0 for a line of its own. */
  readonly others: number
  readonly sums: Sums
}

/** What the ledger holds for one organization and month. */
export interface Booked {
  readonly totals: Sums
  /** Within each breakdown by cost, largest first. */
  readonly lines: readonly BookedLine[]
  /** What was booked late, by the month it belongs to. */
  readonly adjustments: readonly { readonly month: string; readonly sums: Sums }[]
}

/** Names of what statements show by id; an id that is missing here has none any more. */
export interface Names {
  readonly team: ReadonlyMap<string, string>
  readonly key: ReadonlyMap<string, string>
}

/** Which rows a closed statement stands on. */
export interface Watermark {
  readonly rows: number
  readonly newestRowAt: string | null
  readonly newestRowId: string | null
  /**
   * Sum over all rows of 63 bits of the SHA-256 of id and cost, in decimal digits: whoever exchanges a row for another
   * of the same amount changes it.
   */
  readonly digest: string
}

/** Usage of one day, team, key and model: the finest line, and a row of a FOCUS file. */
export interface Charge {
  /** `2026-02-17`; in another month than the statement's for an adjustment. */
  readonly day: string
  readonly teamId: string | null
  readonly keyId: string | null
  readonly provider: string | null
  readonly model: string | null
  readonly requests: number
  readonly tokensInput: number
  readonly tokensOutput: number
  readonly tokensCached: number
  readonly tokensCacheWrite: number
  readonly tokensReasoning: number
  /** Exact dollars, as a decimal. */
  readonly costUsd: string
  readonly estimatedUsd: string
}

export interface Billed {
  readonly id: string
  readonly name: string
}

export interface MonthState {
  /** From then on, rows that belong to the month are booked in a later one. */
  readonly frozenAt: Date
  /** Every statement is stored. */
  readonly complete: boolean
}

export interface StoredStatement {
  readonly organizationId: string
  /** Canonical JSON, `checksum` inside. */
  readonly document: string
  readonly checksum: string
}

/** What statements need of a store. Implemented in `storage/`, for PostgreSQL and PGlite alike. */
export interface StatementStore {
  findMonth(month: Month): Promise<MonthState | undefined>
  /** Decides, for good, which rows are the month's own. Does nothing where that was decided before. */
  freeze(month: Month, at: Date): Promise<MonthState>
  /** Notes that all statements of a frozen month are stored. */
  complete(month: Month): Promise<void>

  /** @returns organizations that were there in the month or have something booked in it, by id, after `after` */
  listBilled(month: Month, after: string | undefined, limit: number): Promise<Billed[]>
  findBilled(organizationId: string): Promise<Billed | undefined>
  /** @param linesMax more lines of one breakdown than this become one, those that cost least */
  book(organizationId: string, month: Month, linesMax: number): Promise<Booked>
  totals(month: Month): Promise<Sums>
  names(organizationId: string, teamIds: readonly string[], keyIds: readonly string[]): Promise<Names>
  watermark(organizationId: string, month: Month): Promise<Watermark>
  /** @returns charges of one day in a fixed order, at most `limit` from the given place on */
  charges(organizationId: string, month: Month, day: string, offset: number, limit: number): Promise<Charge[]>

  /** Keeps a part of the charges of a closed month; what is there already stays. */
  keepCharges(organizationId: string, month: Month, day: string, part: number, text: string): Promise<void>
  /** @returns the kept part as it was written */
  findCharges(organizationId: string, month: Month, day: string, part: number): Promise<string | undefined>
  /** Keeps a statement for good; where there is one already, that one stays. */
  keep(month: Month, statement: StoredStatement, totals: Sums): Promise<void>
  findStatement(month: Month, organizationId: string): Promise<StoredStatement | undefined>
  /** @returns kept statements by organization, after `after` */
  listStatements(month: Month, after: string | undefined, limit: number): Promise<StoredStatement[]>
  /** @returns what the kept statements of a month add up to, and how many they are */
  keptTotals(month: Month): Promise<{ readonly statements: number; readonly totals: Sums }>
}
