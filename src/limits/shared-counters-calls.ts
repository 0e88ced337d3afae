import type { Amounts, Meter, TakeRequest } from './ports.ts'
import type { Share } from './shared-counters-share.ts'

/** More calls than this under way in one process are not kept; they are settled in the store alone. */
const CALLS_MAX = 100_000

/** A hold that this process took and has not ended. */
export interface OpenCall {
  /** From `keyOf`. */
  readonly key: string
  readonly organizationId: string
  readonly holdId: string
  readonly meters: readonly Meter[]
  readonly note: string | undefined
  /** Unix milliseconds. */
  readonly takenAtMs: number
  /** Where it was taken: in the shared counters, or here while they were away. */
  readonly place: 'shared' | 'local'
  leaseMs: number
  /** All that is held, wherever. */
  amounts: Amounts
  /** The name of the loss that its hold in the shared counters is known to have outlived. */
  epoch: number
  /** The shares that its money is held in, by the place of their meters: all of a local call, or what it grew by. */
  parts: readonly (Share | undefined)[] | undefined
  /** Nano-dollars in each of these. */
  partNanoUsd: number
}

/** What this process has under way. */
export class OpenCalls {
  private readonly calls = new Map<string, OpenCall>()

  get size(): number {
    return this.calls.size
  }

  /** @param key from `keyOf` */
  get(key: string): OpenCall | undefined {
    return this.calls.get(key)
  }

  /** @param key from `keyOf`; of no call that is known */
  add(
    key: string,
    request: TakeRequest,
    place: OpenCall['place'],
    epoch: number,
    takenAtMs: number,
  ): OpenCall {
    const { organizationId, holdId, meters, amounts, leaseMs, note } = request
    const call: OpenCall = {
      key,
      organizationId,
      holdId,
      meters,
      note,
      takenAtMs,
      place,
      leaseMs,
      amounts,
      epoch,
      parts: undefined,
      partNanoUsd: 0,
    }
    if (this.calls.size >= CALLS_MAX) this.forgetOldest()
    this.calls.set(key, call)
    return call
  }

  delete({ key }: OpenCall): void {
    this.calls.delete(key)
  }

  has(call: OpenCall): boolean {
    return this.calls.get(call.key) === call
  }

  values(): OpenCall[] {
    return [...this.calls.values()]
  }

  /** One whose money is held here alone has to be known to the end. */
  private forgetOldest(): void {
    for (const [key, call] of this.calls) {
      if (call.parts !== undefined || call.place === 'local') continue
      this.calls.delete(key)
      return
    }
  }
}

export function keyOf(organizationId: string, holdId: string): string {
  return `${organizationId}\n${holdId}`
}
