import type { Clock } from '../core/clock.ts'
import type { Counters, Meter, MeterState } from './ports.ts'
import { type Debts, inGroups } from './shared-counters-debts.ts'
import { isAway } from './shared-counters-error.ts'
import {
  fade,
  hasRoom,
  isClean,
  limitsMoney,
  type MoneyMeter,
  meterKey,
  type Share,
  shareOf,
  toShareId,
} from './shared-counters-share.ts'

const METERS_MAX = 10_000
/** A meter that was not used for so long needs no share. */
const IDLE_MS = 300_000
/** After others were refused, or the store had no room, for so long nothing is leased. */
const COOLING_MS = 10_000
/** How often the order of use is put right: every call would cost more than it tells. */
const REORDERED_MS = 1000
/** The rest of a lease is for whoever has to find out what a dead process spent, before its share goes back. */
const VALID_PART = 2 / 3
const RENEWED_PART = 1 / 3

export interface SharesOptions {
  readonly shared: Counters
  readonly clock: Clock
  /** Of this process, among all that there ever are. */
  readonly name: string
  readonly leaseMs: number
  readonly debts: Debts
  /** What is counted of this organization may differ from the books. */
  readonly onDoubt: (organizationId: string) => void
}

/** The shares that this process has leased of the meters that it uses. */
export class Shares {
  private readonly options: SharesOptions
  /** The one that was used longest ago first, roughly. */
  private readonly meters = new Map<string, MoneyMeter>()
  private leases = 0
  /** How often the shared counters lost what they knew. */
  private losses = 0

  constructor(options: SharesOptions) {
    this.options = options
  }

  get size(): number {
    return this.meters.size
  }

  find(organizationId: string, meter: Meter): MoneyMeter | undefined {
    return this.meters.get(meterKey(organizationId, meter))
  }

  /** Takes note of what the shared counters said of a meter. */
  observe(organizationId: string, meter: Meter, state: MeterState, heldNanoUsd: number): void {
    const nowMs = this.options.clock.monotonicMs()
    const key = meterKey(organizationId, meter)
    let known = this.meters.get(key)
    if (known === undefined) {
      if (this.meters.size >= METERS_MAX && !this.forgetOne()) return
      known = {
        organizationId,
        meter,
        used: 0,
        held: 0,
        resetsAtMs: null,
        largestNanoUsd: 0,
        lastUsedMs: nowMs,
        share: undefined,
        leaseFromMs: 0,
        ending: undefined,
      }
      this.meters.set(key, known)
    } else if (nowMs - known.lastUsedMs > REORDERED_MS) {
      this.meters.delete(key)
      this.meters.set(key, known)
      known.lastUsedMs = nowMs
    }
    known.meter = meter
    known.used = state.used
    known.held = state.held
    known.resetsAtMs = state.resetsAtMs
    if (heldNanoUsd > known.largestNanoUsd) known.largestNanoUsd = heldNanoUsd
  }

  /** @returns the share of a meter, if there is room for this much in it now */
  usable(organizationId: string, meter: Meter, nanoUsd: number): Share | undefined {
    const share = this.find(organizationId, meter)?.share
    const { clock } = this.options
    return share !== undefined && hasRoom(share, nanoUsd, clock.monotonicMs(), clock.now())
      ? share
      : undefined
  }

  /** @returns whether a hold is a share that this process goes by; asked for what lapsed, which is rare */
  owns(holdId: string): boolean {
    for (const { share } of this.meters.values()) if (share?.id === holdId) return true
    return false
  }

  /** Leases, renews, gives back. @throws GatewayError `storage_unavailable` */
  async tend(): Promise<void> {
    const nowMs = this.options.clock.monotonicMs()
    const due: (() => Promise<void>)[] = []
    for (const [key, known] of this.meters) {
      const { share } = known
      if (share === undefined && nowMs - known.lastUsedMs > IDLE_MS) this.meters.delete(key)
      else {
        const step = this.next(known, nowMs)
        if (step !== undefined) due.push(step)
      }
    }
    await inGroups(due, (step) => step())
  }

