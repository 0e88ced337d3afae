import { fromMeterId, metersOf } from '../meters.ts'
import type { Policy } from '../policy.ts'
import type { Counters, MeterState, SpentStore } from '../ports.ts'
import { METERS_AT_ONCE, type SubjectMeter, usedOf } from '../rebuild.ts'
import { isShareId } from '../shared-counters-share.ts'
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
  readonly held: HeldOnMeter | undefined
}

/** What is held on one meter. */
interface HeldOnMeter {
  /** What the ledger has of calls that are still held: the counter gets it when they are settled. */
  onItsWay: number
  /**
   * Leased by replicas, to spend from while they cannot reach the counters: the ledger may have as much more than the
   * counter, until they are back and book it.
   */
  sharesNanoUsd: number
  underWay: UnderWay | undefined
}

/**
 * `look` changes nothing. `repair` puts right what is certain. `doubt` is a repair after which the counter has at least
 * what the ledger has: somebody who spent from a share is dead and will book nothing.
 */
export type Mode = 'look' | 'repair' | 'doubt'

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
  mode: Mode,
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
      const found: Found = {
        ...each,
        ledger: ledger[start + index] ?? 0,
        state,
        held: held.get(each.meter.id),
      }
      if (each.meter.window.kind !== 'period') {
        rows.push(toRow(organizationId, found, found.ledger, 'none'))
        continue
      }
      if (state.used > found.ledger) {
        watches.forget(deficitKey(organizationId, found))
        candidates.push({ ...found, organizationId })
        continue
      }
      watches.forget(excessKey(organizationId, found))
      const action = await mendDeficit(organizationId, found, mode, options)
      rows.push(toRow(organizationId, found, found.ledger, action))
    }
  }
  return { rows, candidates }
}

/** Raises a counter by what is certain to be missing; what shares explain once it was seen three times. */
async function mendDeficit(
  organizationId: string,
  found: Found,
  mode: Mode,
  options: MeterLookOptions,
): Promise<ReconcileAction> {
  const { counters, watches, now } = options
  const { held, meter, ledger, state } = found
  const key = deficitKey(organizationId, found)
  const missing = ledger - state.used - (held?.onItsWay ?? 0)
  if (missing <= 0) {
    watches.forget(key)
    return lookAtHeld(organizationId, found, options)
  }
  const explained = mode === 'doubt' ? 0 : Math.min(missing, held?.sharesNanoUsd ?? 0)
  let raise = missing - explained
  if (explained === 0) watches.forget(key)
  else {
    const { verdict, smallest } = watches.see(key, explained, now(), undefined)
    if (verdict !== 'watching') raise += smallest
  }
  if (raise === 0) return 'watching'
  if (mode === 'look') return 'reported'
  await counters.adjust(organizationId, meter, raise)
  if (raise > missing - explained) watches.forget(key)
  return raise === missing ? 'adjusted' : 'watching'
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
    const { verdict, smallest } = watches.see(key, excess, now(), found.held?.underWay)
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
  if (held === 0 || found.held !== undefined) {
    watches.forget(key)
    return 'none'
  }
  if (watches.see(key, held, now(), undefined).verdict === 'watching') return 'none'
  const row = toRow(organizationId, found, found.ledger, 'reported')
  onDrift(toEvent(row, (whose) => `The budget of ${whose} holds something that belongs to no call.`))
  return 'reported'
}

function toHeld(looks: readonly HoldLook[]): ReadonlyMap<string, HeldOnMeter> {
  const held = new Map<string, HeldOnMeter>()
  for (const { hold, booked, action } of looks) {
    if (action === 'settled') continue
    const { takenAtMs, holdId, amounts, meterIds } = hold
    for (const id of meterIds) {
      let onMeter = held.get(id)
      if (onMeter === undefined) {
        onMeter = { onItsWay: 0, sharesNanoUsd: 0, underWay: undefined }
        held.set(id, onMeter)
      }
      if (isShareId(holdId)) {
        onMeter.sharesNanoUsd += amounts.costNanoUsd
        continue
      }
      onMeter.onItsWay += booked?.costNanoUsd ?? 0
      const { underWay } = onMeter
      onMeter.underWay = {
        oldestTakenAtMs: Math.min(underWay?.oldestTakenAtMs ?? takenAtMs, takenAtMs),
        newestTakenAtMs: Math.max(underWay?.newestTakenAtMs ?? takenAtMs, takenAtMs),
      }
    }
  }
  return held
}

function deficitKey(organizationId: string, found: SubjectMeter): string {
  return `deficit ${excessKey(organizationId, found)}`
}

function excessKey(organizationId: string, { meter }: SubjectMeter): string {
  const start = meter.window.kind === 'period' ? meter.window.startMs : 0
  return `excess ${meter.id} ${start}\n${organizationId}`
}

function toRow(organizationId: string, found: Found, ledger: number, action: ReconcileAction): MeterRow {
  const { state, meter, held } = found
  const difference = state.used - ledger
  return {
    organizationId,
    meter: meter.id,
    window: meter.window.kind === 'period' ? 'period' : 'trailing',
    ledgerNanoUsd: ledger,
    counterNanoUsd: state.used,
    heldNanoUsd: state.held,
    differenceNanoUsd: difference < 0 ? Math.min(0, difference + (held?.onItsWay ?? 0)) : difference,
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
