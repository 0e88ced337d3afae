import type { Budget, Limits, Policy, Subject } from './policy.ts'

/**
 * What limits and budgets need of shared memory. Two implementations: in this process, and Redis (one script for all
 * meters of an organization). One conformance suite runs on both.
 */

/** What is counted: calls, tokens of input and output, nano-dollars, calls under way. */
export type Quantity = 'requests' | 'tokens' | 'costNanoUsd' | 'concurrency'

/**
 * When counting begins anew. `rolling`: a window opens at the first use after the last one ended, so that a burst
 * never spans two. `period`: from one moment to another, for budgets; each start is a count of its own. `none`:
 * never. Calls under way have no window whatever is named here: they come back when they end.
 */
export type Window =
  | { readonly kind: 'rolling'; readonly ms: number }
  | { readonly kind: 'period'; readonly startMs: number; readonly endMs: number }
  | { readonly kind: 'none' }

/** One limit that covers a call. Amounts and limits are integers from 0 to 2^53 − 1: nine million USD in one window. */
export interface Meter {
  /** Unique within its organization, a lower-case word and a slash first: `key/K1/tokens_per_hour`. */
  readonly id: string
  /** Of a call under way a meter of `concurrency` counts one, whatever its amounts. */
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
  /**
   * When counting begins anew, Unix milliseconds by the counters' own clock; `null` = it never does, or it has not
   * begun.
   */
  readonly resetsAtMs: number | null
}

export interface Amounts {
  readonly requests: number
  readonly tokens: number
  readonly costNanoUsd: number
}

export interface TakeRequest {
  readonly organizationId: string
  /**
   * Unique for good; the attempt's or the call's id. Taking again while the hold is open is granted again and holds
   * nothing more.
   */
  readonly holdId: string
  /** At most 256, no id twice. */
  readonly meters: readonly Meter[]
  readonly amounts: Amounts
  /** At least 1. After this long without a word the hold counts as abandoned; see `abandoned`. */
  readonly leaseMs: number
  /** Kept with the hold, for whoever has to settle it when its process is dead: at most 4 kB of any text. */
  readonly note?: string | undefined
  /**
   * What becomes of the call while a shared store does not answer: refused at once with `storage_unavailable`, or taken
   * within what this process leased beforehand (left out, it is that).
   */
  readonly whileAway?: 'refuse' | 'share' | undefined
}

export type TakeResult =
  | { readonly granted: true; readonly states: readonly MeterState[] }
  | {
      readonly granted: false
      /** The meter that refused: the one that frees latest, so that its wait is honest. */
      readonly refusedBy: string
      /**
       * Milliseconds until a window opens in which this much would fit. `null` = none will: it is more than the whole
       * limit, or the meter has no window and frees when calls end.
       */
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
  readonly note: string | undefined
}

/** What a meter has come to according to the books. */
export interface MeterUse {
  readonly meter: Meter
  readonly used: number
}

/**
 * `detail` of the `storage_unavailable` that `take` and `grow` throw where the counters of an organization were lost
 * or fell back to an older state, and whoever opened them asked to be told: see `rebuild`.
 */
export interface CountersLost extends Record<string, unknown> {
  readonly reason: 'counters_lost'
  readonly organizationId: string
  /** What to rebuild under. */
  readonly generation: string
}

/**
 * Every method but `holds` is one atomic step. At every instant, for every meter with a limit: used + held ≤ limit,
 * but for what `settle` adds beyond its hold because a provider charged more than was promised, and for a limit that
 * was lowered or an amount that was assigned.
 *
 * All throw GatewayError `storage_unavailable` where the store does not answer in time; whether the step was taken is
 * then unknown, and every one but `grow` and an `adjust` without an id may be repeated.
 */
