import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { TimeBuckets } from './counters-buckets.ts'
import { checkAmounts, checkCount, checkDelta, checkMeters, checkNote, checkSpan } from './counters-check.ts'
import { DoneOnce } from './counters-once.ts'
import {
  addTo,
  drop,
  find,
  type HeldPart,
  isEmpty,
  lookUp,
  newOrganization,
  type OpenHold,
  type OrganizationCounts,
  statesOf,
  sum,
  toHold,
} from './counters-organization.ts'
import { later, type Refusal, refuse, retryAfterMs } from './counters-refusal.ts'
import {
  amountOf,
  type CountedWindow,
  openWindow,
  periodStartOf,
  plus,
  rename,
  toStoredState,
} from './counters-window.ts'
import type {
  Amounts,
  Counters,
  CountersLost,
  Hold,
  Meter,
  MeterState,
  MeterUse,
  TakeRequest,
  TakeResult,
} from './ports.ts'

/** Who asked for abandoned holds has this long to end them, before they are handed to the next. */
const CLAIM_MS = 10_000
/** One call opens a handful of windows; forgetting this many ended ones with each keeps up with that. */
const FORGOTTEN_PER_TAKE = 16
const FORGOTTEN_PER_SWEEP = 10_000
/** An organization that was rebuilt and has counted nothing since has to be rebuilt again after this long. */
const REBUILT_KEPT_MS = 3_600_000

export interface MemoryCountersOptions {
  readonly clock: Clock
  /** Names generations; a new one each time. */
  readonly newId: () => string
  /**
   * What happens to an organization that was not counted under this generation: it begins at nothing, or `take` and
   * `grow` refuse with `CountersLost` until it is rebuilt.
   */
  readonly unknown: 'begin' | 'refuse'
}

/** A window to be forgotten at its end, or an organization that has none. */
interface Ending {
  readonly organization: OrganizationCounts
  readonly window: CountedWindow | undefined
}

/** Counters in this process: as exact as those in Redis, for one replica alone, and forgotten when it ends. */
export class MemoryCounters implements Counters {
  private readonly options: MemoryCountersOptions
  private readonly organizations = new Map<string, OrganizationCounts>()
  private readonly leases = new TimeBuckets<OpenHold>()
  private readonly ends = new TimeBuckets<Ending>()
  /** What was adjusted under an id. */
  private readonly adjusted = new DoneOnce()
  private current: string
  private writes = 0

  constructor(options: MemoryCountersOptions) {
    this.options = options
    this.current = options.newId()
  }

  /** How much is remembered, for tests and metrics: organizations with windows or holds. */
  get size(): number {
    return this.organizations.size
  }

  take({ organizationId, holdId, meters, amounts, leaseMs, note }: TakeRequest): TakeResult {
    checkMeters(meters)
    checkAmounts(amounts)
    checkSpan(leaseMs, 'leaseMs')
    checkNote(note)
    const nowMs = this.options.clock.now()
    this.forget(nowMs, FORGOTTEN_PER_TAKE)
    const organization = this.countable(organizationId)
    if (organization.holds.has(holdId))
      return { granted: true, states: statesOf(organization, meters, nowMs) }

    const windows: (CountedWindow | undefined)[] = []
    let refusal: Refusal | undefined
    for (const meter of meters) {
      const window = find(organization, meter, nowMs)
      if (window !== undefined) rename(window, meter)
      windows.push(window)
      const amount = amountOf(meter.quantity, amounts)
      refusal = later(refusal, refuse(meter, window, amount, meter.limit, nowMs))
    }
    if (refusal !== undefined) {
      this.leave(organization)
      return refused(
        refusal,
        meters.map((meter, index) => toStoredState(meter, windows[index])),
      )
    }

    const parts: HeldPart[] = []
    const states: MeterState[] = []
    for (let index = 0; index < meters.length; index++) {
      const meter = meters[index]
      if (meter === undefined) continue
      const window = windows[index] ?? this.open(organization, meter, nowMs)
      const amount = amountOf(meter.quantity, amounts)
      window.held = plus(window.held, amount)
      parts.push({ meter, window, amount, before: 0 })
      states.push(toStoredState(meter, window))
    }
    const leaseEndsMs = nowMs + leaseMs
    const hold: OpenHold = { organization, id: holdId, amounts, parts, takenAtMs: nowMs, leaseEndsMs, note }
    organization.holds.set(holdId, hold)
    this.leases.add(hold, leaseEndsMs)
    this.writes++
    return { granted: true, states }
  }

