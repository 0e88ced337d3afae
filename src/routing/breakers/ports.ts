/** Closed lets calls through, open refuses them, half-open lets a few through to see whether the provider is back. */
export type BreakerState = 'closed' | 'open' | 'half-open'

/** What a breaker has to say, to other replicas and to operators. Moments are Unix milliseconds by our own clock. */
export interface BreakerRecord {
  readonly provider: string
  /** Of a target's own breaker; `''` = that of the provider. */
  readonly model: string
  readonly state: BreakerState
  /** Within the window; of an open breaker, those that opened it and those of its probes. */
  readonly failures: number
  readonly reason: string | undefined
  readonly openedAtMs: number | undefined
  /** `undefined` where it is open: until an operator closes it. */
  readonly untilMs: number | undefined
  /** How often the time that it stays open was doubled. */
  readonly level: number
  /** An operator said so. Open, it stays so until an operator says otherwise. */
  readonly byOperator: boolean
  /** No calls until then, because the provider asked for a pause. */
  readonly pausedUntilMs: number | undefined
  readonly changedAtMs: number
}

/** The breaker of a provider, and those of its targets that have something to say. */
export interface ProviderBreaker extends BreakerRecord {
  readonly targets: readonly BreakerRecord[]
}

/** What a feed needs of the process that it serves. */
export interface BreakerHandlers {
  /** @returns names of the providers in force */
  providers(): readonly string[]
  /** @returns what is known here of a provider, for a store that has lost it */
  current(provider: string): ProviderBreaker
  /** Another replica changed one. */
  onRecord(record: BreakerRecord): void
  /** Somebody set the state of a provider by hand. */
  onOrder(provider: string, state: BreakerState): void
}

/** Breakers of all replicas. Nothing here waits for it, and nothing here throws: without it each replica is on its own. */
export interface BreakerFeed {
  /** Whether the last look succeeded. */
  readonly isReady: boolean
  /** Begins to follow. @returns once a first look was taken, or could not be taken in time */
  follow(handlers: BreakerHandlers): Promise<void>
  /** Tells the others; the latest of each breaker, once they can be reached. */
  publish(record: BreakerRecord): void
  close(): Promise<void>
}

/** What operators see and set in SQL. */
export interface BreakerTable {
  /** @throws GatewayError `storage_unavailable` */
  write(breakers: readonly ProviderBreaker[]): Promise<void>
  /**
   * Leaves word for every process, and for those that start later.
   *
   * @param repeat say it again even if it was said last
   * @throws GatewayError `storage_unavailable`
   */
  order(provider: string, state: BreakerState, repeat: boolean): Promise<void>
  /**
   * Calls back with every order, wherever it was given; at first with those that stand: providers that are held open.
   *
   * @returns stops watching
   * @throws GatewayError `storage_unavailable`
   */
  watch(onOrder: (provider: string, state: BreakerState) => void): Promise<() => Promise<void>>
}