export interface Counters {
  /**
   * Holds the amounts on all meters, or on none. A meter of which nothing is asked never refuses. Every meter's limit
   * and length of window are from now on what was named here.
   */
  take(request: TakeRequest): Promise<TakeResult> | TakeResult
  /**
   * Adds to a hold on all its meters, or on none, and renews its lease. What is added counts in the windows that are
   * open now, but for periods: there in the one that it was taken in. The limit is the one that was last named for the
   * window, in a new window the hold's own.
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
   * were held, the oldest first; a window that ended meanwhile is gone, and its share with it. Requests that were held
   * stay used, whatever `actual` says of them; concurrency ends. A second time, or for an unknown hold, nothing.
   *
   * @returns whether there was such a hold
   */
  settle(organizationId: string, holdId: string, actual: Amounts): Promise<boolean> | boolean
  /** Gives everything back, the request included: it never left. */
  release(organizationId: string, holdId: string): Promise<boolean> | boolean
  /** Reads meters without changing them. A period is kept for a day after its end. */
  read(
    organizationId: string,
    meters: readonly Meter[],
  ): Promise<readonly MeterState[]> | readonly MeterState[]
  /**
   * Puts the used amount of a meter right, in the window that is open or a new one: after a reconciliation, or a
   * change by hand. What is held stays held; calls under way are only ever held.
   */
  assign(organizationId: string, meter: Meter, used: number): Promise<void> | void
  /**
   * Adds to the used amount of a meter, or takes from it, down to 0: what was spent without a hold, or counted wrongly.
   * Never refuses; in the window that is open or, of a period, in the one that is named. Asks for no generation: what
   * it adds before a rebuild, the rebuild has from the books, so the books come first.
   *
   * @param id names what is added, so that it may be repeated: on each meter it counts once within a day
   */
  adjust(organizationId: string, meter: Meter, delta: number, id?: string): Promise<void> | void
  /**
   * Holds whose lease ended, at most `max` and at the latest a second after: whoever asks has to settle each. Each is
   * handed to one asker; who has not ended it within ten seconds leaves it to the next.
   */
  abandoned(max: number): Promise<readonly Hold[]> | readonly Hold[]
  /** The open holds of an organization, for the reconciler; those that begin or end meanwhile may be among them. */
  holds(organizationId: string): Promise<readonly Hold[]> | readonly Hold[]
  /**
   * @returns a name that changes when the counters lost what they knew, or fell back to an older state: everything
   *   that was counted under another name has to be compared with the books
   */
  generation(): Promise<string> | string
  /**
   * Declares that what was counted under this generation cannot be trusted; of those who declare the same at once one
   * begins the next. Other replicas go by it once they ask for the generation, or within a second of writing.
   *
   * @returns the generation that holds now
   */
  renewGeneration(lost: string): Promise<string> | string
  /**
   * @returns a number that grows at least once in every second in which the counters are written to. Kept beside the
   *   generation and found smaller later, it says that the store fell back to an older state
   */
  sequence(): Promise<number> | number
  /**
   * Assigns what the books say of an organization and lets it count under this generation, unless it does so
   * already. Open holds stay.
   *
   * @returns whether it was assigned; `false` = another one was first, or the generation is a former one
   */
  rebuild(organizationId: string, generation: string, used: readonly MeterUse[]): Promise<boolean> | boolean
  close(): Promise<void>
}

/** What is set on whom. Implemented in `storage/`; every change is heard by all replicas, also one made by hand. */
export interface PolicyStore {
  /** @throws GatewayError `storage_unavailable`, as all of these */
  find(organizationId: string, subject: Subject): Promise<Policy | undefined>
  /** Of one organization, wide scopes first. */
  list(organizationId: string): Promise<Policy[]>
  /** What is left out keeps its value, at first that of `NO_LIMITS`. */
  putLimits(organizationId: string, subject: Subject, change: Partial<Limits>): Promise<Policy>
  /** What is left out keeps its value, at first that of `NO_BUDGET`. */
  putBudget(organizationId: string, subject: Subject, change: Partial<Budget>): Promise<Policy>
  /** Every policy there is, in pages, for the memory of the data plane. */
  load(onPage: (policies: readonly Policy[]) => void): Promise<void>
  /**
   * Calls back within a second of any change. A policy without limits and budget was removed. After a lost connection
   * it calls `onReload`: anything may have changed.
   *
   * @returns stops listening
   */
  watch(handlers: {
    readonly onPolicy: (policy: Policy) => void
    readonly onReload: () => void
  }): Promise<() => Promise<void>>
}

/** A stretch of what somebody used. */
export interface SpentQuery {
  readonly subject: Subject
  /** Inclusive, by the moment in which a call came in. */
  readonly fromMs: number
  /** Exclusive. */
  readonly toMs: number
}

/** What the ledger says. */
export interface SpentStore {
  /** @returns sums for each query, in their order. @throws GatewayError `storage_unavailable` */
  spent(organizationId: string, queries: readonly SpentQuery[]): Promise<Amounts[]>
  /** @returns of these calls, those that the ledger has, with the sums of their attempts */
  settled(requestIds: readonly string[]): Promise<ReadonlyMap<string, Amounts>>
}
