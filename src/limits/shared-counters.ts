import type { Clock } from '../core/clock.ts'
import { sum } from './counters-organization.ts'
import { amountOf } from './counters-window.ts'
import { MemoryCounters } from './memory-counters.ts'
import type {
  Amounts,
  Counters,
  Hold,
  Meter,
  MeterState,
  MeterUse,
  TakeRequest,
  TakeResult,
} from './ports.ts'
import { AwayCalls } from './shared-counters-away.ts'
import { keyOf, type OpenCall, OpenCalls } from './shared-counters-calls.ts'
import { Debts, type WaitingEnd } from './shared-counters-debts.ts'
import { countersAway, isAway } from './shared-counters-error.ts'
import { Recovery } from './shared-counters-recovery.ts'
import { isShareId, limitsMoney } from './shared-counters-share.ts'
import { Shares } from './shared-counters-shares.ts'

/** How often a store that is away is asked whether it is back, and shares are looked after. */
const TICK_MS = 1000
const LEASE_MS = 900_000
/** After an outage all replicas renew what they hold before anything counts as abandoned. */
const RETURNED_MS = 5000
const NOTHING: Amounts = { requests: 0, tokens: 0, costNanoUsd: 0 }

export interface SharedCountersOptions {
  /** Closed with these. */
  readonly shared: Counters
  readonly clock: Clock
  /** A new one each time; the first one names this process. */
  readonly newId: () => string
  /** How long a share stays leased without a word; two thirds of it can be spent from. 15 minutes by default. */
  readonly leaseMs?: number | undefined
  /** Whether it looks after itself once a second; tests call `tick`. On by default. */
  readonly ticks?: boolean | undefined
  /** Hears of a defect found in the background. */
  readonly onError?: ((error: unknown) => void) | undefined
  /** Hears when the shared counters went away, and why, and when they are back. */
  readonly onAway?: ((error: Error | undefined) => void) | undefined
  /**
   * Hears that what is counted of an organization may differ from the books: it has to be compared with them. A share
   * that a dead process left goes back only once this is done without failing.
   */
  readonly onDoubt?: ((organizationId: string) => Promise<void> | void) | undefined
}

/** @returns counters that go on within leased shares while the shared ones do not answer */
export function createSharedCounters(options: SharedCountersOptions): SharedCounters {
  return new SharedCounters(options)
}

/**
 * Counters of one of several replicas. While the shared counters answer, they alone count. While they do not, calls
 * go on here: money only within what was leased beforehand, rates and calls under way each in this process alone.
 * What was used is booked in the shared counters when they are back, once.
 */
export class SharedCounters implements Counters {
  private readonly options: SharedCountersOptions
  private readonly shared: Counters
  private readonly calls = new OpenCalls()
  private readonly debts: Debts
  private readonly shares: Shares
  private readonly away: AwayCalls
  private readonly recovery: Recovery
  private readonly name: string
  private readonly timer: NodeJS.Timeout | undefined
  private outage: Error | undefined
  private returnedMs = Number.NEGATIVE_INFINITY
  private ticking: Promise<void> | undefined
  private closed = false

  constructor(options: SharedCountersOptions) {
    this.options = options
    this.shared = options.shared
    const { shared, clock, newId } = options
    this.name = newId()
    const onDoubt = (organizationId: string) => this.doubt(organizationId)
    this.debts = new Debts({ shared, newId, onDropped: onDoubt })
    const leaseMs = options.leaseMs ?? LEASE_MS
    this.shares = new Shares({ shared, clock, name: this.name, leaseMs, debts: this.debts, onDoubt })
    const local = new MemoryCounters({ clock, newId, unknown: 'begin' })
    const parts = { clock, shares: this.shares, debts: this.debts, calls: this.calls }
    this.away = new AwayCalls({ ...parts, local })
    this.recovery = new Recovery({ ...parts, shared, away: this.away, onDoubt })
    if (options.ticks === false) return
    const tick = () => {
      this.tick().catch((error: unknown) => options.onError?.(error))
    }
    this.timer = setInterval(tick, TICK_MS)
    this.timer.unref()
    tick()
  }

  /** Whether the shared counters do not answer at the moment. */
  get isAway(): boolean {
    return this.outage !== undefined
  }

  /** What waits to be booked, and what is leased, for metrics. */
  get sizes(): { readonly waiting: number; readonly meters: number; readonly calls: number } {
    return { waiting: this.debts.size, meters: this.shares.size, calls: this.calls.size }
  }

  async take(request: TakeRequest): Promise<TakeResult> {
    const { organizationId, holdId, meters, amounts } = request
    const key = keyOf(organizationId, holdId)
    const known = this.calls.get(key)
    if (this.outage === undefined && known?.place !== 'local') {
      // One that failed is being given back under this name.
      if (known === undefined && this.debts.isEnding(organizationId, holdId)) {
        throw countersAway('A hold of this name is just ending.')
      }
      try {
        // Once: without it nobody could tell whether what is taken now was lost.
        if (!this.recovery.isReady) await this.recovery.check()
        const result = await this.shared.take(request)
        this.observe(organizationId, meters, result.states, amounts)
        if (result.granted) {
          this.track(key, request)
          return result
        }
        return (await this.makeRoom(organizationId, meters)) ? this.takeAgain(request) : result
      } catch (error) {
        if (!this.fail(error)) throw error
        // It may have been granted all the same.
        const leaseEndsMs = this.options.clock.now() + request.leaseMs
        this.debts.end({ organizationId, holdId, actual: undefined, call: undefined, leaseEndsMs })
      }
    }
    return this.away.take(request, this.recovery.epoch)
  }

