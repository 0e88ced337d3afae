import type { Clock } from '../core/clock.ts'
import type { Amounts, Counters } from './ports.ts'
import type { AwayCalls } from './shared-counters-away.ts'
import type { OpenCall, OpenCalls } from './shared-counters-calls.ts'
import { type Debts, inGroups, type WaitingEnd } from './shared-counters-debts.ts'
import { isAway } from './shared-counters-error.ts'
import type { Shares } from './shared-counters-shares.ts'

const NOTHING: Amounts = { requests: 0, tokens: 0, costNanoUsd: 0 }

export interface RecoveryOptions {
  readonly shared: Counters
  readonly clock: Clock
  readonly calls: OpenCalls
  readonly debts: Debts
  readonly shares: Shares
  readonly away: AwayCalls
  readonly onDoubt: (organizationId: string) => void
}

/** Puts right what the shared counters do not know, or do not know any more. */
export class Recovery {
  private readonly options: RecoveryOptions
  private generationSeen: string | undefined
  /** How often the shared counters lost what they knew. */
  private losses = 0
  private checking: Promise<void> | undefined
  private restoring: Promise<void> | undefined

  constructor(options: RecoveryOptions) {
    this.options = options
  }

  /** The name of the last loss; a call's own tells whether it was taken before. */
  get epoch(): number {
    return this.losses
  }

  /** Whether a loss would be noticed. */
  get isReady(): boolean {
    return this.generationSeen !== undefined
  }

  /** @throws GatewayError `storage_unavailable` */
  check(): Promise<void> {
    this.checking ??= this.compare().finally(() => {
      this.checking = undefined
    })
    return this.checking
  }

  private async compare(): Promise<void> {
    const generation = await this.options.shared.generation()
    if (generation === this.generationSeen) return
    const isFirst = this.generationSeen === undefined
    this.generationSeen = generation
    if (isFirst) return
    this.losses++
    this.options.shares.lose()
  }

  async tellAll(): Promise<void> {
    await this.options.debts.tell((end, wasHeld) => this.onEnded(end, wasHeld))
    await this.options.debts.book(this.options.clock.now())
  }

  /** Renews the leases of calls under way, which may have ended while nobody could be told. */
  renewAll(): Promise<void> {
    const open = this.options.calls
      .values()
      .filter(({ place, epoch }) => place === 'shared' && epoch === this.losses)
    return inGroups(open, async ({ organizationId, holdId, leaseMs }) => {
      try {
        await this.options.shared.grow(organizationId, holdId, NOTHING, leaseMs)
      } catch (error) {
        if (isAway(error)) throw error
      }
    })
  }

  /**
   * Takes calls under way again that the shared counters lost, as far as there is room.
   *
   * @param organizationId `undefined` = of all
   */
  async restore(organizationId: string | undefined): Promise<void> {
    if (this.losses === 0) return
    while (this.restoring !== undefined) await this.restoring
    this.restoring = this.retakeAll(organizationId).finally(() => {
      this.restoring = undefined
    })
    await this.restoring
  }

  /**
   * @returns whether it is held again
   * @throws GatewayError `storage_unavailable`, also where the organization has to be counted anew first
   */
  async retake(call: OpenCall): Promise<boolean> {
    const epoch = this.losses
    const { shared, calls } = this.options
    const { organizationId, holdId, meters, note, leaseMs } = call
    const amounts = { ...call.amounts, costNanoUsd: call.amounts.costNanoUsd - call.partNanoUsd }
    const { granted } = await shared.take({ organizationId, holdId, meters, note, leaseMs, amounts })
    if (!granted) return false
    if (calls.has(call)) call.epoch = epoch
    else await shared.release(organizationId, holdId)
    return true
  }

  isLost({ place, epoch }: OpenCall): boolean {
    return place === 'shared' && epoch !== this.losses
  }

  private async retakeAll(organizationId: string | undefined): Promise<void> {
    const lost = this.options.calls
      .values()
      .filter((call) => this.isLost(call) && (organizationId ?? call.organizationId) === call.organizationId)
    /** Not counted anew yet: none of their calls can be held now. */
    const unready = new Set<string>()
    await inGroups(lost, async (call) => {
      if (unready.has(call.organizationId)) return
      try {
        await this.retake(call)
      } catch (error) {
        if (isAway(error)) throw error
        unready.add(call.organizationId)
      }
    })
  }

  /** @returns whether the end is told, by whichever way */
  onEnded({ organizationId, actual, call, leaseEndsMs }: WaitingEnd, wasHeld: boolean): boolean {
    if (call === undefined) {
      // Whoever found it charged it, and its call went on here.
      const isLate = leaseEndsMs !== undefined && this.options.clock.now() >= leaseEndsMs
      if (!wasHeld && isLate) this.options.onDoubt(organizationId)
      return wasHeld
    }
    this.options.away.giveBack(call)
    if (wasHeld || !this.isLost(call)) return wasHeld
    // The hold was lost with what it held, so what it came to was counted nowhere.
    if (actual !== undefined) {
      this.options.away.owe(call, actual)
      this.options.onDoubt(organizationId)
    }
    return true
  }
}
