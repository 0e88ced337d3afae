import type { Clock } from '../core/clock.ts'
import { endOf, endpointOf, isOver, type ReadUsage, toHeld, WorkSum, workOfBatch } from './batch-work.ts'
import type {
  BatchBooks,
  BatchHolds,
  BatchWork,
  LeaseStore,
  ProviderObjects,
  Resource,
  ResourceStore,
} from './ports.ts'
import { isId } from './resource-id.ts'

export interface SettlementOptions {
  readonly clock: Clock
  readonly store: ResourceStore
  readonly leases: LeaseStore
  /** This replica, among those that book batches. */
  readonly holder: string
  readonly holds: Pick<BatchHolds, 'settle' | 'release'>
  readonly readUsage: ReadUsage
  /** A batch could not be booked; it will be when it is seen again. */
  readonly onError: (error: unknown, batch: Resource) => void
}

/** What the configuration in force adds. */
export interface SettlementMeans {
  readonly objects: ProviderObjects
  readonly books: BatchBooks
}

type BatchObject = Readonly<Record<string, unknown>>

export interface Settlements {
  /**
   * Takes note of a batch as its provider has it: what it put out belongs to whoever made it, and once it is over it is
   * booked, once.
   *
   * @returns when it is booked, or after a while in which it was not: it then goes on by itself
   */
  note(batch: Resource, object: BatchObject, means: SettlementMeans): Promise<void>
  /**
   * Ends the account of a batch of which nothing more can be learned. One that is over, as the provider says, is booked
   * as what was held for it; one that the provider does not know any more gives that back.
   */
  giveUp(batch: Resource, object: BatchObject | undefined, means: SettlementMeans): Promise<void>
  /** Gives up what is under way; it is booked when the batch is seen again. */
  close(): Promise<void>
}

/** A caller who looks at a batch waits at most so long for its output to be read. */
const WAIT_MS_MAX = 5000
/** An output file may have hundreds of megabytes. */
const WORK_MS_MAX = 600_000
/** Longer than the work: two replicas never book the same batch at once. */
const LEASE_MS = 900_000
/** Batches booked at once; of those beyond, the next look takes care. */
const RUNNING_MAX = 16

export function createSettlements(options: SettlementOptions): Settlements {
  const { clock, store, leases, holder, holds, readUsage, onError } = options
  const running = new Map<string, Promise<void>>()
  const closing = new AbortController()

  async function workOf(
    batch: Resource,
    object: BatchObject,
    objects: ProviderObjects,
    signal: AbortSignal,
  ): Promise<readonly BatchWork[]> {
    const said = workOfBatch(object, readUsage)
    if (said !== undefined) return said
    const sum = new WorkSum(readUsage, endpointOf(object))
    const file = object.output_file_id
    if (typeof file === 'string' && file !== '') {
      for await (const line of objects.readLines(batch.provider, file, signal)) sum.add(line)
    }
    return sum.work()
  }

  /**
   * Stored first, counted then, and marked last. A crash in between does it again: the same row changes nothing, and
   * what is not held any more was counted.
   */
  async function book(
    batch: Resource,
    object: BatchObject,
    { objects, books }: SettlementMeans,
    isUnknown: boolean,
  ): Promise<void> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(WORK_MS_MAX)])
    const held = toHeld(batch)
    const { costNanoUsd, isNew } = await books.book({
      batch,
      workId: held.workId,
      work: isUnknown ? [] : await workOf(batch, object, objects, signal),
      ...(isUnknown ? { unknownNanoUsd: batch.heldNanoUsd ?? 0 } : undefined),
      endedAt: endOf(object, batch.createdAt),
    })
    await holds.settle(held, costNanoUsd, isNew)
    await store.markSettled(batch, new Date(clock.now()))
  }

  /** Does it unless somebody did or does, here or in another replica. */
  async function alone(batch: Resource, work: () => Promise<void>): Promise<void> {
    const name = `batch ${batch.provider}/${batch.id}`
    if (!(await leases.take(name, holder, LEASE_MS))) return
    try {
      const found = await store.find(batch.organizationId, 'batch', batch.id)
      if (found?.settledAt === null) await work()
    } finally {
      // It ends by itself.
      await leases.release(name, holder).catch(() => undefined)
    }
  }

  async function settle(batch: Resource, work: () => Promise<void>): Promise<void> {
    const key = `${batch.provider}/${batch.id}`
    let settling = running.get(key)
    if (settling === undefined) {
      if (running.size >= RUNNING_MAX || closing.signal.aborted) return
      settling = alone(batch, work)
        .catch((error: unknown) => onError(error, batch))
        .finally(() => running.delete(key))
      running.set(key, settling)
    }
    const waited = new AbortController()
    await Promise.race([settling, pause(WAIT_MS_MAX, waited.signal)])
    waited.abort()
  }

  return {
    async note(batch, object, means) {
      for (const id of [object.output_file_id, object.error_file_id]) {
        if (typeof id === 'string' && isId(id)) await store.add(toFile(batch, id))
      }
      if (batch.settledAt === null && isOver(object))
        await settle(batch, () => book(batch, object, means, false))
    },

    giveUp(batch, object, means) {
      return settle(batch, async () => {
        if (object !== undefined && isOver(object)) return book(batch, object, means, true)
        await holds.release(toHeld(batch))
        await store.markSettled(batch, new Date(clock.now()))
      })
    },

    async close() {
      closing.abort()
      await Promise.all(running.values())
    },
  }
}

function toFile(batch: Resource, id: string): Resource {
  return { ...batch, id, kind: 'file', settledAt: null, heldNanoUsd: null, lookAt: null }
}

function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds)
    signal.addEventListener('abort', () => {
      clearTimeout(timer)
      resolve()
    })
  })
}
