import type { Usage } from '../contract/chat.ts'
import type { CallUnits } from '../pipeline/exchange.ts'

/** What resources need of a store and of a provider. The store is implemented in `storage/`. */

export type ResourceKind = 'file' | 'batch'

/** Something that an organization made at a provider whose account it shares with others. */
export interface Resource {
  /** The provider's own id. */
  readonly id: string
  readonly provider: string
  readonly kind: ResourceKind
  readonly organizationId: string
  /** Whose call made it, for what it costs later. */
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly sessionId: string | null
  readonly task: string | null
  readonly tags: Readonly<Record<string, string>>
  /** The call that made it. */
  readonly requestId: string
  readonly createdAt: Date
  /** When the work of a batch was booked; `null` where it was not yet. */
  readonly settledAt: Date | null
  /** What budgets hold for a batch, in nano-dollars; `null` = nothing. */
  readonly heldNanoUsd: number | null
  /** When a batch that is not booked is to be looked at next; `null` for everything else. */
  readonly lookAt: Date | null
}

export interface ResourceQuery {
  readonly organizationId: string
  readonly provider: string
  readonly kind: ResourceKind
  readonly order: 'asc' | 'desc'
  /** Go on behind this one. */
  readonly after: Resource | undefined
  readonly limit: number
}

/** Throws GatewayError `storage_unavailable` where it cannot be reached. */
export interface ResourceStore {
  /** Twice is once: the first owner stays. */
  add(resource: Resource): Promise<void>
  /** @returns `undefined` where the organization has none of this id, whoever else may have */
  find(organizationId: string, kind: ResourceKind, id: string): Promise<Resource | undefined>
  /** In the order in which they were made. */
  list(query: ResourceQuery): Promise<Resource[]>
  remove(resource: Resource): Promise<void>
  markSettled(resource: Resource, at: Date): Promise<void>
  /** Batches of an organization that are not booked, the oldest first. */
  listOpen(organizationId: string, max: number): Promise<Resource[]>
  /**
   * Batches of all organizations that are not booked and have to be looked at, those first that wait longest. Each is
   * handed to one replica, and is due again at `again`: also where that replica dies.
   */
  claimDue(now: Date, again: Date, max: number): Promise<Resource[]>
}

/** The right to do what only one replica should do. */
export interface LeaseStore {
  /** @returns whether `holder` has it for the next `leaseMs`; who has it already has it longer */
  take(name: string, holder: string, leaseMs: number): Promise<boolean>
  release(name: string, holder: string): Promise<void>
}

/** Requests about a provider's objects that are the gateway's own and no caller's. */
export interface ProviderObjects {
  /** @returns `undefined` where the provider has no such object (any more) */
  readObject(
    provider: string,
    kind: ResourceKind,
    id: string,
    signal: AbortSignal,
  ): Promise<Readonly<Record<string, unknown>> | undefined>
  /** Lines of a file, without their ends, as they come. */
  readLines(provider: string, fileId: string, signal: AbortSignal): AsyncIterable<string>
  /** Deletes a file, cancels a batch. */
  discard(provider: string, kind: ResourceKind, id: string): Promise<void>
}

/** What one model did in a batch. */
export interface BatchWork {
  readonly model: string
  readonly usage: Usage
  readonly units: CallUnits
  /** Counted by us: the provider did not say. */
  readonly estimated: boolean
}

/** A batch that is over. */
export interface BatchBill {
  readonly batch: Resource
  /** Of the request that its work is booked as: `workIdOf`. */
  readonly workId: string
  readonly work: readonly BatchWork[]
  /** Nano-dollars of work of which nothing is known but that it was done. */
  readonly unknownNanoUsd?: number | undefined
  readonly endedAt: Date
}

/** What a batch came to. */
export interface BookedBatch {
  readonly costNanoUsd: number
  /** Whether the ledger got it just now. */
  readonly isNew: boolean
}

export interface BatchBooks {
  /** Returns once it is stored. Booking the same batch again changes nothing. */
  book(bill: BatchBill): Promise<BookedBatch>
}

/** A batch, or one that is about to be made, as budgets know it. */
export type HeldBatch = Omit<Resource, 'id'> & {
  /** Of the hold, and of the request that its work is booked as. */
  readonly workId: string
}

/** Holds what batches may come to on every budget that covers them, until they are booked. */
export interface BatchHolds {
  /** Whether any covers it, so that it has to be known what it may cost. */
  isCovered(batch: HeldBatch): boolean
  /** @throws GatewayError the code of the limit that stands in the way: then nothing is held; `storage_unavailable` */
  hold(batch: HeldBatch): Promise<void>
  /** Holds it for another day, again where it was lost. */
  keep(batch: HeldBatch): Promise<void>
  release(batch: HeldBatch): Promise<void>
  /**
   * Turns the hold into what the batch came to.
   *
   * @param isNew whether the ledger got it just now
   */
  settle(batch: HeldBatch, costNanoUsd: number, isNew: boolean): Promise<void>
}

/** Adds up what the requests of a batch may cost. */
export interface BatchEstimate {
  /** Nano-dollars of all that were added. */
  readonly costNanoUsd: number
  /** @throws GatewayError where the price of its model is unknown and such calls are refused */
  add(body: Readonly<Record<string, unknown>>): void
}
