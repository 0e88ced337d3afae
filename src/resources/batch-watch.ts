import type { Clock } from '../core/clock.ts'
import { isOver, toHeld } from './batch-work.ts'
import type { BatchHolds, Resource, ResourceStore } from './ports.ts'
import type { SettlementMeans, Settlements } from './settlements.ts'

/** What the configuration in force says of batches. */
export interface BatchMeans extends SettlementMeans {
  /** Whether a provider is configured and has batches. */
  readonly offers: (provider: string) => boolean
}

export interface BatchWatchOptions {
  readonly clock: Clock
  readonly store: Pick<ResourceStore, 'claimDue' | 'find'>
  readonly holds: Pick<BatchHolds, 'keep'>
  readonly settlements: Pick<Settlements, 'note' | 'giveUp'>
  readonly inForce: () => BatchMeans
  /** Hears that a batch was not to be found for a month. */
  readonly onGone: (batch: Resource) => void
  /** @param batch `undefined` = they could not be listed */
  readonly onError: (error: unknown, batch: Resource | undefined) => void
}

/** Looks at batches that are not booked, so that also those are of which nobody ever asks again. */
export interface BatchWatch {
  /** Looks at those that are due; never rejects. */
  look(): Promise<void>
  /** Looks every minute from now on. */
  start(): void
  /** Resolves once what runs has ended. */
  close(): Promise<void>
}

/** A batch is looked at first this long after it was made. */
export const FIRST_LOOK_MS = 300_000
const LOOK_AGAIN_MS = 600_000
const INTERVAL_MS = 60_000
/** Looked at together; and in one minute at most so many times that. */
const AT_ONCE = 8
const ROUNDS_MAX = 25
const LOOK_MS_MAX = 30_000
/** Providers keep what a batch put out for 30 days at most (OpenAI's guide to batches, `output_expires_after`). */
const GONE_MS = 30 * 86_400_000

export function createBatchWatch(options: BatchWatchOptions): BatchWatch {
  const { clock, store, holds, settlements, onError } = options
  const closing = new AbortController()
  let timer: NodeJS.Timeout | undefined
  let looking: Promise<void> | undefined

  async function lookAtDue(): Promise<void> {
    for (let round = 0; round < ROUNDS_MAX && !closing.signal.aborted; round++) {
      const nowMs = clock.now()
      const due = await store.claimDue(new Date(nowMs), new Date(nowMs + LOOK_AGAIN_MS), AT_ONCE)
      await Promise.all(due.map((batch) => lookAt(batch).catch((error: unknown) => onError(error, batch))))
      if (due.length < AT_ONCE) return
    }
  }

  async function lookAt(batch: Resource): Promise<void> {
    const means = options.inForce()
    const isOld = clock.now() - batch.createdAt.getTime() >= GONE_MS
    let object: Readonly<Record<string, unknown>> | undefined
    try {
      object = await objectOf(batch, means)
      if (object !== undefined) await settlements.note(batch, object, means)
      if (isOld && (object === undefined || isOver(object)) && (await isOpen(batch))) {
        options.onGone(batch)
        await settlements.giveUp(batch, object, means)
      }
    } finally {
      // Also where its provider is away: what it may come to stays held until somebody knows.
      if ((object === undefined || !isOver(object)) && (await isOpen(batch))) await holds.keep(toHeld(batch))
    }
  }

  async function objectOf(batch: Resource, { objects, offers }: BatchMeans) {
    if (!offers(batch.provider)) return undefined
    const signal = AbortSignal.any([closing.signal, AbortSignal.timeout(LOOK_MS_MAX)])
    return objects.readObject(batch.provider, 'batch', batch.id, signal)
  }

  async function isOpen({ organizationId, id }: Resource): Promise<boolean> {
    return (await store.find(organizationId, 'batch', id))?.settledAt === null
  }

  function look(): Promise<void> {
    looking ??= lookAtDue()
      .catch((error: unknown) => onError(error, undefined))
      .finally(() => {
        looking = undefined
      })
    return looking
  }

  return {
    look,
    start() {
      timer ??= setInterval(look, INTERVAL_MS).unref()
    },
    async close() {
      closing.abort()
      clearInterval(timer)
      await looking
    },
  }
}
