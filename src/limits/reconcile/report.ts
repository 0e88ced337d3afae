/**
 * `none`: they agree, or it is for information only. `adjusted`: it was put right. `watching`: the counter is above the
 * ledger, which may be a settlement on its way. `reported`: it stays, and somebody has to look.
 */
export type ReconcileAction = 'none' | 'adjusted' | 'watching' | 'reported'

export interface MeterRow {
  readonly organizationId: string
  readonly meter: string
  /** `trailing`: a window that rolls, compared with the same time up to now. For information: it began at another moment. */
  readonly window: 'period' | 'trailing'
  readonly ledgerNanoUsd: number
  /** As it was found. */
  readonly counterNanoUsd: number
  readonly heldNanoUsd: number
  /** What the counter has more than the ledger; calls that the ledger has and that are still held count as counted. */
  readonly differenceNanoUsd: number
  readonly action: ReconcileAction
}

export interface RollupRow {
  readonly organizationId: string
  /** `2026-02-17`, UTC. */
  readonly day: string
  readonly rollup: string
  readonly ledgerNanoUsd: number
  readonly rollupNanoUsd: number
  readonly action: 'adjusted' | 'reported'
}

export interface SpendRow {
  readonly organizationId: string
  readonly ledgerNanoUsd: number
  readonly spendNanoUsd: number
  readonly action: 'reported'
}

export interface HoldRow {
  readonly organizationId: string
  readonly holdId: string
  readonly ageMs: number
  /** Below 0 where its lease is over. */
  readonly leaseLeftMs: number
  readonly heldNanoUsd: number
  /** What the ledger has for this call already; `null` = nothing yet. */
  readonly ledgerNanoUsd: number | null
  /** `settled`: the ledger has it, so that it is held no more. `watching`: the ledger has it, perhaps not all of it yet. */
  readonly action: 'none' | 'settled' | 'watching'
}

export interface ReconcileTotals {
  organizations: number
  meters: number
  adjusted: number
  watching: number
  reported: number
  rollupsAdjusted: number
  rollupsReported: number
  spendReported: number
  holds: number
  holdsSettled: number
  /** Of all periods: what the ledger says, and by how much counters were off, up and down added together. */
  ledgerNanoUsd: number
  differenceNanoUsd: number
}

export interface ReconcileReport {
  readonly startedAt: string
  readonly durationMs: number
  /** Whether what is provable was put right. */
  readonly repair: boolean
  /** Whether it came to its end: it may be broken off. */
  readonly complete: boolean
  /** Nothing remains that is not as the ledger says. */
  readonly clean: boolean
  readonly totals: ReconcileTotals
  /** What differs first; long lists are cut, the totals are not. */
  readonly meters: readonly MeterRow[]
  readonly rollups: readonly RollupRow[]
  readonly spend: readonly SpendRow[]
  readonly holds: readonly HoldRow[]
}

/** Something that cannot be put right without people. */
export interface DriftEvent {
  readonly kind: 'usage_drift'
  readonly severity: 'medium' | 'high'
  readonly organizationId: string
  readonly dedupeKey: string
  readonly title: string
  readonly detail: Readonly<Record<string, unknown>>
}

const ROWS_MAX = 10_000
const HOLDS_MAX = 1000

/** Gathers what a reconciliation finds, in bounded memory. */
export class ReportBuilder {
  private readonly totals: ReconcileTotals = {
    organizations: 0,
    meters: 0,
    adjusted: 0,
    watching: 0,
    reported: 0,
    rollupsAdjusted: 0,
    rollupsReported: 0,
    spendReported: 0,
    holds: 0,
    holdsSettled: 0,
    ledgerNanoUsd: 0,
    differenceNanoUsd: 0,
  }
  private readonly differing: MeterRow[] = []
  private readonly agreeing: MeterRow[] = []
  private readonly rollups: RollupRow[] = []
  private readonly spend: SpendRow[] = []
  private readonly holds: HoldRow[] = []

  addOrganization(): void {
    this.totals.organizations++
  }

  addMeter(row: MeterRow): void {
    const { totals } = this
    if (row.action !== 'none') {
      totals[row.action]++
      put(this.differing, row, ROWS_MAX)
    } else put(this.agreeing, row, ROWS_MAX)
    if (row.window !== 'period') return
    totals.meters++
    totals.ledgerNanoUsd += row.ledgerNanoUsd
    totals.differenceNanoUsd += Math.abs(row.differenceNanoUsd)
  }

  addRollup(row: RollupRow): void {
    this.totals[row.action === 'adjusted' ? 'rollupsAdjusted' : 'rollupsReported']++
    put(this.rollups, row, ROWS_MAX)
  }

  addSpend(row: SpendRow): void {
    this.totals.spendReported++
    put(this.spend, row, ROWS_MAX)
  }

  addHold(row: HoldRow): void {
    this.totals.holds++
    if (row.action === 'settled') this.totals.holdsSettled++
    put(this.holds, row, HOLDS_MAX)
  }

  build(head: Pick<ReconcileReport, 'startedAt' | 'durationMs' | 'repair' | 'complete'>): ReconcileReport {
    const { totals } = this
    const remains = totals.watching + totals.reported + totals.rollupsReported + totals.spendReported
    return {
      ...head,
      clean: head.complete && remains === 0,
      totals,
      meters: [...this.differing, ...this.agreeing].slice(0, ROWS_MAX),
      rollups: this.rollups,
      spend: this.spend,
      holds: this.holds,
    }
  }
}

function put<Row>(rows: Row[], row: Row, max: number): void {
  if (rows.length < max) rows.push(row)
}
