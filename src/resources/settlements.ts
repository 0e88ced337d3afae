import type { Clock } from '../core/clock.ts'
import { endOf, endpointOf, type ReadUsage, WorkSum, workOfBatch } from './batch-work.ts'
import type { BatchBooks, BatchWork, ProviderObjects, Resource, ResourceStore } from './ports.ts'

export interface SettlementOptions {
  readonly clock: Clock
  readonly store: ResourceStore
  readonly readUsage: ReadUsage
  /** A batch could not be booked; it will be when it is seen again. */
  readonly onError: (error: unknown, batch: Resource) => void
}

/** What the configuration in force adds. */
export interface SettlementMeans {
  readonly objects: ProviderObjects
  readonly books: BatchBooks
}

export interface Settlements {
  /**
   * Books the work of a batch that is over, once.
   *
   * @returns when it is booked, or after a while in which it was not: it then goes on by itself
   */
  settle(batch: Resource, object: Readonly<Record<string, unknown>>, means: SettlementMeans): Promise<void>
  /** Gives up what is under way; it is booked when the batch is seen again. */
  close(): Promise<void>
}

/** A caller who looks at a batch waits at most so long for its output to be read. */
const WAIT_MS_MAX = 5000
/** An output file may have hundreds of megabytes. */
const WORK_MS_MAX = 600_000
/** Batches booked at once; of those beyond, the next look takes care. */
const RUNNING_MAX = 16

export function createSettlements(options: SettlementOptions): Settlements {
  const { clock, store, readUsage, onError } = options
  const running = new Map<string, Promise<void>>()
  const closing = new AbortController()

  async function workOf(
    batch: Resource,
    object: Readonly<Record<string, unknown>>,
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

  async function book(
    batch: Resource,
    object: Readonly<Record<string, unknown>>,
    { objects, books }: SettlementMeans,
  ): Promise<void> {
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(WORK_MS_MAX)])
    const work = await workOf(batch, object, objects, signal)
    // Stored first and marked afterwards: a crash in between books the same row again, which changes nothing.
    if (work.length > 0) await books.book({ batch, work, endedAt: endOf(object, batch.createdAt) })
    await store.markSettled(batch, new Date(clock.now()))
  }

  return {
    async settle(batch, object, means) {
      const key = `${batch.provider}/${batch.id}`
      let settling = running.get(key)
      if (settling === undefined) {
        if (running.size >= RUNNING_MAX || closing.signal.aborted) return
        settling = book(batch, object, means)
          .catch((error: unknown) => onError(error, batch))
          .finally(() => running.delete(key))
        running.set(key, settling)
      }
      const waited = new AbortController()
      await Promise.race([settling, pause(WAIT_MS_MAX, waited.signal)])
      waited.abort()
    },
    async close() {
      closing.abort()
      await Promise.all(running.values())
    },
  }
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
