import { GatewayError } from '../core/errors.ts'
import { nanoToUsd } from '../core/money.ts'
import { limitExceeded } from './limit-errors.ts'
import { DAY_MS, fromMeterId } from './meters.ts'
import type { Scope } from './policy.ts'
import type { PolicyBook } from './policy-book.ts'
import type { Amounts, Counters, CountersLost, Meter, SpentStore, TakeRequest, TakeResult } from './ports.ts'

/** Whose batch it is, and what is held for it. */
export interface HeldBatch {
  readonly organizationId: string
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly tags: Readonly<Record<string, string>>
  /** Of the hold, and of the request that its work is booked as. */
  readonly workId: string
  /** It counts in the periods of this moment, as in the ledger. */
  readonly createdAt: Date
  /** `null` = nothing. */
  readonly heldNanoUsd: number | null
}

export interface BatchHoldsOptions {
  readonly counters: Pick<Counters, 'take' | 'grow' | 'settle' | 'release' | 'adjust'>
  readonly book: Pick<PolicyBook, 'covering'>
  readonly spent: Pick<SpentStore, 'settled'>
  /** Batches of an organization that are not booked. */
  readonly openBatches: (organizationId: string) => Promise<readonly HeldBatch[]>
  /** Counts an organization anew from the ledger. @throws GatewayError `storage_unavailable` */
  readonly rebuild: (organizationId: string, generation: string) => Promise<unknown>
  readonly now: () => number
  readonly onError: (error: unknown) => void
}

/** Holds what batches may come to, from before they are made until they are booked, over restarts. */
export interface BatchHolds {
  /** Whether any budget or cost of a day covers a batch, so that it has to be known what it may cost. */
  isCovered(batch: HeldBatch): boolean
  /**
   * Holds what a batch may come to on all budgets and costs of a day that cover it, or on none. A batch does not wait.
   *
   * @throws GatewayError the code of the limit that stands in the way; `storage_unavailable`
   */
  hold(batch: HeldBatch): Promise<void>
  /** Holds it for another day; where the hold was lost it is taken again, whatever the limits say now. */
  keep(batch: HeldBatch): Promise<void>
  /** Gives everything back. */
  release(batch: HeldBatch): Promise<void>
  /**
   * Turns the hold into what the batch came to, or counts that where the hold was lost.
   *
   * @param isNew whether the ledger got it just now: what it had before, counters that forgot the hold may have from it
   */
  settle(batch: HeldBatch, costNanoUsd: number, isNew: boolean): Promise<void>
  /** Reads what `holdAgain` needs; to be waited for before an organization is counted anew. */
  prepare(organizationId: string): Promise<void>
  /** Holds again what counters forgot: at once, before calls take what was promised to batches. */
  holdAgain(organizationId: string): void
}

/** Providers end a batch after 24 hours; it is looked at within minutes of that. */
const LEASE_MS = 26 * 3_600_000
/** While a batch is being made. Whoever dies in between leaves the money held for no longer than this. */
const MAKING_LEASE_MS = 15 * 60_000
const TRIES_MAX = 3
/** A batch of others may hold what this one needs, for hours. */
const RETRY_HELD_MS = 600_000
const PREPARED_MAX = 1000
const NOTHING: Amounts = { requests: 0, tokens: 0, costNanoUsd: 0 }

