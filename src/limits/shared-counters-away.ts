import type { Clock } from '../core/clock.ts'
import { sum } from './counters-organization.ts'
import type { MemoryCounters } from './memory-counters.ts'
import type { Amounts, Hold, Meter, MeterState, TakeRequest, TakeResult } from './ports.ts'
import { keyOf, type OpenCall, type OpenCalls } from './shared-counters-calls.ts'
import type { Debts } from './shared-counters-debts.ts'
import { countersAway } from './shared-counters-error.ts'
import { limitsMoney, type Share, toAwayState } from './shared-counters-share.ts'
import type { Shares } from './shared-counters-shares.ts'

/** Before the id of what a call grew by here that was taken in the shared counters. */
const GROWN = 'grown:'

export interface AwayCallsOptions {
  /** Counts everything but what limits money. */
  readonly local: MemoryCounters
  readonly clock: Clock
  readonly shares: Shares
  readonly debts: Debts
  readonly calls: OpenCalls
}

/**
 * Calls that go on while the shared counters are away. Everything here waits for nobody, so each is one step: the
 * amounts are held on all meters or on none.
 */
export class AwayCalls {
  private readonly options: AwayCallsOptions

  constructor(options: AwayCallsOptions) {
    this.options = options
  }

  /** @throws GatewayError `storage_unavailable` where money is limited and no share has room */
  take(request: TakeRequest, epoch: number): TakeResult {
    const { organizationId, holdId, meters, amounts } = request
    const { calls, clock, local } = this.options
    const key = keyOf(organizationId, holdId)
    const known = calls.get(key)
    if (known !== undefined) return { granted: true, states: this.statesOf(known) }
    if (request.whileAway === 'refuse') throw countersAway('This organization is refused meanwhile.')
    const parts = this.partsFor(organizationId, meters, undefined, amounts.costNanoUsd)
    const result = local.take({ ...request, meters: withoutMoney(meters) })
    if (!result.granted) return { ...result, states: this.merge(organizationId, meters, result.states) }
    const call = calls.add(key, request, 'local', epoch, clock.now())
    hold(call, parts, amounts.costNanoUsd)
    return { granted: true, states: this.merge(organizationId, meters, result.states) }
  }

  /** @throws GatewayError `storage_unavailable` where money is limited and no share has room */
  grow(call: OpenCall, more: Amounts, leaseMs: number): TakeResult {
    const { organizationId, meters } = call
    const parts = this.partsFor(organizationId, meters, call.parts, more.costNanoUsd)
    const result = this.growRates(call, more, leaseMs)
    if (result?.granted === false) return { ...result, states: this.statesOf(call) }
    hold(call, parts, more.costNanoUsd)
    call.amounts = sum(call.amounts, more)
    call.leaseMs = leaseMs
    return { granted: true, states: this.statesOf(call) }
  }

  /** Ends a call that was taken here. @param actual `undefined` = it never left */
  end(call: OpenCall, actual: Amounts | undefined): boolean {
    const { calls, clock, debts, local } = this.options
    const { organizationId, holdId, meters, parts } = call
    if (!calls.has(call)) return false
    calls.delete(call)
    if (actual === undefined) local.release(organizationId, holdId)
    else local.settle(organizationId, holdId, actual)
    for (const [index, meter] of meters.entries()) {
      const share = parts?.[index]
      if (share !== undefined) letGo(share, call.partNanoUsd)
      const amount = actual === undefined ? 0 : usedOf(call, meter, actual)
      if (share?.state !== 'leased') debts.owe(organizationId, meter, amount, expiresMs(call, meter))
      // A window that ended took its share with it.
      else if (clock.now() < share.windowEndsMs) share.used += amount
    }
    return true
  }

  /** Frees what a call of the shared counters grew by here. */
  giveBack(call: OpenCall): void {
    if (call.place === 'local') return
    for (const share of call.parts ?? []) if (share !== undefined) letGo(share, call.partNanoUsd)
    call.parts = undefined
    call.partNanoUsd = 0
    this.options.local.release(call.organizationId, GROWN + call.holdId)
  }

  /** The same where nobody will book what it came to: all of it counts as spent. */
  giveUp(call: OpenCall): void {
    for (const share of call.parts ?? []) if (share?.state === 'leased') share.used += call.partNanoUsd
    this.giveBack(call)
  }

