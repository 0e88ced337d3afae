/**
 * What limits and budgets need of shared memory. Two implementations: in this process, and Redis (one script for all
 * meters of an organization). One conformance suite runs on both.
 */

/** What is counted: calls, tokens of input and output, nano-dollars, calls under way. */
export type Quantity = 'requests' | 'tokens' | 'costNanoUsd' | 'concurrency'

/**
 * When counting begins anew. `rolling`: a window opens at the first use after the last one ended, so that a burst
 * never spans two. `period`: from one moment to another, for budgets. `none`: never; what is held comes back.
 */
export type Window =
  | { readonly kind: 'rolling'; readonly ms: number }
  | { readonly kind: 'period'; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'none' }

/** One limit that covers a call. */
export interface Meter {
  /** Unique within its organization: `key/K1/tokens_per_hour`. */
  readonly id: string
  readonly quantity: Quantity
  /** In units of `quantity`; `null` counts and never refuses. */
  readonly limit: number | null
  readonly window: Window
}

export interface MeterState {
  readonly id: string
  readonly limit: number | null
  /** Settled in the current window. */
  readonly used: number
  /** Promised to calls under way. */
  readonly held: number
  /** When counting begins anew, Unix milliseconds by the counters' own clock; `null` = it never does, or it has not begun. */
  readonly resetsAtMs: number | null
}

export interface Amounts {
  readonly requests: number
  readonly tokens: number
  readonly costNanoUsd: number
}

export interface TakeRequest {
  readonly organizationId: string
  /** Unique; the attempt's or the call's id. Taking with an id that is known returns what that take returned. */
  readonly holdId: string
  readonly meters: readonly Meter[]
  readonly amounts: Amounts
  /** After this long without a word the hold counts as abandoned; see `abandoned`. */
  readonly leaseMs: number
}

export type TakeResult =
  | { readonly granted: true; readonly states: readonly MeterState[] }
  | {
      readonly granted: false
      /** The meter that refused: the one that frees latest, so that its wait is honest. */
      readonly refusedBy: string
      /** Milliseconds until a window opens in which this much would fit; `null` = by waiting alone it never will. */
      readonly retryAfterMs: number | null
      readonly states: readonly MeterState[]
    }

export interface Hold {
  readonly organizationId: string
  readonly holdId: string
  readonly amounts: Amounts
  readonly meterIds: readonly string[]
  readonly takenAtMs: number
  readonly leaseEndsMs: number
}

/**
 * Every method is one atomic step. At every instant, for every meter with a limit: used + held ≤ limit, but for what
 * `settle` adds beyond its hold because a provider charged more than was promised.
 */
export interface Counters {
  /** Holds the amounts on all meters, or on none. */
  take(request: TakeRequest): Promise<TakeResult> | TakeResult
  /**
   * Adds to a hold on all its meters, or on none, and renews its lease.
   *
   * @returns `undefined` where there is no such hold any more
   */
  grow(
    organizationId: string,
    holdId: string,
    more: Amounts,
    leaseMs: number,
  ): Promise<TakeResult | undefined> | TakeResult | undefined
  /**
   * Turns a hold into what it came to: held goes back, used takes the actual amounts, in the windows in which they
   * were held. Requests that were held stay used; concurrency ends. A second time, or for an unknown hold, nothing.
   *
   * @returns whether there was such a hold
   */
  settle(organizationId: string, holdId: string, actual: Amounts): Promise<boolean> | boolean
  /** Gives everything back, the request included: it never left. */
  release(organizationId: string, holdId: string): Promise<boolean> | boolean
  /** Reads meters without changing them. */
  read(
    organizationId: string,
    meters: readonly Meter[],
  ): Promise<readonly MeterState[]> | readonly MeterState[]
  /** Puts the used amount of a meter right: after a restart, a reconciliation, or a change by hand. */
  assign(organizationId: string, meter: Meter, used: number): Promise<void> | void
  /** Holds whose lease ended, at most `max`: whoever asks has to settle each. */
  abandoned(max: number): Promise<readonly Hold[]> | readonly Hold[]
  /** All open holds of an organization, for the reconciler. */
  holds(organizationId: string): Promise<readonly Hold[]> | readonly Hold[]
  close(): Promise<void>
}