  grow(organizationId: string, holdId: string, more: Amounts, leaseMs: number): TakeResult | undefined {
    checkAmounts(more)
    checkSpan(leaseMs, 'leaseMs')
    const nowMs = this.options.clock.now()
    this.forget(nowMs, FORGOTTEN_PER_TAKE)
    const hold = this.organizations.get(organizationId)?.holds.get(holdId)
    if (hold === undefined) return undefined
    const organization = this.countable(organizationId)

    const steps = hold.parts.map((part) => {
      const { id, quantity } = part.meter
      const window = lookUp(organization, id, periodStartOf(part.meter), nowMs)
      return { part, amount: quantity === 'concurrency' ? 0 : more[quantity], window }
    })
    let refusal: Refusal | undefined
    for (const { part, amount, window } of steps) {
      const limit = window === undefined ? part.meter.limit : window.limit
      refusal = later(refusal, refuse(part.meter, window, amount, limit, nowMs))
    }
    if (refusal === undefined) {
      for (const step of steps) {
        if (step.amount === 0) continue
        step.window ??= this.open(organization, step.part.meter, nowMs)
        addTo(step.part, step.window, step.amount)
      }
      hold.amounts = sum(hold.amounts, more)
      this.renewLease(hold, nowMs + leaseMs)
      this.writes++
    }
    const states = steps.map(({ part, window }) => toStoredState(part.meter, window))
    return refusal === undefined ? { granted: true, states } : refused(refusal, states)
  }

  settle(organizationId: string, holdId: string, actual: Amounts): boolean {
    checkAmounts(actual)
    return this.end(organizationId, holdId, ({ meter, amount, before }) => {
      if (meter.quantity === 'concurrency') return 0
      return meter.quantity === 'requests' ? amount : Math.max(0, actual[meter.quantity] - before)
    })
  }

  release(organizationId: string, holdId: string): boolean {
    return this.end(organizationId, holdId, () => 0)
  }

  read(organizationId: string, meters: readonly Meter[]): readonly MeterState[] {
    const organization = this.organizations.get(organizationId)
    if (organization === undefined) return statesOf(newOrganization(organizationId), meters, 0)
    return statesOf(organization, meters, this.options.clock.now())
  }

  assign(organizationId: string, meter: Meter, used: number): void {
    checkMeters([meter])
    checkCount(used, 'used')
    const organization = this.organization(organizationId)
    this.put(organization, { meter, used }, this.options.clock.now())
    this.leave(organization)
    this.writes++
  }

  adjust(organizationId: string, meter: Meter, delta: number, id?: string): void {
    checkMeters([meter])
    checkDelta(delta)
    const nowMs = this.options.clock.now()
    const start = periodStartOf(meter) ?? ''
    if (id !== undefined && !this.adjusted.add(JSON.stringify([organizationId, meter.id, start, id]), nowMs))
      return
    const organization = this.organization(organizationId)
    const used = find(organization, meter, nowMs)?.used ?? 0
    this.put(organization, { meter, used: Math.max(0, plus(used, delta)) }, nowMs)
    this.leave(organization)
    this.writes++
  }

  rebuild(organizationId: string, generation: string, used: readonly MeterUse[]): boolean {
    checkMeters(used.map(({ meter }) => meter))
    for (const use of used) checkCount(use.used, 'used')
    if (generation !== this.current) return false
    const organization = this.organization(organizationId)
    if (organization.generation === generation) return false
    const nowMs = this.options.clock.now()
    for (const use of used) this.put(organization, use, nowMs)
    organization.generation = generation
    this.leave(organization)
    this.writes++
    return true
  }

  abandoned(max: number): readonly Hold[] {
    const nowMs = this.options.clock.now()
    this.forget(nowMs, FORGOTTEN_PER_SWEEP)
    const due = this.leases.takeDue(nowMs, max)
    const holds = due.map(toHold)
    for (const hold of due) {
      hold.leaseEndsMs = nowMs + CLAIM_MS
      this.leases.add(hold, hold.leaseEndsMs)
    }
    return holds
  }

  holds(organizationId: string): readonly Hold[] {
    return Array.from(this.organizations.get(organizationId)?.holds.values() ?? [], toHold)
  }