  /**
   * Makes room for others, where this process holds shares of these meters that nobody uses.
   *
   * @returns whether there is room now that was not there before
   */
  async makeRoom(organizationId: string, meters: readonly Meter[]): Promise<boolean> {
    const ending: Promise<void>[] = []
    for (const meter of meters) {
      const known = limitsMoney(meter) ? this.find(organizationId, meter) : undefined
      if (known === undefined) continue
      known.leaseFromMs = this.options.clock.monotonicMs() + COOLING_MS
      if (known.ending !== undefined) ending.push(known.ending)
      else if (known.share?.state === 'leased' && isClean(known.share)) {
        ending.push(this.giveBack(known, known.share))
      }
    }
    await Promise.all(ending)
    return ending.length > 0
  }

  /** Leases more of a meter for a call that is held in its share. @returns whether the store had room */
  async extend(organizationId: string, meter: Meter, share: Share, nanoUsd: number): Promise<boolean> {
    if (share.state !== 'leased' || this.options.clock.now() >= share.windowEndsMs) return false
    const wanted = Math.max(0, nanoUsd - (share.amount - share.used - share.held))
    const known = this.find(organizationId, meter)
    return known !== undefined && known.share === share && this.renew(known, share, wanted)
  }

  /** The shared counters forgot, or fell back: what was leased is not to be relied on. */
  lose(): void {
    this.losses++
    for (const known of this.meters.values()) {
      const { share } = known
      if (share === undefined) continue
      // An older state may have it still, or again.
      const { organizationId } = known
      this.options.debts.end({ organizationId, holdId: share.id, actual: undefined, call: undefined })
      this.miss(known, share)
    }
  }

  /** Books what was spent of every share that no call needs any more, and gives all back. */
  async close(): Promise<void> {
    await inGroups([...this.meters.values()], async (known) => {
      if (known.share?.calls === 0) await this.giveBack(known, known.share)
    })
  }

  private next(known: MoneyMeter, nowMs: number): (() => Promise<void>) | undefined {
    const { share } = known
    if (known.ending !== undefined) return undefined
    if (share === undefined) {
      const amount = nowMs < known.leaseFromMs ? 0 : shareOf(known)
      return amount > 0 ? () => this.lease(known, amount) : undefined
    }
    if (share.state === 'ending' || (share.calls === 0 && share.used > 0)) {
      return () => this.giveBack(known, share)
    }
    if (share.state === 'lost') {
      // What its calls were promised is held again, if there is still room for it.
      if (share.held > 0) return () => this.leaseAgain(known, share)
      if (share.calls === 0) known.share = undefined
      return undefined
    }
    const wanted = shareOf(known)
    const isIdle = nowMs - known.lastUsedMs > IDLE_MS
    const isOver = this.options.clock.now() >= share.windowEndsMs
    if (isClean(share) && (isIdle || isOver || share.amount > 2 * wanted))
      return () => this.giveBack(known, share)
    const lacks = wanted + share.used + share.held - share.amount
    const isSmall = !isOver && lacks > share.amount / 2 && nowMs >= known.leaseFromMs
    if (nowMs < share.renewAtMs && !isSmall) return undefined
    return async () => {
      if (nowMs >= share.renewAtMs) fade(known)
      if (!(await this.renew(known, share, isSmall ? lacks : 0)) && isSmall) {
        known.leaseFromMs = nowMs + COOLING_MS
        await this.renew(known, share, 0)
      }
    }
  }

  private async lease(known: MoneyMeter, amount: number): Promise<void> {
    const share: Share = {
      id: toShareId(this.options.name, this.leases++, known.meter),
      amount,
      used: 0,
      held: 0,
      calls: 0,
      state: 'ending',
      validUntilMs: 0,
      renewAtMs: 0,
      windowEndsMs: Number.POSITIVE_INFINITY,
    }
    if (await this.take(known, share, amount)) known.share = share
  }

  private async leaseAgain(known: MoneyMeter, share: Share): Promise<void> {
    share.id = toShareId(this.options.name, this.leases++, known.meter)
    const amount = share.held
    if (!(await this.take(known, share, amount))) return
    share.amount = amount
    share.used = 0
  }

