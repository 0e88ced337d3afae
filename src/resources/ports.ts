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
  readonly work: readonly BatchWork[]
  /** Always the same for the same batch: it is part of the identity of a row. */
  readonly endedAt: Date
}

export interface BatchBooks {
  /** Returns once it is stored. Booking the same batch again changes nothing. */
  book(bill: BatchBill): Promise<void>
}