export function createBatchHolds(options: BatchHoldsOptions): BatchHolds {
  const { counters, book, onError } = options
  const prepared = new Map<string, readonly HeldBatch[]>()

  function metersOf(batch: HeldBatch): readonly Meter[] {
    const { organizationId, teamId, keyId, userId, tags, createdAt } = batch
    const caller = { organizationId, teamId, keyId, user: userId, models: null }
    const { meters } = book.covering(caller, tags, createdAt.getTime())
    return meters.filter(({ quantity }) => quantity === 'costNanoUsd')
  }

  function requestFor(batch: HeldBatch, meters: readonly Meter[], leaseMs: number): TakeRequest {
    const { organizationId, workId, heldNanoUsd } = batch
    return {
      organizationId,
      holdId: workId,
      meters,
      amounts: amountsOf(heldNanoUsd ?? 0),
      leaseMs,
      // What was leased for an outage is for calls, which end: a batch would keep it for a day.
      whileAway: 'refuse',
    }
  }

  /** @returns `undefined` where the counters are away, and nothing could have refused it */
  async function takeCounted(request: TakeRequest): Promise<TakeResult | undefined> {
    for (let tries = 1; ; tries++) {
      try {
        return await counters.take(request)
      } catch (error) {
        const lost = lostOf(error)
        const isLimited = request.meters.some(({ limit }) => limit !== null)
        if (lost === undefined && !isLimited) return undefined
        if (lost === undefined || tries >= TRIES_MAX) throw error
        await options.rebuild(request.organizationId, lost.generation)
      }
    }
  }

  /** It runs, whatever the limits say of it now: where it does not fit, it is held beyond them. */
  async function takeAgain(batch: HeldBatch): Promise<void> {
    const meters = metersOf(batch)
    if (batch.heldNanoUsd === null || meters.length === 0) return
    const result = await takeCounted(requestFor(batch, meters, LEASE_MS))
    if (result?.granted === false) await counters.take(requestFor(batch, meters.map(withoutLimit), LEASE_MS))
  }

  /** A batch that was booked while it was held again has nothing to hold any more. */
  async function releaseBooked(batches: readonly HeldBatch[]): Promise<void> {
    const booked = await options.spent.settled(batches.map(({ workId }) => workId))
    for (const batch of batches) {
      if (booked.has(batch.workId)) await counters.release(batch.organizationId, batch.workId)
    }
  }

  return {
    isCovered: (batch) => metersOf(batch).length > 0,

    async hold(batch) {
      const meters = metersOf(batch)
      if (meters.length === 0) return
      const request = requestFor(batch, meters, MAKING_LEASE_MS)
      const result = await takeCounted(request)
      if (result?.granted === false) throw refusal(request, result)
    },

    async keep(batch) {
      if (batch.heldNanoUsd === null) return
      const { organizationId, workId } = batch
      try {
        const grown = await counters.grow(organizationId, workId, NOTHING, LEASE_MS)
        if (grown !== undefined) return
      } catch (error) {
        const lost = lostOf(error)
        if (lost === undefined) throw error
        await options.rebuild(organizationId, lost.generation)
      }
      await takeAgain(batch)
    },

    async release(batch) {
      if (batch.heldNanoUsd !== null) await counters.release(batch.organizationId, batch.workId)
    },

    async settle(batch, costNanoUsd, isNew) {
      const { organizationId, workId } = batch
      const wasHeld = await counters.settle(organizationId, workId, amountsOf(costNanoUsd))
      if (wasHeld || !isNew || costNanoUsd === 0) return
      const ageMs = options.now() - batch.createdAt.getTime()
      for (const meter of metersOf(batch)) {
        // In the books it is in the day in which it was made, and that one is over.
        if (meter.window.kind === 'rolling' && ageMs >= meter.window.ms) continue
        await counters.adjust(organizationId, meter, costNanoUsd, workId)
      }
    },

    async prepare(organizationId) {
      const batches = (await options.openBatches(organizationId)).filter(
        ({ heldNanoUsd }) => heldNanoUsd !== null,
      )
      prepared.delete(organizationId)
      if (batches.length === 0) return
      const booked = await options.spent.settled(batches.map(({ workId }) => workId))
      const [oldest] = prepared.keys()
      if (prepared.size >= PREPARED_MAX && oldest !== undefined) prepared.delete(oldest)
      prepared.set(
        organizationId,
        batches.filter((batch) => !booked.has(batch.workId)),
      )
    },

    holdAgain(organizationId) {
      const batches = prepared.get(organizationId)
      if (batches === undefined) return
      prepared.delete(organizationId)
      // All are begun here and now: counters in memory have them all before anybody else can ask.
      Promise.all(batches.map(takeAgain))
        .then(() => releaseBooked(batches))
        .catch(onError)
    },
  }
}

function amountsOf(costNanoUsd: number): Amounts {
  return { ...NOTHING, costNanoUsd }
}

function withoutLimit(meter: Meter): Meter {
  return { ...meter, limit: null }
}

function lostOf(error: unknown): CountersLost | undefined {
  if (!(error instanceof GatewayError) || error.code !== 'storage_unavailable') return undefined
  return error.detail?.reason === 'counters_lost' ? (error.detail as CountersLost) : undefined
}

const WHOSE: Readonly<Record<Scope, string>> = {
  organization: 'this organization',
  team: 'this team',
  key: 'this key',
  user: 'this user',
  tag: 'a tag of this batch',
}

function refusal(
  { meters, amounts }: TakeRequest,
  { refusedBy, retryAfterMs, states }: Extract<TakeResult, { granted: false }>,
): GatewayError {
  const index = Math.max(
    0,
    meters.findIndex(({ id }) => id === refusedBy),
  )
  const meter = meters[index]
  const state = states[index]
  if (meter === undefined) throw new Error('A batch without meters was refused.')
  const { costNanoUsd } = amounts
  const limit = meter.limit ?? 0
  const free = Math.max(0, limit - (state?.used ?? 0))
  const left = Math.max(0, free - (state?.held ?? 0))
  const by = costNanoUsd <= free ? 'held' : 'used'
  const error = limitExceeded({
    meter,
    state,
    by,
    isTooMuch: costNanoUsd > limit,
    retryAfterMs: by === 'held' ? RETRY_HELD_MS : (retryAfterMs ?? DAY_MS),
  })
  const found = fromMeterId(meter.id)
  const what = found?.type === 'cost_per_day' ? 'cost per day' : 'budget'
  const whose = WHOSE[found?.subject.scope ?? 'organization']
  return new GatewayError(error.code, {
    message:
      `This batch may cost ${nanoToUsd(costNanoUsd)} USD, and of the ${what} of ${whose}, ${nanoToUsd(limit)} USD, ` +
      `${nanoToUsd(left)} USD are left. Caps on its output (\`max_tokens\`) say that it costs less.`,
    detail: error.detail,
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: error.retryAfterSeconds }),
  })
}
