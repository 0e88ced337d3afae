import { GatewayError, toGatewayError } from '../core/errors.ts'
import { metersOf } from './meters.ts'
import type { Policy, Subject } from './policy.ts'
import type { Counters, Meter, MeterUse, SpentQuery, SpentStore } from './ports.ts'

export interface RebuilderOptions {
  readonly counters: Pick<Counters, 'rebuild' | 'read' | 'adjust' | 'holds' | 'settle'>
  readonly spent: SpentStore
  /** Everything that is set on and within an organization. */
  readonly policiesOf: (organizationId: string) => Promise<readonly Policy[]> | readonly Policy[]
  /** Resolves once everything that was answered here so far is in the ledger. */
  readonly flush: () => Promise<void>
  readonly now: () => number
  /** Resolves once what other replicas settled before this generation began is in the ledger. At once where left out. */
  readonly settled?: ((generation: string) => Promise<void>) | undefined
  /** Gets each failure once, however many calls wait for the same rebuild. */
  readonly onError: (error: unknown, organizationId: string) => void
  /** What other replicas settled in the last second may not be in the ledger yet: a look later finds it. */
  readonly onRebuilt?: ((organizationId: string) => void) | undefined
}

export interface Rebuilder {
  /**
   * Counts an organization anew from the ledger, where `take` or `grow` said `counters_lost`. Once per organization at
   * a time, whoever asks how often.
   *
   * @param generation of the `detail` of that error
   * @returns once it is counted again, here or by another replica that was first: the call may be tried again
   * @throws GatewayError `storage_unavailable` where the ledger cannot be read; `overloaded` where too many wait
   */
  rebuild(organizationId: string, generation: string): Promise<void>
  /** The same for an organization that may well be counted already. */
  ensure(organizationId: string, generation: string): Promise<void>
}

/** Of one call to the counters; they take no more. */
export const METERS_AT_ONCE = 256
/** Each reads the ledger, and its database has other work to do. */
const AT_ONCE_MAX = 8
/** Organizations that wait for their turn; more than this means that the ledger does not answer. */
const WAITING_MAX = 10_000
/** After a failure the same is answered for this long, without asking the ledger again. */
const FAILED_MS = 1000
const FAILED_MAX = 10_000
/** Calls are booked by the clocks of all replicas, which may be ahead of ours. */
const SKEW_MS = 60_000

