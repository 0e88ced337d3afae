import { type GatewayError, toGatewayError } from '../core/errors.ts'
import type { Attempt } from '../pipeline/exchange.ts'
import type { ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import type { CallHold } from './call-hold.ts'
import { limitExceeded } from './limit-errors.ts'
import type { Amounts, Counters, TakeResult } from './ports.ts'

export interface GrowthOptions {
  readonly counters: Pick<Counters, 'grow'>
  /** Counts the organization anew where its counters were lost. @throws the error itself where it is another */
  readonly recount: (error: unknown) => Promise<void>
  readonly leaseMs: number
  /** The attempt that writes. */
  readonly attempt: () => Attempt | undefined
  /** @returns tokens that it wrote so far */
  readonly countText: (attempt: Attempt) => Promise<number>
  readonly nowMs: () => number
}

/** What a provider may have written before it hears that it has to stop, or what came in one piece. */
const MARGIN_TOKENS = 32
/** The last tokens of a hold are not worth asking for one by one. */
const LEAST_TOKENS = 8
const STEP_TOKENS_MIN = 256
/** No text of any length has more: what is certain without counting. */
const CHARACTERS_PER_TOKEN_MIN = 1
/** Texts are counted again no sooner than after so much more of them. */
const CHECK_CHARACTERS_MIN = 64

/** @returns whether a stream may come to cost more than is held for it, with nothing that stops it before */
export function mayOutgrow(held: CallHold): boolean {
  return (
    held.demand.grows &&
    !held.isWhole &&
    held.outputTokensMax === undefined &&
    held.covering.meters.some(({ quantity, limit }) => quantity === 'costNanoUsd' && limit !== null)
  )
}

/** Lets a stream pass and lets its hold grow before it is written full; ends it in an error where that fails. */
export async function* growWith(
  events: ReplyEvents,
  held: CallHold,
  options: GrowthOptions,
): AsyncGenerator<readonly ReplyFrame[]> {
  let checkAt = 0
  const nextCheck = (written: number, tokens: number) => {
    const left = Math.max(0, held.outputTokens - MARGIN_TOKENS - tokens)
    return written + Math.max(CHECK_CHARACTERS_MIN, left * CHARACTERS_PER_TOKEN_MIN)
  }
  checkAt = nextCheck(0, 0)
  for await (const frames of events) {
    yield frames
    const attempt = options.attempt()
    if (attempt === undefined || attempt.outputText.length < checkAt || frames.some(isOver)) continue
    const tokens = await options.countText(attempt)
    const failure = await cover(tokens + MARGIN_TOKENS)
    if (failure === undefined || tokens + LEAST_TOKENS < held.outputTokens) {
      checkAt = nextCheck(attempt.outputText.length, tokens)
      continue
    }
    yield [{ raw: undefined, events: [toErrorEvent(failure)] }]
    return
  }

  /** @returns why it could not grow to this many tokens of output; it may have grown by less */
  async function cover(tokens: number): Promise<GatewayError | undefined> {
    if (tokens <= held.outputTokens) return undefined
    const step = Math.max(STEP_TOKENS_MIN, Math.ceil(held.outputTokens / 2), tokens - held.outputTokens)
    const wanted = await tryTo(Math.min(step, Math.max(1, held.demand.outputMost - held.outputTokens)))
    if (wanted === undefined || wanted.granted) return undefined
    // Less may be left than was wanted.
    const affordable = affordableTokens(wanted)
    const last = affordable > 0 ? await tryTo(affordable) : wanted
    return last === undefined || last.granted ? undefined : refusal(last)
  }

  async function tryTo(more: number): Promise<TakeResult | undefined> {
    const { demand, outputTokens } = held
    const costNanoUsd = demand.costOf(outputTokens + more) - demand.costOf(outputTokens)
    let result = await ask({ requests: 0, tokens: more, costNanoUsd })
    // A limit on tokens keeps calls from beginning; one that was let in may end, and counts.
    if (result?.granted === false && quantityOf(result.refusedBy) === 'tokens')
      result = await ask({ requests: 0, tokens: 0, costNanoUsd })
    if (result?.granted === true) {
      held.outputTokens += more
      held.states = result.states
    }
    return result
  }

  async function ask(more: Amounts): Promise<TakeResult | undefined> {
    const { organizationId, id } = held
    try {
      return await options.counters.grow(organizationId, id, more, options.leaseMs)
    } catch (error) {
      await options.recount(error)
      return options.counters.grow(organizationId, id, more, options.leaseMs)
    }
  }

  function quantityOf(meterId: string) {
    return held.covering.meters.find(({ id }) => id === meterId)?.quantity
  }

  function affordableTokens({ states }: TakeResult): number {
    let left = Number.POSITIVE_INFINITY
    for (const state of states) {
      if (state.limit === null || quantityOf(state.id) !== 'costNanoUsd') continue
      left = Math.min(left, state.limit - state.used - state.held)
    }
    const { demand, outputTokens } = held
    const tokens = demand.outputFor(demand.costOf(outputTokens) + left, demand.inputTokens) - outputTokens
    return Number.isFinite(tokens) ? Math.max(0, tokens) : 0
  }

  function refusal(result: Extract<TakeResult, { granted: false }>): GatewayError {
    const meter = held.covering.meters.find(({ id }) => id === result.refusedBy) ?? held.covering.meters[0]
    if (meter === undefined) return toGatewayError(new Error('A hold without meters was refused.'))
    return limitExceeded({
      meter,
      state: result.states.find(({ id }) => id === meter.id),
      by: 'used',
      isTooMuch: false,
      retryAfterMs: result.retryAfterMs ?? 1000,
      isUnderWay: true,
    })
  }
}

function isOver({ events }: ReplyFrame): boolean {
  return events.some(({ type }) => type === 'reply-end' || type === 'error')
}

function toErrorEvent({ code, spec, message }: GatewayError): ReplyFrame['events'][number] {
  return { type: 'error', error: { code, type: spec.type, message } }
}
