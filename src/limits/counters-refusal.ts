import type { CountedWindow } from './counters-window.ts'
import type { Meter } from './ports.ts'

/** Why a meter refuses. */
export interface Refusal {
  readonly meterId: string
  /** Until a window opens; `Infinity` = it is more than the limit, −1 = there is no window to wait for. */
  readonly waitMs: number
}

/** @returns `undefined` where the amount fits; a meter of which nothing is asked has nothing to refuse */
export function refuse(
  meter: Meter,
  window: CountedWindow | undefined,
  amount: number,
  limit: number | null,
  nowMs: number,
): Refusal | undefined {
  if (limit === null || amount === 0) return undefined
  // Not a sum: near 2^53 it would be rounded.
  if (amount <= limit - (window?.used ?? 0) - (window?.held ?? 0)) return undefined
  return { meterId: meter.id, waitMs: amount > limit ? Number.POSITIVE_INFINITY : waitOf(window, nowMs) }
}

/** @returns the one that frees latest; of two alike the first */
export function later(left: Refusal | undefined, right: Refusal | undefined): Refusal | undefined {
  if (left === undefined || right === undefined) return left ?? right
  return right.waitMs > left.waitMs ? right : left
}

/** @returns what the caller is told: `null` = no window will open */
export function retryAfterMs({ waitMs }: Refusal): number | null {
  return waitMs < 0 || waitMs === Number.POSITIVE_INFINITY ? null : waitMs
}

/** An amount that fits the limit is refused only by a window that is open. */
function waitOf(window: CountedWindow | undefined, nowMs: number): number {
  const endMs = window?.endMs ?? nowMs
  return endMs === Number.POSITIVE_INFINITY ? -1 : Math.max(0, endMs - nowMs)
}
