import type { Amounts, Counters, Hold, SpentStore } from '../ports.ts'
import { isShareId } from '../shared-counters-share.ts'
import type { HoldRow } from './report.ts'

/** What the ledger had for a call whose hold was open, at an earlier look. */
interface Sighting {
  readonly atMs: number
  readonly booked: Amounts
}

/** Rows of one call are written together, or in the next batch: whoever finds the same after this long has them all. */
const SAME_AFTER_MS = 5000
const SIGHTINGS_MAX = 10_000

export interface HoldLook {
  readonly hold: Hold
  /** What the ledger has; `undefined` = nothing yet. */
  readonly booked: Amounts | undefined
  readonly action: HoldRow['action']
}

export interface HoldLookOptions {
  readonly counters: Pick<Counters, 'holds' | 'settle'>
  readonly spent: Pick<SpentStore, 'settled'>
  readonly now: () => number
}

/** Finds holds whose call is over according to the ledger: a settlement that was lost on its way to the counters. */
export class HoldWatch {
  private readonly options: HoldLookOptions
  private readonly sightings = new Map<string, Sighting>()

  constructor(options: HoldLookOptions) {
    this.options = options
  }

  /**
   * @param repair whether such holds are settled: at once where nobody renews their lease any more, else when the
   *   ledger had the same to say a while ago
   * @returns every open hold of the organization
   */
  async look(organizationId: string, repair: boolean): Promise<HoldLook[]> {
    const { counters, spent, now } = this.options
    const holds = await counters.holds(organizationId)
    if (holds.length === 0) return []
    const ofCalls = holds.filter(({ holdId }) => !isShareId(holdId))
    const settled = await spent.settled(ofCalls.map(({ holdId }) => holdId))
    const looks: HoldLook[] = []
    for (const hold of holds) {
      const { holdId } = hold
      const booked = settled.get(holdId)
      const key = `${organizationId}\n${holdId}`
      let action: HoldRow['action'] = 'none'
      if (booked !== undefined) {
        action = 'watching'
        if (repair && this.isFinal(key, hold, booked, now())) {
          await counters.settle(organizationId, holdId, booked)
          this.sightings.delete(key)
          action = 'settled'
        }
      }
      looks.push({ hold, booked, action })
    }
    return looks
  }

  private isFinal(key: string, hold: Hold, booked: Amounts, nowMs: number): boolean {
    if (hold.leaseEndsMs <= nowMs) return true
    const before = this.sightings.get(key)
    const isSame =
      before !== undefined &&
      before.booked.tokens === booked.tokens &&
      before.booked.costNanoUsd === booked.costNanoUsd
    if (isSame) return nowMs - before.atMs >= SAME_AFTER_MS
    const [oldest] = this.sightings.keys()
    if (this.sightings.size >= SIGHTINGS_MAX && oldest !== undefined) this.sightings.delete(oldest)
    this.sightings.set(key, { atMs: nowMs, booked })
    return false
  }
}

export function toHoldRow({ hold, booked, action }: HoldLook, nowMs: number): HoldRow {
  return {
    organizationId: hold.organizationId,
    holdId: hold.holdId,
    ageMs: Math.max(0, nowMs - hold.takenAtMs),
    leaseLeftMs: hold.leaseEndsMs - nowMs,
    heldNanoUsd: hold.amounts.costNanoUsd,
    ledgerNanoUsd: booked?.costNanoUsd ?? null,
    action,
  }
}
