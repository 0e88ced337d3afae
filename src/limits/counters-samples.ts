import type { Amounts, Counters, Meter, Quantity, Window } from './ports.ts'

/** Counters that nobody else uses, opened for one suite. */
export interface CountersTarget {
  /** Several on one store, as replicas have them; a single one where the store is not shared. */
  readonly replicas: readonly Counters[]
  /** The time by which all of them count. Tests move it on, never back. */
  readonly time: { nowMs: number }
  close(): Promise<void>
}

export interface CountersTargetOptions {
  readonly unknown: 'begin' | 'refuse'
}

export type OpenCounters = (options: CountersTargetOptions) => Promise<CountersTarget>

/** What one test works with: an organization of its own. */
export interface Bench {
  readonly target: CountersTarget
  readonly counters: Counters
  readonly organizationId: string
}

export const MINUTE_MS = 60_000
export const LEASE_MS = 30_000
export const NEVER: Window = { kind: 'none' }

export function amounts(requests: number, tokens = 0, costNanoUsd = 0): Amounts {
  return { requests, tokens, costNanoUsd }
}

export function rolling(id: string, quantity: Quantity, limit: number | null, ms = MINUTE_MS): Meter {
  return { id, quantity, limit, window: { kind: 'rolling', ms } }
}

export function period(
  id: string,
  quantity: Quantity,
  limit: number | null,
  startMs: number,
  ms: number,
): Meter {
  return { id, quantity, limit, window: { kind: 'period', startMs, endMs: startMs + ms } }
}

export function concurrency(id: string, limit: number | null): Meter {
  return { id, quantity: 'concurrency', limit, window: NEVER }
}