  async grow(
    organizationId: string,
    holdId: string,
    more: Amounts,
    leaseMs: number,
  ): Promise<TakeResult | undefined> {
    const call = this.calls.get(keyOf(organizationId, holdId))
    if (call?.place === 'local') return this.growLocally(call, more, leaseMs)
    if (this.outage === undefined) {
      try {
        const result = await this.growShared(organizationId, holdId, more, leaseMs, call)
        if (call !== undefined && result?.granted === true) {
          this.observe(organizationId, call.meters, result.states, NOTHING)
          call.amounts = sum(call.amounts, more)
          call.leaseMs = leaseMs
        }
        return result
      } catch (error) {
        if (!this.fail(error)) throw error
      }
    }
    if (call === undefined) throw countersAway('A hold of another process cannot grow here.')
    return this.away.grow(call, more, leaseMs)
  }

  settle(organizationId: string, holdId: string, actual: Amounts): Promise<boolean> {
    return this.end(organizationId, holdId, actual)
  }

  release(organizationId: string, holdId: string): Promise<boolean> {
    return this.end(organizationId, holdId, undefined)
  }

  read(organizationId: string, meters: readonly Meter[]): Promise<readonly MeterState[]> {
    return this.ask(() => this.shared.read(organizationId, meters))
  }

  assign(organizationId: string, meter: Meter, used: number): Promise<void> {
    return this.ask(() => this.shared.assign(organizationId, meter, used))
  }

  async adjust(organizationId: string, meter: Meter, delta: number, id?: string): Promise<void> {
    try {
      await this.ask(() => this.shared.adjust(organizationId, meter, delta, id))
    } catch (error) {
      // Without an id nobody could tell whether it was booked; with one it is booked once.
      if (!isAway(error) || id === undefined) throw error
      this.debts.owe(organizationId, meter, delta, Number.POSITIVE_INFINITY, id)
    }
  }

  async abandoned(max: number): Promise<readonly Hold[]> {
    const here = this.away.abandoned(max)
    const isSettling = this.options.clock.monotonicMs() - this.returnedMs < RETURNED_MS
    if (this.outage !== undefined || isSettling || here.length >= max) return here
    const found = await this.ask(() => this.shared.abandoned(max - here.length))
    const shares = found.filter(({ holdId }) => isShareId(holdId))
    for (const hold of shares) await this.bury(hold)
    return [...here, ...found.filter(({ holdId }) => !isShareId(holdId))]
  }

  async holds(organizationId: string): Promise<readonly Hold[]> {
    const shared = await this.ask(() => this.shared.holds(organizationId))
    return [...shared, ...this.away.holds(organizationId)]
  }

  generation(): Promise<string> {
    return this.ask(() => this.shared.generation())
  }

  renewGeneration(lost: string): Promise<string> {
    return this.ask(() => this.shared.renewGeneration(lost))
  }

  sequence(): Promise<number> {
    return this.ask(() => this.shared.sequence())
  }

  async rebuild(organizationId: string, generation: string, used: readonly MeterUse[]): Promise<boolean> {
    const rebuilt = await this.ask(() => this.shared.rebuild(organizationId, generation, used))
    // The books say nothing of what is under way, and a loss took that too.
    await this.ask(async () => {
      await this.recovery.check()
      await this.recovery.restore(organizationId)
    })
    return rebuilt
  }

  /** Asks whether the store is there and what it was, tells it what it does not know, and looks after the shares. */
  tick(): Promise<void> {
    this.ticking ??= this.work()
      .catch((error: unknown) => {
        if (!this.fail(error)) throw error
      })
      .finally(() => {
        this.ticking = undefined
      })
    return this.ticking
  }

  /** Gives back what is leased, as far as the store answers. */
  async close(): Promise<void> {
    if (this.closed) return
    this.closed = true
    clearInterval(this.timer)
    await this.ticking
    try {
      await this.recovery.tellAll()
      await this.shares.close()
    } catch (error) {
      if (!isAway(error)) throw error
    }
    await this.shared.close()
  }

  private async work(): Promise<void> {
    await this.recovery.check()
    const wasAway = this.outage !== undefined
    // Before anything is taken again: where it has to be rebuilt first, the books put all of this right.
    await this.recovery.tellAll()
    if (wasAway) await this.recovery.renewAll()
    await this.recovery.restore(undefined)
    if (wasAway) {
      this.outage = undefined
      this.returnedMs = this.options.clock.monotonicMs()
      this.options.onAway?.(undefined)
    }
    await this.shares.tend()
  }