  private async take(known: MoneyMeter, share: Share, amount: number): Promise<boolean> {
    const { shared, clock, leaseMs, debts } = this.options
    const { organizationId, meter } = known
    const sentMs = clock.monotonicMs()
    const { losses } = this
    const amounts = { requests: 0, tokens: 0, costNanoUsd: amount }
    const request = { organizationId, holdId: share.id, meters: [meter], amounts, leaseMs, note: 'share' }
    try {
      const { granted, states } = await shared.take(request)
      const [state] = states
      if (state !== undefined) this.learn(known, state)
      if (granted && losses !== this.losses) {
        // It may have been lost again already.
        debts.end({ organizationId, holdId: share.id, actual: undefined, call: undefined })
        return false
      }
      if (granted) {
        share.windowEndsMs =
          meter.window.kind === 'rolling' ? (state?.resetsAtMs ?? 0) : Number.POSITIVE_INFINITY
        share.state = 'leased'
        this.prolong(share, sentMs)
      } else known.leaseFromMs = sentMs + COOLING_MS
      return granted
    } catch (error) {
      if (isAway(error)) {
        // Nobody knows whether it was leased.
        debts.end({ organizationId, holdId: share.id, actual: undefined, call: undefined })
        throw error
      }
      // Counters that were lost are counted anew by the next call.
      known.leaseFromMs = sentMs + 1
      return false
    }
  }

  /** @returns whether the store had room for more */
  private async renew(known: MoneyMeter, share: Share, more: number): Promise<boolean> {
    const { shared, clock, leaseMs } = this.options
    const sentMs = clock.monotonicMs()
    const amounts = { requests: 0, tokens: 0, costNanoUsd: more }
    const { id } = share
    try {
      const result = await shared.grow(known.organizationId, id, amounts, leaseMs)
      if (share.id !== id || share.state !== 'leased') return false
      if (result === undefined) {
        this.miss(known, share)
        return false
      }
      const [state] = result.states
      if (state !== undefined) this.learn(known, state)
      if (!result.granted) return false
      share.amount += more
      this.prolong(share, sentMs)
      return true
    } catch (error) {
      if (isAway(error)) throw error
      return false
    }
  }

  /** Its lease ended while we could not renew it. What was spent of it is booked nowhere yet. */
  private miss(known: MoneyMeter, share: Share): void {
    if (share.used > 0) this.options.onDoubt(known.organizationId)
    this.owe(known, share)
    share.state = 'lost'
    if (share.calls === 0) known.share = undefined
  }

  /**
   * Books what was spent of a share, once, and gives the rest back. Until that is known to have happened nobody
   * spends from it.
   */
  private giveBack(known: MoneyMeter, share: Share): Promise<void> {
    share.state = 'ending'
    known.ending ??= this.end(known, share).finally(() => {
      known.ending = undefined
    })
    return known.ending
  }

  private async end(known: MoneyMeter, share: Share): Promise<void> {
    const { shared, clock } = this.options
    const { organizationId, meter } = known
    // First this: in between it counts twice, which refuses a call at worst.
    if (share.used > 0 && clock.now() < share.windowEndsMs) {
      await shared.adjust(organizationId, meter, share.used, share.id)
    }
    await shared.release(organizationId, share.id)
    // What the store says next will not have it any more.
    known.used += share.used
    known.held = Math.max(0, known.held - share.amount)
    if (known.share === share) known.share = undefined
  }

  private owe({ organizationId, meter }: MoneyMeter, share: Share): void {
    this.options.debts.owe(organizationId, meter, share.used, share.windowEndsMs, share.id)
    share.used = 0
  }

  private learn(known: MoneyMeter, { used, held, resetsAtMs }: MeterState): void {
    known.used = used
    known.held = held
    known.resetsAtMs = resetsAtMs
  }

  private prolong(share: Share, sentMs: number): void {
    const { leaseMs } = this.options
    share.validUntilMs = sentMs + Math.floor(leaseMs * VALID_PART)
    share.renewAtMs = sentMs + Math.floor(leaseMs * RENEWED_PART)
  }

  /** @returns whether there is room for another; a share of one that is forgotten is given back */
  private forgetOne(): boolean {
    for (const [key, known] of this.meters) {
      const { share } = known
      if (known.ending !== undefined || (share !== undefined && !isClean(share))) continue
      this.meters.delete(key)
      if (share === undefined) return true
      share.state = 'ending'
      const { organizationId } = known
      this.options.debts.end({ organizationId, holdId: share.id, actual: undefined, call: undefined })
      return true
    }
    return false
  }
}