export function createRebuilder(options: RebuilderOptions): Rebuilder {
  const { counters, now } = options
  const running = new Map<string, Promise<void>>()
  const failed = new Map<string, { readonly atMs: number; readonly error: GatewayError }>()
  const waiting: (() => void)[] = []
  let active = 0

  /** @returns once there is room; whoever is done makes room for the next in the order of their coming */
  async function turn(): Promise<void> {
    if (active < AT_ONCE_MAX) {
      active++
      return
    }
    await new Promise<void>((resolve) => waiting.push(resolve))
  }

  function done(): void {
    const next = waiting.shift()
    if (next === undefined) active--
    else next()
  }

  async function rebuildOnce(organizationId: string, generation: string, isLost: boolean): Promise<void> {
    await options.settled?.(generation)
    await turn()
    try {
      const policies = await options.policiesOf(organizationId)
      await options.flush()
      await settleBooked(organizationId, isLost)
      const uses = await sumUp(options.spent, organizationId, policies, now())
      // What was used comes first. Of a meter that nobody used there is nothing to say but where an older state came back.
      uses.sort((left, right) => Number(right.used > 0) - Number(left.used > 0))
      for (let start = METERS_AT_ONCE; start < uses.length; start += METERS_AT_ONCE) {
        await raise(organizationId, generation, uses.slice(start, start + METERS_AT_ONCE))
      }
      const isFirst = await counters.rebuild(organizationId, generation, uses.slice(0, METERS_AT_ONCE))
      if (isFirst) options.onRebuilt?.(organizationId)
    } finally {
      done()
    }
  }

  /**
   * Ends holds of calls that the ledger has already, before it is summed up: settled afterwards they would count twice.
   * After an outage these are all whose settlement was not heard.
   *
   * @param isLost otherwise a call whose lease goes on is left to settle itself, for its last rows may be on their way
   */
  async function settleBooked(organizationId: string, isLost: boolean): Promise<void> {
    const nowMs = now()
    const holds = await counters.holds(organizationId)
    const ended = holds.filter(({ leaseEndsMs }) => isLost || leaseEndsMs <= nowMs)
    if (ended.length === 0) return
    const booked = await options.spent.settled(ended.map(({ holdId }) => holdId))
    for (const [holdId, actual] of booked) await counters.settle(organizationId, holdId, actual)
  }

  /**
   * Counts what is beyond one call of `rebuild`, before that lets calls in: by difference, for settlements go on
   * meanwhile, and under a name, for another replica may do the same.
   */
  async function raise(organizationId: string, generation: string, uses: readonly MeterUse[]): Promise<void> {
    const used = uses.filter((use) => use.used > 0)
    if (used.length === 0) return
    const states = await counters.read(
      organizationId,
      used.map(({ meter }) => meter),
    )
    for (const [index, use] of used.entries()) {
      const missing = use.used - (states[index]?.used ?? 0)
      if (missing > 0) await counters.adjust(organizationId, use.meter, missing, `rebuild ${generation}`)
    }
  }

  function remember(key: string, organizationId: string, error: unknown): GatewayError {
    options.onError(error, organizationId)
    const { code, message, detail } = toGatewayError(error)
    const known = new GatewayError(code === 'internal_error' ? 'internal_error' : 'storage_unavailable', {
      message:
        code === 'internal_error'
          ? message
          : 'The usage of this organization cannot be counted while its ledger is away. Try again in a moment.',
      detail: { ...detail, organizationId },
      retryAfterSeconds: 1,
      cause: error,
    })
    const [oldest] = failed.keys()
    if (failed.size >= FAILED_MAX && oldest !== undefined) failed.delete(oldest)
    failed.set(key, { atMs: now(), error: known })
    return known
  }

  function start(organizationId: string, generation: string, isLost: boolean): Promise<void> {
    const key = `${generation} ${isLost} ${organizationId}`
    const underWay = running.get(key)
    if (underWay !== undefined) return underWay
    const failure = failed.get(key)
    if (failure !== undefined) {
      if (Math.abs(now() - failure.atMs) < FAILED_MS) return Promise.reject(failure.error)
      failed.delete(key)
    }
    if (waiting.length >= WAITING_MAX) {
      return Promise.reject(
        new GatewayError('overloaded', {
          message: 'The usage of too many organizations is being counted anew. Try again in a moment.',
          retryAfterSeconds: 1,
        }),
      )
    }
    const rebuilding = rebuildOnce(organizationId, generation, isLost)
      .catch((error: unknown) => {
        throw remember(key, organizationId, error)
      })
      .finally(() => running.delete(key))
    running.set(key, rebuilding)
    return rebuilding
  }

  return {
    rebuild: (organizationId, generation) => start(organizationId, generation, true),
    ensure: (organizationId, generation) => start(organizationId, generation, false),
  }
}

/** A meter and whose it is. */
export interface SubjectMeter {
  readonly subject: Subject
  readonly meter: Meter
}

/** @returns what the ledger says of every meter of these policies that can be rebuilt: calls under way cannot */
async function sumUp(
  spent: Pick<SpentStore, 'spent'>,
  organizationId: string,
  policies: readonly Policy[],
  nowMs: number,
): Promise<MeterUse[]> {
  const meters: SubjectMeter[] = policies.flatMap((policy) =>
    metersOf(policy, nowMs)
      .filter(({ quantity }) => quantity !== 'concurrency')
      .map((meter) => ({ subject: policy.subject, meter })),
  )
  const used = await usedOf(spent, organizationId, meters, nowMs)
  return meters.map(({ meter }, index) => ({ meter, used: used[index] ?? 0 }))
}

/**
 * @returns what the ledger says of each meter: of a period all of it, of a window that rolls its length up to now. The
 *   window that was open began later than that, so this is the most that it can have come to
 */
export async function usedOf(
  spent: Pick<SpentStore, 'spent'>,
  organizationId: string,
  meters: readonly SubjectMeter[],
  nowMs: number,
): Promise<number[]> {
  const used: number[] = []
  for (let start = 0; start < meters.length; start += METERS_AT_ONCE) {
    const chunk = meters.slice(start, start + METERS_AT_ONCE)
    const sums = await spent.spent(
      organizationId,
      chunk.map((each) => toQuery(each, nowMs)),
    )
    for (const [index, { meter }] of chunk.entries()) {
      const sum = sums[index]
      const amount = sum === undefined || meter.quantity === 'concurrency' ? 0 : sum[meter.quantity]
      used.push(Math.min(Math.max(0, Math.round(amount)), Number.MAX_SAFE_INTEGER))
    }
  }
  return used
}

function toQuery({ subject, meter: { window } }: SubjectMeter, nowMs: number): SpentQuery {
  if (window.kind === 'period') return { subject, fromMs: window.startMs, toMs: window.endMs }
  return { subject, fromMs: window.kind === 'rolling' ? nowMs - window.ms : 0, toMs: nowMs + SKEW_MS }
}
