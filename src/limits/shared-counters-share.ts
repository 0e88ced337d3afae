import { periodStartOf } from './counters-window.ts'
import type { Meter, MeterState } from './ports.ts'

/** The part of what is left that one process leases: small, for what is leased nobody else can use. */
const PART = 32
/** Less than this many of the largest calls left, and nothing is leased: the rest of a budget has to be usable. */
const CALLS_LEFT_MIN = 20
/** The largest call of long ago says little; every renewal counts it for less. */
const FADING = 0.75
/** A window that ends by the store's clock must not be spent from in the next one. */
const MARGIN_MS = 5000
const SHARE_ID = 'share:'

/** What this process holds of one meter in the shared counters, to spend from while they are away. */
export interface Share {
  id: string
  /** Nano-dollars that are leased. */
  amount: number
  /** Spent here, and not booked in the shared counters yet. */
  used: number
  /** Promised to calls of this process that were taken, or grew, while the counters were away. */
  held: number
  /** How many of these there are. */
  calls: number
  /** `lost` = the shared counters do not have it any more; `ending` = it is being given back. */
  state: 'leased' | 'lost' | 'ending'
  /** By the monotonic clock: from then on another process may have been given it. */
  validUntilMs: number
  renewAtMs: number
  /** Unix milliseconds by the store's clock. */
  windowEndsMs: number
}

/** A meter that limits money and that this process uses. */
export interface MoneyMeter {
  readonly organizationId: string
  meter: Meter
  /** As the shared counters said last. */
  used: number
  held: number
  resetsAtMs: number | null
  /** Nano-dollars of the largest hold, lately. */
  largestNanoUsd: number
  /** By the monotonic clock. */
  lastUsedMs: number
  share: Share | undefined
  /** No share is leased before, by the monotonic clock: others need the room. */
  leaseFromMs: number
  /** While a share is being given back. */
  ending: Promise<void> | undefined
}

/** @returns whether a meter needs a share for calls to go on while the shared counters are away */
export function limitsMoney({ quantity, limit }: Meter): boolean {
  return quantity === 'costNanoUsd' && limit !== null
}

/** @returns the id of the hold that keeps a share; a hold of this id is nobody's call */
export function toShareId(processName: string, unique: number, { id }: Meter): string {
  return `${SHARE_ID}${processName}:${unique}:${id}`
}

/** @returns whether a hold is the share of a process, and no call */
export function isShareId(holdId: string): boolean {
  return holdId.startsWith(SHARE_ID)
}

/** @returns what to lease of a meter by what is known of it; 0 = nothing */
export function shareOf({ meter, used, held, share, largestNanoUsd }: MoneyMeter): number {
  const own = share?.state === 'leased' ? share.amount : 0
  const left = (meter.limit ?? 0) - used - held + Math.min(own, held)
  if (left < CALLS_LEFT_MIN * Math.max(1, largestNanoUsd)) return 0
  return Math.max(Math.floor(left / PART), largestNanoUsd)
}

/** @returns whether a share can take this much more, at this time */
export function hasRoom(share: Share, nanoUsd: number, monotonicMs: number, nowMs: number): boolean {
  return (
    share.state === 'leased' &&
    monotonicMs < share.validUntilMs &&
    nowMs + MARGIN_MS < share.windowEndsMs &&
    nanoUsd <= share.amount - share.used - share.held
  )
}

/** @returns whether nothing of it was used here */
export function isClean({ used, held, calls }: Share): boolean {
  return used === 0 && held === 0 && calls === 0
}

export function fade(known: MoneyMeter): void {
  known.largestNanoUsd = Math.ceil(known.largestNanoUsd * FADING)
}

/** @returns what a caller is told of a meter while the shared counters are away: the last word of them, and our own */
export function toAwayState(meter: Meter, known: MoneyMeter | undefined): MeterState {
  const { id, limit, window } = meter
  if (known === undefined) {
    const resetsAtMs = window.kind === 'period' ? window.endMs : null
    return { id, limit, used: 0, held: 0, resetsAtMs }
  }
  const { share } = known
  const others = share === undefined ? known.held : Math.max(0, known.held - share.amount)
  return {
    id,
    limit,
    used: known.used + (share?.used ?? 0),
    held: others + (share?.held ?? 0),
    resetsAtMs: known.resetsAtMs,
  }
}

/** @returns the name of a meter's window among all organizations */
export function meterKey(organizationId: string, meter: Meter): string {
  const startMs = periodStartOf(meter)
  return startMs === undefined
    ? `${organizationId}\n${meter.id}`
    : `${organizationId}\n${meter.id}\n${startMs}`
}