  generation(): string {
    return this.current
  }

  renewGeneration(lost: string): string {
    if (lost === this.current) this.current = this.options.newId()
    return this.current
  }

  sequence(): number {
    return this.writes
  }

  async close(): Promise<void> {
    this.organizations.clear()
    this.adjusted.clear()
  }

  /** Ends a hold; what of each part becomes used is for the caller to say. */
  private end(organizationId: string, holdId: string, usedOf: (part: HeldPart) => number): boolean {
    const organization = this.organizations.get(organizationId)
    const hold = organization?.holds.get(holdId)
    if (organization === undefined || hold === undefined) return false
    for (const part of hold.parts) {
      const { window } = part
      // A window that is gone takes this too: nobody finds it any more.
      window.held = Math.max(0, window.held - part.amount)
      window.used = plus(window.used, usedOf(part))
      if (window.quantity === 'concurrency' && window.held === 0) drop(organization, window)
    }
    organization.holds.delete(holdId)
    this.leases.delete(hold, hold.leaseEndsMs)
    this.leave(organization)
    this.writes++
    return true
  }

  private renewLease(hold: OpenHold, leaseEndsMs: number): void {
    this.leases.delete(hold, hold.leaseEndsMs)
    hold.leaseEndsMs = leaseEndsMs
    this.leases.add(hold, leaseEndsMs)
  }

  private put(organization: OrganizationCounts, { meter, used }: MeterUse, nowMs: number): void {
    let window = find(organization, meter, nowMs)
    if (meter.quantity === 'concurrency' || (window === undefined && used === 0)) return
    window ??= this.open(organization, meter, nowMs)
    rename(window, meter)
    window.used = used
  }

  private open(organization: OrganizationCounts, meter: Meter, nowMs: number): CountedWindow {
    const window = openWindow(meter, nowMs)
    const map = periodStartOf(meter) === undefined ? organization.rolling : organization.periods
    if (map === organization.periods) window.earlier = map.get(meter.id)
    map.set(meter.id, window)
    this.ends.add({ organization, window }, window.goneMs)
    return window
  }

  /** @throws GatewayError `storage_unavailable` with `CountersLost` where it has to be rebuilt first */
  private countable(organizationId: string): OrganizationCounts {
    const organization = this.organization(organizationId)
    if (organization.generation === this.current) return organization
    if (this.options.unknown === 'begin') {
      organization.generation = this.current
      return organization
    }
    this.leave(organization)
    const detail: CountersLost = { reason: 'counters_lost', organizationId, generation: this.current }
    throw new GatewayError('storage_unavailable', {
      message: 'The usage of this organization is being counted anew. Try again in a moment.',
      detail,
      retryAfterSeconds: 1,
    })
  }

  private organization(id: string): OrganizationCounts {
    const known = this.organizations.get(id)
    if (known !== undefined) return known
    const organization = newOrganization(id)
    this.organizations.set(id, organization)
    return organization
  }

  /** Forgets windows that ended, so that memory follows what is in use and not what ever was. */
  private forget(nowMs: number, max: number): void {
    for (const entry of this.ends.takeDue(nowMs, max)) {
      const { organization, window } = entry
      if (window !== undefined && window.goneMs > nowMs) {
        // Its length was changed since it was opened.
        this.ends.add(entry, window.goneMs)
        continue
      }
      if (window === undefined) organization.isWatched = false
      else drop(organization, window)
      if (isEmpty(organization)) this.drop(organization)
    }
  }

  /**
   * Forgets an organization of which nothing is counted: at once, or after a while where it would have to be rebuilt
   * to count again.
   */
  private leave(organization: OrganizationCounts): void {
    if (!isEmpty(organization) || organization.isWatched) return
    if (this.options.unknown === 'begin' || organization.generation === undefined) this.drop(organization)
    else {
      organization.isWatched = true
      this.ends.add({ organization, window: undefined }, this.options.clock.now() + REBUILT_KEPT_MS)
    }
  }

  private drop(organization: OrganizationCounts): void {
    if (this.organizations.get(organization.id) === organization) this.organizations.delete(organization.id)
  }
}

function refused(refusal: Refusal, states: readonly MeterState[]): TakeResult {
  return { granted: false, refusedBy: refusal.meterId, retryAfterMs: retryAfterMs(refusal), states }
}
