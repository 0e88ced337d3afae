import type { Page, PageRequest } from '../contract/page.ts'

/**
 * One row of the ledger: one settled attempt at one target, or a call that was refused before it reached any
 * (`provider` is then null). The last row of a call (`final`) carries the call's waterfall.
 */
export interface LedgerRow {
  /** Unique per settlement: the attempt's id. Writing the same id twice changes nothing. */
  readonly id: string
  /** The `x-request-id` of the call. */
  readonly requestId: string
  readonly attempt: number
  readonly final: boolean
  readonly organizationId: string
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly sessionId: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly provider: string | null
  /** The model's name at the provider. */
  readonly model: string | null
  /** What the client wrote into `model`. */
  readonly requestedModel: string | null
  readonly operation: string
  readonly task: string | null
  /** Wire format of the client: `chat`, `messages` … */
  readonly format: string
  readonly stream: boolean
  /** HTTP status that the client saw; for a row that is not final, the provider's. */
  readonly status: number
  readonly errorCode: string | null
  /** `null` = nobody said. */
  readonly tokensInput: number | null
  readonly tokensOutput: number | null
  readonly tokensCached: number | null
  readonly tokensCacheWrite: number | null
  readonly tokensReasoning: number | null
  readonly costNanoUsd: number
  /** Which price was used; `null` where none was needed. */
  readonly priceVersion: string | null
  /** Counted by us, because the provider did not say. */
  readonly estimated: boolean
  /** `miss`, `exact`, `semantic`, `bypass`. */
  readonly cache: string
  readonly latencyMs: number
  readonly firstTokenMs: number | null
  /** Our own share of the latency. */
  readonly overheadMs: number
  /** Stages and attempts, as `GET /requests/{id}` shows them; only where `final`. */
  readonly waterfall: unknown
  readonly createdAt: Date
}

/** Names that usage can be grouped by; `tag:<name>` besides. */
export const GROUPS = [
  'organization',
  'team',
  'key',
  'user',
  'session',
  'provider',
  'model',
  'operation',
  'task',
] as const
export type Group = (typeof GROUPS)[number] | `tag:${string}`

export interface UsageQuery {
  /** Inclusive. */
  readonly from: Date
  /** Exclusive. */
  readonly to: Date
  readonly organizationId?: string | undefined
  readonly groupBy: readonly Group[]
  readonly interval?: 'hour' | 'day' | 'month' | undefined
  /** More rows than this are cut off, largest cost first. */
  readonly rowsMax: number
}

export interface UsageRow {
  /** One value per name in `groupBy`, in its order; `null` = none. */
  readonly groups: readonly (string | null)[]
  readonly periodStart: Date | undefined
  readonly requests: number
  readonly errors: number
  readonly cacheHits: number
  readonly tokensInput: number
  readonly tokensOutput: number
  readonly tokensTotal: number
  readonly tokensCached: number
  readonly costNanoUsd: number
  /** How many rows were counted by us. */
  readonly estimated: number
}

export interface RequestFilter {
  readonly organizationId?: string | undefined
  readonly keyId?: string | undefined
  readonly userId?: string | undefined
  readonly sessionId?: string | undefined
  readonly provider?: string | undefined
  readonly model?: string | undefined
  readonly operation?: string | undefined
  readonly status?: number | undefined
  readonly errorCode?: string | undefined
  readonly from?: Date | undefined
  readonly to?: Date | undefined
}

/** What the ledger needs of a store. Implemented in `storage/`, for PostgreSQL and PGlite alike. */
export interface LedgerStore {
  /**
   * Writes rows and their share of the roll-ups in one transaction. Rows whose id is already there are left
   * out of both, so that a batch may be written again after an unclear failure.
   *
   * @throws GatewayError `storage_unavailable`; then nothing of the batch was written
   */
  write(rows: readonly LedgerRow[]): Promise<void>
  usage(query: UsageQuery): Promise<UsageRow[]>
  /** Final rows, newest first. */
  listRequests(filter: RequestFilter, page: PageRequest): Promise<Page<LedgerRow>>
  /** All rows of one call in the order of their attempts; empty where there is none. */
  findRequest(requestId: string): Promise<LedgerRow[]>
  /** Makes the partitions that rows of the next months will need. */
  ensurePartitions(now: Date): Promise<void>
}

/**
 * Rows on their way to the ledger: taken at once, out of this process by the end of the turn of the event loop, durable
 * within about 10 ms, gone once the ledger has them. Rows are delivered in the order in which they were taken, at least
 * once each.
 */
export interface Journal {
  /**
   * Takes a row. Also where there is no room any more: a call under way is always booked.
   *
   * @throws GatewayError `storage_unavailable` once closed
   */
  append(row: LedgerRow): void
  /**
   * To be waited for before a caller gets the last byte of the reply that was booked.
   *
   * @returns once every row taken so far survives the death of this process; or, where what keeps them fails or is slow,
   *   after a quarter of a second: nobody's reply hangs on it. `undefined` where nothing is to be waited for
   */
  handedOver(): Promise<void> | undefined
  /**
   * @returns once every row taken so far would survive the death of this machine, as far as the implementation says so,
   *   or is in the ledger; rejects with `storage_unavailable` where a write has failed. The
   *   rows are not lost by that: it is tried again, and meanwhile they are delivered from memory
   */
  appended(): Promise<void>
  /** Whether a new call may begin. `false` where what waits fills its bound, on disk or, while that fails, in memory. */
  readonly hasRoom: boolean
  /**
   * Hands the oldest rows to `handler`, and lets go of them once that resolves. One at a time.
   *
   * @returns how many rows were handed over; 0 where none is ready
   * @throws what `handler` throws; then the same rows come again
   */
  drain(handler: (rows: readonly LedgerRow[]) => Promise<void>, rowsMax: number): Promise<number>
  /** @returns once every row taken so far has been let go of */
  drained(): Promise<void>
  /** Keeps a row, which the ledger takes on no account, for people to look at. It is not delivered from there. */
  setAside(row: LedgerRow, reason: string): Promise<void>
  /** Other processes may leave rows in it: it has to be looked at from time to time. */
  readonly isShared: boolean
  /** Rows that are not in the ledger yet, those of earlier processes included. */
  readonly waitingRows: number
  /** What is kept of them, outside of memory. */
  readonly bytes: number
  /** Where calls under way are written down; left out where a dead process leaves nothing that another could read. */
  readonly unfinished?: UnfinishedStore | undefined
  /** Makes durable what is not yet, and lets go of files and connections. What waits is there at the next start. */
  close(): Promise<void>
}

/** What calls under way would be booked as, were this process killed now. One process has it. */
export interface UnfinishedStore {
  /** @returns what the process before left, to be booked; the ledger knows those of them that it has */
  load(): Promise<readonly LedgerRow[]>
  /** Replaces all that was saved before. */
  save(rows: readonly LedgerRow[]): Promise<void>
}