  private async takeAgain(request: TakeRequest): Promise<TakeResult> {
    const result = await this.shared.take(request)
    this.observe(request.organizationId, request.meters, result.states, request.amounts)
    if (result.granted) this.track(keyOf(request.organizationId, request.holdId), request)
    return result
  }

  private track(key: string, request: TakeRequest): void {
    if (this.calls.get(key) !== undefined) return
    this.calls.add(key, request, 'shared', this.recovery.epoch, this.options.clock.now())
  }

  private async makeRoom(organizationId: string, meters: readonly Meter[]): Promise<boolean> {
    try {
      return await this.shares.makeRoom(organizationId, meters)
    } catch (error) {
      if (!this.fail(error)) throw error
      return false
    }
  }

  private async growShared(
    organizationId: string,
    holdId: string,
    more: Amounts,
    leaseMs: number,
    call: OpenCall | undefined,
  ): Promise<TakeResult | undefined> {
    const result = await this.shared.grow(organizationId, holdId, more, leaseMs)
    if (call === undefined || !this.calls.has(call)) return result
    if (result?.granted === false) {
      if (!(await this.makeRoom(organizationId, call.meters))) return result
      return this.shared.grow(organizationId, holdId, more, leaseMs)
    }
    if (result !== undefined) return result
    await this.recovery.check()
    if (!this.recovery.isLost(call)) return undefined
    if (await this.recovery.retake(call)) return this.shared.grow(organizationId, holdId, more, leaseMs)
    throw countersAway('The hold was lost, and there is no room to hold it again.')
  }

  private async growLocally(call: OpenCall, more: Amounts, leaseMs: number): Promise<TakeResult> {
    try {
      return this.away.grow(call, more, leaseMs)
    } catch (error) {
      // The store is back: it may have room where the share has none.
      if (this.outage !== undefined || !isAway(error)) throw error
      try {
        for (const [index, meter] of call.meters.entries()) {
          const share = call.parts?.[index]
          if (share !== undefined) {
            await this.shares.extend(call.organizationId, meter, share, more.costNanoUsd)
          }
        }
      } catch (failure) {
        this.fail(failure)
        throw error
      }
      return this.away.grow(call, more, leaseMs)
    }
  }

  private async end(organizationId: string, holdId: string, actual: Amounts | undefined): Promise<boolean> {
    const call = this.calls.get(keyOf(organizationId, holdId))
    if (call?.place === 'local') return this.away.end(call, actual)
    if (this.debts.isEnding(organizationId, holdId) && call === undefined) return false
    if (call !== undefined) this.calls.delete(call)
    const end: WaitingEnd = { organizationId, holdId, actual, call }
    if (this.outage !== undefined) return this.endLater(end, this.outage)
    try {
      const wasHeld =
        actual === undefined
          ? await this.shared.release(organizationId, holdId)
          : await this.shared.settle(organizationId, holdId, actual)
      if (!wasHeld && call !== undefined) await this.recovery.check()
      return this.recovery.onEnded(end, wasHeld)
    } catch (error) {
      if (!this.fail(error)) throw error
      return this.endLater(end, error as Error)
    }
  }

  /** @throws GatewayError `storage_unavailable` where too much waits: its lease ends, and whoever sweeps finds it */
  private endLater(end: WaitingEnd, cause: Error): boolean {
    if (this.debts.isFull) {
      if (end.call !== undefined) this.away.giveUp(end.call)
      throw countersAway('Too many holds wait to be settled.', cause)
    }
    return this.debts.end(end)
  }

  /** Gives back the share of a process that is dead, once what it spent is in the counters. */
  private async bury({ organizationId, holdId }: Hold): Promise<void> {
    if (this.shares.owns(holdId)) return
    try {
      await this.options.onDoubt?.(organizationId)
      await this.ask(() => this.shared.release(organizationId, holdId))
    } catch {
      // It is handed out again in ten seconds.
    }
  }

  private observe(
    organizationId: string,
    meters: readonly Meter[],
    states: readonly MeterState[],
    amounts: Amounts,
  ): void {
    for (let index = 0; index < meters.length; index++) {
      const meter = meters[index]
      const state = states[index]
      if (meter === undefined || state === undefined || !limitsMoney(meter)) continue
      this.shares.observe(organizationId, meter, state, amountOf(meter.quantity, amounts))
    }
  }

  private async ask<Result>(work: () => Promise<Result> | Result): Promise<Result> {
    if (this.outage !== undefined) throw countersAway('The shared counters do not answer.', this.outage)
    try {
      return await work()
    } catch (error) {
      this.fail(error)
      throw error
    }
  }

  /** @returns whether the store is away */
  private fail(error: unknown): error is Error {
    if (!isAway(error)) return false
    if (this.outage === undefined) {
      this.outage = error
      this.options.onAway?.(error)
    }
    return true
  }

  private doubt(organizationId: string): void {
    void Promise.resolve(this.options.onDoubt?.(organizationId)).catch(() => {
      // The comparison on a schedule finds it.
    })
  }
}