  /** Books what a call came to whose hold was lost. */
  owe(call: OpenCall, actual: Amounts): void {
    for (const meter of call.meters) {
      this.options.debts.owe(call.organizationId, meter, usedOf(call, meter, actual), expiresMs(call, meter))
    }
  }

  abandoned(max: number): Hold[] {
    const { local } = this.options
    return local.abandoned(max).flatMap((found) => this.toHold(found))
  }

  holds(organizationId: string): Hold[] {
    return this.options.local.holds(organizationId).flatMap((found) => this.toHold(found))
  }

  /** @returns the shares that hold an amount, by the place of their meters; `undefined` = none is needed */
  private partsFor(
    organizationId: string,
    meters: readonly Meter[],
    known: OpenCall['parts'],
    nanoUsd: number,
  ): OpenCall['parts'] {
    if (nanoUsd === 0) return known
    return meters.map((meter, index) => {
      if (!limitsMoney(meter)) return undefined
      const share = this.options.shares.usable(organizationId, meter, nanoUsd)
      const before = known?.[index]
      if (share === undefined || (before !== undefined && before !== share)) {
        throw countersAway(`No share of ${meter.id} has room.`)
      }
      return share
    })
  }

  /** @returns nothing where there is nothing to count or to renew here */
  private growRates(call: OpenCall, more: Amounts, leaseMs: number): TakeResult | undefined {
    const { local } = this.options
    const { organizationId, holdId, meters } = call
    if (call.place === 'local') return local.grow(organizationId, holdId, more, leaseMs)
    const grown = local.grow(organizationId, GROWN + holdId, more, leaseMs)
    if (grown !== undefined || (more.requests === 0 && more.tokens === 0 && more.costNanoUsd === 0))
      return grown
    return local.take({
      organizationId,
      holdId: GROWN + holdId,
      // The call itself is counted in the shared counters.
      meters: withoutMoney(meters).filter(({ quantity }) => quantity !== 'concurrency'),
      amounts: more,
      leaseMs,
    })
  }

  private statesOf({ organizationId, meters }: OpenCall): MeterState[] {
    return this.merge(organizationId, meters, this.options.local.read(organizationId, withoutMoney(meters)))
  }

  /** @param counted the states of those that are counted here, in their order */
  private merge(
    organizationId: string,
    meters: readonly Meter[],
    counted: readonly MeterState[],
  ): MeterState[] {
    let next = 0
    return meters.map((meter) => {
      const state = limitsMoney(meter) ? undefined : counted[next++]
      return state ?? toAwayState(meter, this.options.shares.find(organizationId, meter))
    })
  }

  private toHold({ organizationId, holdId, leaseEndsMs }: Hold): Hold[] {
    const call = this.options.calls.get(keyOf(organizationId, holdId))
    // What a call grew by ends with the call.
    if (call === undefined) return []
    const { amounts, meters, takenAtMs, note } = call
    const meterIds = meters.map(({ id }) => id)
    return [{ organizationId, holdId, amounts, meterIds, takenAtMs, leaseEndsMs, note }]
  }
}

function hold(call: OpenCall, parts: OpenCall['parts'], nanoUsd: number): void {
  if (parts === undefined || nanoUsd === 0) return
  for (const share of parts) {
    if (share === undefined) continue
    if (call.parts === undefined) share.calls++
    share.held += nanoUsd
  }
  call.parts = parts
  call.partNanoUsd += nanoUsd
}

function letGo(share: Share, nanoUsd: number): void {
  share.held -= nanoUsd
  share.calls--
}

function withoutMoney(meters: readonly Meter[]): Meter[] {
  return meters.filter((meter) => !limitsMoney(meter))
}

/** @returns what a call that came to this much used of a meter */
function usedOf(call: OpenCall, { quantity }: Meter, actual: Amounts): number {
  if (quantity === 'concurrency') return 0
  return quantity === 'requests' ? call.amounts.requests : actual[quantity]
}

/** @returns from when on the window in which a call was taken is certainly over */
function expiresMs({ takenAtMs }: OpenCall, { window }: Meter): number {
  return window.kind === 'rolling' ? takenAtMs + window.ms : Number.POSITIVE_INFINITY
}
