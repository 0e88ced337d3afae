import type { Amounts, Meter, MeterState, Quantity, Window } from './ports.ts'

/** An ended period can be read, and settled into, for this long. */
export const PERIOD_KEPT_MS = 86_400_000

const NEVER: Window = { kind: 'none' }

/** One window of one meter: what counts from its opening until it ends. */
export interface CountedWindow {
  readonly meterId: string
  readonly quantity: Quantity
  /** The start of the period, which tells it from others of the same meter; `undefined` = it rolls. */
  readonly periodStartMs: number | undefined
  readonly openedMs: number
  /** When counting begins anew; `Infinity` = never. */
  endMs: number
  /** From this moment on it is as if it had never been. */
  goneMs: number
  /** As last named by a caller. */
  limit: number | null
  used: number
  held: number
  /** The period of the same meter that was opened before this one. */
  earlier: CountedWindow | undefined
}

/** @returns an empty window that opens now */
export function openWindow(meter: Meter, nowMs: number): CountedWindow {
  return {
    meterId: meter.id,
    quantity: meter.quantity,
    periodStartMs: periodStartOf(meter),
    openedMs: nowMs,
    endMs: endOf(meter, nowMs),
    goneMs: goneOf(meter, nowMs),
    limit: meter.limit,
    used: 0,
    held: 0,
    earlier: undefined,
  }
}

/** @returns whether a window that is stored for a meter still counts, with the length that the meter names now */
export function isOpen(window: CountedWindow, meter: Meter, nowMs: number): boolean {
  return window.goneMs > nowMs && goneOf(meter, window.openedMs) > nowMs
}

/** Gives an open window the limit and the length that the meter names now. */
export function rename(window: CountedWindow, meter: Meter): void {
  window.limit = meter.limit
  window.endMs = endOf(meter, window.openedMs)
  window.goneMs = goneOf(meter, window.openedMs)
}

/** @returns what a caller is told of a meter; `undefined` = no window is open */
export function toState(meter: Meter, window: CountedWindow | undefined): MeterState {
  const isKnown = window !== undefined || periodStartOf(meter) !== undefined
  const endMs = isKnown ? endOf(meter, window?.openedMs ?? 0) : Number.POSITIVE_INFINITY
  return {
    id: meter.id,
    limit: meter.limit,
    used: window?.used ?? 0,
    held: window?.held ?? 0,
    resetsAtMs: endMs === Number.POSITIVE_INFINITY ? null : endMs,
  }
}

/** @returns the same as the window itself has it, whatever the meter named when it was taken */
export function toStoredState(meter: Meter, window: CountedWindow | undefined): MeterState {
  if (window === undefined) return toState(meter, undefined)
  const { limit, used, held, endMs } = window
  const resetsAtMs = endMs === Number.POSITIVE_INFINITY ? null : endMs
  return { id: meter.id, limit, used, held, resetsAtMs }
}

/** @returns how much of a meter a new hold of these amounts takes */
export function amountOf(quantity: Quantity, amounts: Amounts): number {
  return quantity === 'concurrency' ? 1 : amounts[quantity]
}

/** @returns the sum, but never more than a number can count exactly */
export function plus(left: number, right: number): number {
  return Math.min(left + right, Number.MAX_SAFE_INTEGER)
}

/** @returns the start of the period in which a meter counts; `undefined` = it has none */
export function periodStartOf(meter: Meter): number | undefined {
  const window = windowOf(meter)
  return window.kind === 'period' ? window.startMs : undefined
}

/** @returns when a window that was opened then ends; `Infinity` = never */
export function endOf(meter: Meter, openedMs: number): number {
  const window = windowOf(meter)
  if (window.kind === 'none') return Number.POSITIVE_INFINITY
  return window.kind === 'rolling' ? openedMs + window.ms : window.endMs
}

function goneOf(meter: Meter, openedMs: number): number {
  const endMs = endOf(meter, openedMs)
  // A period counts whatever the time is, also where the clock of its caller is far from ours.
  return periodStartOf(meter) === undefined ? endMs : Math.max(endMs, openedMs) + PERIOD_KEPT_MS
}

/** Calls under way come back when they end, so a window would only lose them. */
function windowOf({ quantity, window }: Meter): Window {
  return quantity === 'concurrency' ? NEVER : window
}
