import { type CountedWindow, isOpen, periodStartOf, plus, toState } from './counters-window.ts'
import type { Amounts, Hold, Meter, MeterState } from './ports.ts'

/** Everything that is counted of one organization. */
export interface OrganizationCounts {
  readonly id: string
  /** Under which it was begun or rebuilt; `undefined` = it was not. */
  generation: string | undefined
  /** The window that rolls or never ends, by meter. */
  readonly rolling: Map<string, CountedWindow>
  /** The period opened last, by meter. */
  readonly periods: Map<string, CountedWindow>
  readonly holds: Map<string, OpenHold>
  /** Whether it waits among the endings itself, to be forgotten if it is empty by then. */
  isWatched: boolean
}

export interface OpenHold {
  readonly organization: OrganizationCounts
  readonly id: string
  amounts: Amounts
  readonly parts: HeldPart[]
  readonly takenAtMs: number
  leaseEndsMs: number
  readonly note: string | undefined
}

/** What one hold takes of one meter. */
export interface HeldPart {
  readonly meter: Meter
  window: CountedWindow
  /** In this window. */
  amount: number
  /** In windows that ended before this one was opened. */
  before: number
}

export function newOrganization(id: string): OrganizationCounts {
  return {
    id,
    generation: undefined,
    rolling: new Map(),
    periods: new Map(),
    holds: new Map(),
    isWatched: false,
  }
}

/** @returns the window that is stored for a meter and not forgotten yet */
export function lookUp(
  organization: OrganizationCounts,
  meterId: string,
  periodStartMs: number | undefined,
  nowMs: number,
): CountedWindow | undefined {
  let window: CountedWindow | undefined
  if (periodStartMs === undefined) window = organization.rolling.get(meterId)
  else {
    window = organization.periods.get(meterId)
    while (window !== undefined && window.periodStartMs !== periodStartMs) window = window.earlier
  }
  return window !== undefined && window.goneMs > nowMs ? window : undefined
}

/** @returns the window that is open for a meter as it is named now */
export function find(
  organization: OrganizationCounts,
  meter: Meter,
  nowMs: number,
): CountedWindow | undefined {
  const window = lookUp(organization, meter.id, periodStartOf(meter), nowMs)
  return window !== undefined && isOpen(window, meter, nowMs) ? window : undefined
}

export function statesOf(
  organization: OrganizationCounts,
  meters: readonly Meter[],
  nowMs: number,
): MeterState[] {
  return meters.map((meter) => toState(meter, find(organization, meter, nowMs)))
}

export function isEmpty({ rolling, periods, holds }: OrganizationCounts): boolean {
  return holds.size + rolling.size + periods.size === 0
}

/** Takes a window out of its organization, if it has not been replaced already. */
export function drop({ rolling, periods }: OrganizationCounts, window: CountedWindow): void {
  const { meterId, periodStartMs, earlier } = window
  if (periodStartMs === undefined) {
    if (rolling.get(meterId) === window) rolling.delete(meterId)
    return
  }
  let later = periods.get(meterId)
  if (later === window && earlier === undefined) periods.delete(meterId)
  else if (later === window && earlier !== undefined) periods.set(meterId, earlier)
  else {
    while (later !== undefined && later.earlier !== window) later = later.earlier
    if (later !== undefined) later.earlier = earlier
  }
}

/** Holds more in a window; what was held in one that ended meanwhile stays there. */
export function addTo(part: HeldPart, window: CountedWindow, amount: number): void {
  if (part.window !== window) {
    part.before = plus(part.before, part.amount)
    part.amount = 0
    part.window = window
  }
  part.amount = plus(part.amount, amount)
  window.held = plus(window.held, amount)
}

export function sum(left: Amounts, right: Amounts): Amounts {
  return {
    requests: plus(left.requests, right.requests),
    tokens: plus(left.tokens, right.tokens),
    costNanoUsd: plus(left.costNanoUsd, right.costNanoUsd),
  }
}

export function toHold({ organization, id, amounts, parts, takenAtMs, leaseEndsMs, note }: OpenHold): Hold {
  const meterIds = parts.map(({ meter }) => meter.id)
  return { organizationId: organization.id, holdId: id, amounts, meterIds, takenAtMs, leaseEndsMs, note }
}
