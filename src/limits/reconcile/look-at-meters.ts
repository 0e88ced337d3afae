import { fromMeterId, metersOf } from '../meters.ts'
import type { Policy } from '../policy.ts'
import type { Counters, MeterState, SpentStore } from '../ports.ts'
import { METERS_AT_ONCE, type SubjectMeter, usedOf } from '../rebuild.ts'
import type { HoldLook } from './look-at-holds.ts'
import type { DriftEvent, MeterRow, ReconcileAction } from './report.ts'
import type { UnderWay, Watches } from './watch.ts'

export interface MeterLookOptions {
  readonly counters: Pick<Counters, 'read' | 'adjust'>
  readonly spent: Pick<SpentStore, 'spent'>
  readonly watches: Watches
  readonly now: () => number
  readonly onDrift: (event: DriftEvent) => void
}

/** One meter as it was found. */
interface Found extends SubjectMeter {
  readonly ledger: number
  readonly state: MeterState
  /** What the ledger has of calls that are still held: the counter gets it when they are settled. */
  readonly onItsWay: number
  readonly underWay: UnderWay | undefined
}

/** A counter that is above what the ledger said before it was read. It may only be ahead of it. */
export interface Candidate extends Found {
  readonly organizationId: string
}

/** @returns the meters of money: budgets, and costs of a day */
export function moneyMeters(policies: readonly Policy[], nowMs: number): SubjectMeter[] {
  return policies.flatMap((policy) =>
    metersOf(policy, nowMs)
      .filter(({ quantity }) => quantity === 'costNanoUsd')
      .map((meter) => ({ subject: policy.subject, meter })),
  )
}

/**
 * Compares the meters of an organization with the ledger. The order of reading is what makes a deficit certain: first
 * the ledger, then the open holds, then the counters. A row that was read had its call settled before the counters were
 * read, or its hold was still open when the holds were.
 *
 * @param holds reads the holds; called between the ledger and the counters
 * @returns rows that are done, and those for `judgeExcess`
 */
export async function lookAtMeters(
  organizationId: string,
  meters: readonly SubjectMeter[],
  repair: boolean,
  holds: () => Promise<readonly HoldLook[]>,
  options: MeterLookOptions,
): Promise<{ readonly rows: MeterRow[]; readonly candidates: Candidate[] }> {
  const { counters, spent, watches, now } = options
  const ledger = await usedOf(spent, organizationId, meters, now())
  const held = toHeld(await holds())
  const rows: MeterRow[] = []
  const candidates: Candidate[] = []
  for (let start = 0; start < meters.length; start += METERS_AT_ONCE) {
    const chunk = meters.slice(start, start + METERS_AT_ONCE)
    const states = await counters.read(
      organizationId,
      chunk.map(({ meter }) => meter),
    )
    for (const [index, each] of chunk.entries()) {
      const state = states[index]
      if (state === undefined) continue
      const { id } = each.meter
      const found: Found = {
        ...each,
        ledger: ledger[start + index] ?? 0,
        state,
        onItsWay: held.get(id)?.onItsWay ?? 0,
        underWay: held.get(id)?.underWay,
      }
      if (each.meter.window.kind !== 'period') {
        rows.push(toRow(organizationId, found, found.ledger, 'none'))
        continue
      }
      const missing = found.ledger - state.used - found.onItsWay
      if (state.used > found.ledger) {
        candidates.push({ ...found, organizationId })
        continue
      }
      watches.forget(excessKey(organizationId, found))
      if (missing <= 0) {
        rows.push(toRow(organizationId, found, found.ledger, lookAtHeld(organizationId, found, options)))
        continue
      }
      if (repair) await counters.adjust(organizationId, each.meter, missing)
      rows.push(toRow(organizationId, found, found.ledger, repair ? 'adjusted' : 'reported'))
    }
  }
  return { rows, candidates }
}

/**
 * Looks at the ledger again, once all that had been counted had the time to reach it. What a counter still has more
 * than that is too much: by how much at least is known, for calls that came since are in the ledger alone.
 *
 * @param candidates of one organization
 */
