import type { Ask, Demand } from './demand.ts'
import type { Amounts, Meter, MeterState } from './ports.ts'

/** Why a call cannot begin now. */
export interface Blocked {
  /** Place of the meter among those named. */
  readonly index: number
  readonly meter: Meter
  /** `used`: it is spent. `held`: calls under way hold what this one needs, and may give it back. */
  readonly by: 'used' | 'held'
  /** Milliseconds until the meter begins anew; `undefined` where it does not, or the call is more than all of it. */
  readonly renewsInMs: number | undefined
  /** More is asked than the meter ever allows. */
  readonly isTooMuch: boolean
}

/** @returns what to ask for in place of what was refused, or why nothing will do */
export type Verdict = { readonly ask: Ask } | { readonly blocked: Blocked }

/** Of what is left, one call may have so much beyond what it usually needs, so that others find something too. */
const SHARE_OF_REST = 16

/**
 * Decides what a call whose whole demand was refused can have instead: less money, so that its answer is capped or its
 * hold grows while it is written.
 *
 * @param states of the meters, in their order
 * @param nowMs by the clock of the counters
 */
export function judge(
  demand: Demand,
  meters: readonly Meter[],
  states: readonly MeterState[],
  nowMs: number,
): Verdict {
  const whole = demand.whole()
  const usual = demand.usual()
  const least = demand.least()
  let tokens = whole.amounts.tokens
  let cost = whole.amounts.costNanoUsd
  let blocked: Blocked | undefined
  for (const [index, meter] of meters.entries()) {
    const state = states[index]
    if (state === undefined || meter.limit === null) continue
    const free = Math.max(0, meter.limit - state.used)
    const left = free - state.held
    const needed = neededOf(meter, meter.limit, free, demand, usual.amounts, least.amounts)
    if (needed > left) {
      blocked = later(blocked, {
        index,
        meter,
        // A call under way keeps its request: nobody gives one back.
        by:
          meter.quantity === 'concurrency' || (meter.quantity !== 'requests' && needed <= free)
            ? 'held'
            : 'used',
        renewsInMs: state.resetsAtMs === null ? undefined : Math.max(0, state.resetsAtMs - nowMs),
        isTooMuch: needed > meter.limit,
      })
    } else if (meter.quantity === 'tokens') tokens = Math.min(tokens, left)
    else if (meter.quantity === 'costNanoUsd') cost = Math.min(cost, left)
  }
  if (blocked !== undefined) return { blocked }
  if (cost < whole.amounts.costNanoUsd)
    cost = Math.min(cost, Math.max(usual.amounts.costNanoUsd, Math.floor(cost / SHARE_OF_REST)))
  const outputTokens = Math.min(whole.outputTokens, demand.outputWithin(cost))
  return { ask: { amounts: { requests: 1, tokens, costNanoUsd: cost }, outputTokens } }
}

/** While others hold what may come back, a call waits for what it usually needs; where that is spent it takes less. */
function neededOf(
  { quantity }: Meter,
  limit: number,
  free: number,
  demand: Demand,
  usual: Amounts,
  least: Amounts,
): number {
  if (quantity === 'concurrency') return 1
  if (usual[quantity] <= free) return usual[quantity]
  const needed = Math.min(usual[quantity], least[quantity])
  return quantity === 'costNanoUsd' && needed > limit ? Math.min(needed, demand.plainCostNanoUsd) : needed
}

/** What is spent for longest decides; what is only held may be free in a moment. */
function later(first: Blocked | undefined, second: Blocked): Blocked {
  if (first === undefined) return second
  if (first.by !== second.by) return first.by === 'used' ? first : second
  return waitOf(second) > waitOf(first) ? second : first
}

function waitOf({ renewsInMs, isTooMuch }: Blocked): number {
  return isTooMuch ? Number.POSITIVE_INFINITY : (renewsInMs ?? 0)
}
