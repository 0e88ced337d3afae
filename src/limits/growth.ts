import { type GatewayError, toGatewayError } from '../core/errors.ts'
import type { Attempt } from '../pipeline/exchange.ts'
import type { ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import type { CallHold } from './call-hold.ts'
import { limitExceeded } from './limit-errors.ts'
import type { Amounts, TakeResult } from './ports.ts'

export interface GrowthOptions {
  /** Adds to what is held, or to nothing. @returns `undefined` where the hold is gone */
  readonly grow: (more: Amounts) => Promise<TakeResult | undefined>
  /** The attempt that writes. */
  readonly attempt: () => Attempt | undefined
  /** @returns tokens that it wrote so far */
  readonly countText: (attempt: Attempt) => Promise<number>
}

/** What a provider may have written before it hears that it has to stop, or what came in one piece. */
const MARGIN_TOKENS = 32
/** The last tokens of a hold are not worth asking for one by one. */
const LEAST_TOKENS = 8
const STEP_TOKENS_MIN = 256
/** A token is a byte of UTF-8 or more, and a character of a string three bytes or fewer. */
const TOKENS_PER_CHARACTER_MAX = 3
/** Texts are looked at again no sooner than after so much more of them. */
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
  let counted = { length: 0, tokens: 0 }
  let lookAt = nextLook(0, 0)
  for await (const frames of events) {
    yield frames
    const attempt = options.attempt()
    if (attempt === undefined || attempt.outputText.length < lookAt || frames.some(isOver)) continue
    const { length } = attempt.outputText
    // Certain without counting, which costs more.
    const tokensMost = counted.tokens + Buffer.byteLength(attempt.outputText.slice(counted.length))
    if (tokensMost + MARGIN_TOKENS <= held.outputTokens) {
      lookAt = nextLook(length, tokensMost)
      continue
    }
    const tokens = await options.countText(attempt)
    counted = { length, tokens }
    const failure = await cover(tokens)
    if (failure !== undefined && tokens + LEAST_TOKENS >= held.outputTokens) {
      yield [{ raw: undefined, events: [toErrorEvent(failure)] }]
      return
    }
    lookAt = nextLook(length, tokens)
  }

  /** @returns the length of the text up to which its hold is enough, whatever is written */
  function nextLook(length: number, tokens: number): number {
    const left = held.outputTokens - MARGIN_TOKENS - tokens
    return length + Math.max(CHECK_CHARACTERS_MIN, Math.floor(left / TOKENS_PER_CHARACTER_MAX))
  }

  /** @returns why it could not grow beyond what is written; it may have grown by less than was wanted */
  async function cover(written: number): Promise<GatewayError | undefined> {
    const { outputMost } = held.demand
    // One that ignores its cap is paid for beyond it.
    const most = written > outputMost ? Number.POSITIVE_INFINITY : outputMost
    const needed = Math.min(written + MARGIN_TOKENS, most)
    if (needed <= held.outputTokens) return undefined
    const step = Math.max(STEP_TOKENS_MIN, Math.ceil(held.outputTokens / 2), needed - held.outputTokens)
    const wanted = await tryTo(Math.min(step, most - held.outputTokens))
    if (wanted === undefined || wanted.granted) return undefined
    // Less may be left than was wanted.
    const affordable = affordableTokens(wanted)
    const last = affordable > 0 ? await tryTo(affordable) : wanted
    return last === undefined || last.granted ? undefined : refusal(last)
  }

  async function tryTo(more: number): Promise<TakeResult | undefined> {
    const { demand, outputTokens } = held
    const costNanoUsd = demand.costOf(outputTokens + more) - demand.costOf(outputTokens)
    let result = await options.grow({ requests: 0, tokens: more, costNanoUsd })
    // A limit on tokens keeps calls from beginning; one that was let in may end, and counts.
    if (result?.granted === false && quantityOf(result.refusedBy) === 'tokens')
      result = await options.grow({ requests: 0, tokens: 0, costNanoUsd })
    if (result?.granted === true) {
      held.outputTokens += more
      held.states = result.states
    }
    return result
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