export async function judgeExcess(
  organizationId: string,
  candidates: readonly Candidate[],
  repair: boolean,
  options: MeterLookOptions,
): Promise<MeterRow[]> {
  const { counters, spent, watches, now, onDrift } = options
  const ledger = await usedOf(spent, organizationId, candidates, now())
  const rows: MeterRow[] = []
  for (const [index, found] of candidates.entries()) {
    const later = ledger[index] ?? 0
    const key = excessKey(organizationId, found)
    const excess = found.state.used - later
    if (excess <= 0) {
      watches.forget(key)
      // The ledger was behind; how far the two were apart is not known, only that the counter has not too much.
      rows.push(toRow(organizationId, found, found.state.used, lookAtHeld(organizationId, found, options)))
      continue
    }
    const { verdict, smallest } = watches.see(key, excess, now(), found.underWay)
    let action: ReconcileAction = 'watching'
    if (verdict === 'ripe' && repair) {
      await counters.adjust(organizationId, found.meter, -smallest)
      watches.forget(key)
      action = 'adjusted'
    } else if (verdict !== 'watching') action = 'reported'
    const row = toRow(organizationId, found, later, action)
    if (verdict === 'stuck') {
      onDrift(
        toEvent(
          row,
          (whose) => `The budget of ${whose} is counted higher than the ledger has it, for an hour.`,
        ),
      )
    }
    rows.push(row)
  }
  return rows
}

/** Held without a hold comes back with no call that ends; nobody but people can say what it was. */
function lookAtHeld(organizationId: string, found: Found, options: MeterLookOptions): ReconcileAction {
  const { watches, now, onDrift } = options
  const { held } = found.state
  const key = `held ${found.meter.id}\n${organizationId}`
  if (held === 0 || found.underWay !== undefined) {
    watches.forget(key)
    return 'none'
  }
  if (watches.see(key, held, now(), undefined).verdict === 'watching') return 'none'
  const row = toRow(organizationId, found, found.ledger, 'reported')
  onDrift(toEvent(row, (whose) => `The budget of ${whose} holds something that belongs to no call.`))
  return 'reported'
}

function toHeld(
  looks: readonly HoldLook[],
): ReadonlyMap<string, { readonly onItsWay: number; readonly underWay: UnderWay }> {
  const held = new Map<string, { onItsWay: number; underWay: UnderWay }>()
  for (const { hold, booked, action } of looks) {
    if (action === 'settled') continue
    for (const id of hold.meterIds) {
      const before = held.get(id)
      held.set(id, {
        onItsWay: (before?.onItsWay ?? 0) + (booked?.costNanoUsd ?? 0),
        underWay: {
          oldestTakenAtMs: Math.min(before?.underWay.oldestTakenAtMs ?? hold.takenAtMs, hold.takenAtMs),
          newestTakenAtMs: Math.max(before?.underWay.newestTakenAtMs ?? hold.takenAtMs, hold.takenAtMs),
        },
      })
    }
  }
  return held
}

function excessKey(organizationId: string, { meter }: SubjectMeter): string {
  const start = meter.window.kind === 'period' ? meter.window.startMs : 0
  return `excess ${meter.id} ${start}\n${organizationId}`
}

function toRow(organizationId: string, found: Found, ledger: number, action: ReconcileAction): MeterRow {
  const { state, meter, onItsWay } = found
  const difference = state.used - ledger
  return {
    organizationId,
    meter: meter.id,
    window: meter.window.kind === 'period' ? 'period' : 'trailing',
    ledgerNanoUsd: ledger,
    counterNanoUsd: state.used,
    heldNanoUsd: state.held,
    differenceNanoUsd: difference < 0 ? Math.min(0, difference + onItsWay) : difference,
    action,
  }
}

function toEvent(row: MeterRow, title: (whose: string) => string): DriftEvent {
  const { organizationId, meter, ledgerNanoUsd, counterNanoUsd, heldNanoUsd, differenceNanoUsd } = row
  const { scope, id } = fromMeterId(meter)?.subject ?? { scope: 'organization', id: '' }
  return {
    kind: 'usage_drift',
    severity: 'medium',
    organizationId,
    dedupeKey: `usage_drift/${organizationId}/${meter}`,
    title: title(scope === 'organization' ? 'the organization' : `${scope} ${id}`),
    detail: { meter, ledgerNanoUsd, counterNanoUsd, heldNanoUsd, differenceNanoUsd },
  }
}
