import type { Allowance, Attempt, Room } from '../pipeline/exchange.ts'
import type { Ask, Demand } from './demand.ts'
import type { Covering } from './policy-book.ts'
import type { Amounts, MeterState } from './ports.ts'

/** What one call holds of its limits and budgets, from before it leaves until it is settled. */
export class CallHold implements Allowance {
  readonly organizationId: string
  readonly id: string
  readonly covering: Covering
  readonly demand: Demand
  /** Of the meters, in their order, as they were when the hold was taken or grew last. */
  states: readonly MeterState[]
  /** Nano-dollars that were held when it was taken, or made enough for another target. */
  readonly costNanoUsd: number
  /** Tokens of output, of all answers, that the held money covers. */
  outputTokens: number
  /** Unix milliseconds when it was taken. */
  readonly takenAtMs: number

  constructor(options: {
    readonly organizationId: string
    readonly id: string
    readonly covering: Covering
    readonly demand: Demand
    readonly ask: Ask
    readonly states: readonly MeterState[]
    readonly takenAtMs: number
  }) {
    this.organizationId = options.organizationId
    this.id = options.id
    this.covering = options.covering
    this.demand = options.demand
    this.states = options.states
    this.costNanoUsd = options.ask.amounts.costNanoUsd
    this.outputTokens = options.ask.outputTokens
    this.takenAtMs = options.takenAtMs
  }

  /** Whether the held money covers whatever the call may write. */
  get isWhole(): boolean {
    return this.outputTokens >= this.demand.outputMost
  }

  get outputTokensMax(): number | undefined {
    return this.demand.capFor(this.outputTokens)
  }

  get requests(): Room | undefined {
    return this.tightest('requests')
  }

  get tokens(): Room | undefined {
    return this.tightest('tokens')
  }

  get budgetRemainingNanoUsd(): number | undefined {
    let least: number | undefined
    for (const { meter, state } of this.each()) {
      if (meter.window.kind !== 'period' || meter.limit === null) continue
      const left = Math.max(0, meter.limit - state.used - state.held)
      if (least === undefined || left < least) least = left
    }
    return least
  }

  private tightest(quantity: 'requests' | 'tokens'): Room | undefined {
    return tightestRoom(this.covering, this.states, quantity, this.takenAtMs)
  }

  private *each() {
    const { meters } = this.covering
    for (let index = 0; index < meters.length; index++) {
      const meter = meters[index]
      const state = this.states[index]
      if (meter !== undefined && state !== undefined) yield { meter, state }
    }
  }
}

/** @returns the room of the limit of which least is left */
export function tightestRoom(
  { meters }: Covering,
  states: readonly MeterState[],
  quantity: 'requests' | 'tokens',
  nowMs: number,
): Room | undefined {
  let tightest: Room | undefined
  for (let index = 0; index < meters.length; index++) {
    const meter = meters[index]
    const state = states[index]
    if (meter === undefined || state === undefined || meter.limit === null || meter.quantity !== quantity)
      continue
    const remaining = Math.max(0, meter.limit - state.used - state.held)
    if (tightest !== undefined && remaining >= tightest.remaining) continue
    tightest = {
      limit: meter.limit,
      remaining,
      resetsInMs: state.resetsAtMs === null ? undefined : Math.max(0, state.resetsAtMs - nowMs),
    }
  }
  return tightest
}

/** @returns what the attempts of a call came to */
export function actualOf(attempts: readonly Attempt[]): Amounts {
  let tokens = 0
  let costNanoUsd = 0
  for (const attempt of attempts) {
    tokens += tokensOf(attempt)
    costNanoUsd += attempt.costNanoUsd
  }
  return { requests: 1, tokens: Math.min(tokens, Number.MAX_SAFE_INTEGER), costNanoUsd }
}

/** A provider that answers rubbish is not believed: counters take whole numbers only. */
function tokensOf({ usage }: Attempt): number {
  const tokens = (usage.inputTokens ?? 0) + (usage.outputTokens ?? 0)
  return Math.max(0, Math.ceil(tokens) || 0)
}
