import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Attempt, Exchange, TargetName } from '../pipeline/exchange.ts'
import type { ReplyEvents } from '../pipeline/reply.ts'
import { askedOutputOf, mayThink } from './asked-output.ts'
import { actualOf, CallHold, tightestRoom } from './call-hold.ts'
import { noteOfCall } from './call-note.ts'
import { amountOf } from './counters-window.ts'
import { type Ask, Demand, type Quote } from './demand.ts'
import type { Experience } from './experience.ts'
import { growWith, mayOutgrow } from './growth.ts'
import { inputBytesOf } from './input-bytes.ts'
import { limitExceeded } from './limit-errors.ts'
import type { OnLimit } from './policy.ts'
import type { Covering, PolicyBook } from './policy-book.ts'
import type { Amounts, Counters, CountersLost, TakeResult } from './ports.ts'
import { type Blocked, judge } from './verdict.ts'
import { type Ticket, WaitingRoom } from './waiting-room.ts'

/** @throws GatewayError where the price is unknown and such calls are refused */
export type QuoteOf = (exchange: Exchange, target: TargetName) => Quoted

/** What a call to a target would cost. */
export interface Quoted {
  readonly quote: Quote
  readonly priceVersion: string
  /** Nano-dollars of what is not counted in tokens: pictures, minutes of sound. */
  readonly unitsNanoUsd: number
}

export interface AdmissionOptions {
  readonly counters: Counters
  readonly book: PolicyBook
  readonly experience: Experience
  readonly clock: Clock
  /** Counts an organization anew from the ledger. @throws GatewayError `storage_unavailable` */
  readonly rebuild: (organizationId: string, generation: string) => Promise<unknown>
  /** Whether holds outlive this process, so that they have to say what they are. */
  readonly keepsNotes: boolean
  /** @returns tokens of a text, by the model's tokenizer */
  readonly countText: (text: string, model: string) => Promise<number>
  readonly onError: (error: unknown) => void
}

/** Lets calls in as far as every limit and budget that covers them has room, and gives back what they did not need. */
export interface Admission {
  /**
   * Holds what the call may come to on everything that covers it, or on nothing.
   *
   * @throws GatewayError the code of the limit that stands in the way; `storage_unavailable`
   */
  admit(exchange: Exchange, quoteOf: QuoteOf): Promise<void> | undefined
  /**
   * Makes what a call holds enough for another target, beside what its attempts have come to so far.
   *
   * @throws GatewayError the code of the limit that stands in the way; then the hold is as it was
   */
  cover(exchange: Exchange, target: TargetName, quoteOf: QuoteOf): Promise<void> | undefined
  /** Grows the hold with the answer, where it may be too small for all of it. */
  relay(events: ReplyEvents, exchange: Exchange): ReplyEvents
  /** Turns the hold into what the call came to. Once; never throws and waits for nobody. */
  settle(exchange: Exchange, isComplete: boolean): void
  /** Renews the lease of a call under way here, however late. @returns whether there is such a call */
  keepAlive(holdId: string): boolean
  close(): void
}

/** A process that is dead for so long leaves its holds to others. */
const LEASE_MS = 30_000
const RENEW_MS = 10_000
/** How long a call may wait for what calls under way hold, where limits refuse at once. */
const HELD_WAIT = { queueMs: 10_000, queueMax: 2000 }
/** Tries with less, when others take what was found free. */
const TRIES_MAX = 4
/** The longest context on sale is of ten million tokens (Llama 4 Scout, April 2025). */
const PLAUSIBLE_TOKENS_MAX = 10_000_000
const NOTHING: Amounts = { requests: 0, tokens: 0, costNanoUsd: 0 }

export function createAdmission(options: AdmissionOptions): Admission {
  const { counters, book, experience, clock } = options
  const open = new Map<string, CallHold>()
  const room = new WaitingRoom()
  const renewal = setInterval(renew, RENEW_MS)
  renewal.unref()

  function demandOf(
    exchange: Exchange,
    quoteOf: QuoteOf,
    target: TargetName | undefined = exchange.plan?.targets[0],
  ): Demand {
    const { incoming } = exchange
    const asked = askedOutputOf(incoming)
    // Files and batches, and counting: nothing is sold by the call itself.
    if (target === undefined || incoming.operation === 'token-count')
      return new Demand({ ...NOTHING_SOLD, asked })
    const inputBytes = inputBytesOf(incoming)
    return new Demand({
      inputBytes,
      asked,
      usual: experience.usual(nameOf(target), incoming.hints.task, inputBytes),
      grows: incoming.stream && isSeenAsItGrows(exchange, target),
      ...quoteOf(exchange, target),
    })
  }

  function take(
    exchange: Exchange,
    organizationId: string,
    covering: Covering,
    demand: Demand,
    { amounts }: Ask,
  ) {
    return counters.take({
      organizationId,
      holdId: exchange.id,
      meters: covering.meters,
      amounts,
      leaseMs: LEASE_MS,
      whileAway: covering.failClosed ? 'refuse' : 'share',
      ...(options.keepsNotes ? { note: noteOfCall(exchange, demand) } : undefined),
    })
  }

  function hold(exchange: Exchange, facts: Omit<ConstructorParameters<typeof CallHold>[0], 'id'>): void {
    const held = new CallHold({ ...facts, id: exchange.id })
    open.set(exchange.id, held)
    exchange.allowance = held
  }

  function admit(exchange: Exchange, quoteOf: QuoteOf): Promise<void> | undefined {
    const { caller } = exchange
    if (caller === undefined) return undefined
    const covering = book.covering(caller, exchange.incoming.hints.tags, exchange.receivedAtMs)
    if (covering.meters.length === 0) return undefined
    const demand = demandOf(exchange, quoteOf)
    const { organizationId } = caller
    const ask = demand.whole()
    const queued = standsInQueue(organizationId, covering, ask)
    if (queued !== undefined) return negotiate(exchange, organizationId, covering, quoteOf, queued)
    try {
      const taken = take(exchange, organizationId, covering, demand, ask)
      if (taken instanceof Promise) return taken.then(decide, recover)
      return decide(taken)
    } catch (error) {
      return recover(error)
    }

    function decide(result: TakeResult): Promise<void> | undefined {
      if (!result.granted) return negotiate(exchange, organizationId, covering, quoteOf, result)
      const { states } = result
      hold(exchange, { organizationId, covering, demand, ask, states, takenAtMs: clock.now() })
      return undefined
    }

    async function recover(error: unknown): Promise<void> {
      // Where nothing can refuse, nothing has to be held.
      if (!covering.isLimited && lostOf(error) === undefined) return
      await recount(organizationId, covering, error)
      return negotiate(exchange, organizationId, covering, quoteOf, undefined)
    }
  }

  /** @returns the meter on whose account others wait already, where the call wants something of it too */
  function standsInQueue(organizationId: string, { meters }: Covering, { amounts }: Ask): string | undefined {
    if (room.waiting(organizationId) === 0) return undefined
    return room.blockedBy(organizationId, (id) =>
      meters.some((meter) => meter.id === id && amountOf(meter.quantity, amounts) > 0),
    )
  }

  /** Counts the organization anew where its counters were lost. @throws the error itself where it is another */
  async function recount(organizationId: string, covering: Covering, error: unknown): Promise<void> {
    const lost = lostOf(error)
    if (lost === undefined) throw error
    try {
      await options.rebuild(organizationId, lost.generation)
    } catch (failure) {
      // Where nothing can refuse, nothing has to be known.
      if (covering.isLimited) throw failure
      options.onError(failure)
    }
  }

  /** Asks again with less, and waits its turn where that is worth waiting for. */
  async function negotiate(
    exchange: Exchange,
    organizationId: string,
    covering: Covering,
    quoteOf: QuoteOf,
    start: TakeResult | string | undefined,
  ): Promise<void> {
    let ticket: Ticket | undefined
    let result = typeof start === 'string' ? undefined : start
    let demand = demandOf(exchange, quoteOf)
    let ask = demand.whole()
    try {
      if (typeof start === 'string') {
        // Others wait for the same already: this one comes after them.
        const blocked = standingIn(covering, start)
        ticket = queueUp(exchange, organizationId, covering, blocked)
        await myTurn(exchange, ticket, covering, blocked, undefined)
        demand = demandOf(exchange, quoteOf)
        ask = demand.whole()
      }
      for (let tries = 0; ; tries++) {
        if (result === undefined) {
          try {
            result = await take(exchange, organizationId, covering, demand, ask)
          } catch (error) {
            const isHopeless = lostOf(error) === undefined || tries >= TRIES_MAX
            if (isHopeless && !covering.isLimited) return
            if (isHopeless) throw error
            await recount(organizationId, covering, error)
            continue
          }
        }
        if (result.granted) {
          // Whoever left while waiting is held for nothing: the call is settled at once by `run`.
          const { states } = result
          hold(exchange, { organizationId, covering, demand, ask, states, takenAtMs: clock.now() })
          return
        }
        const verdict = judge(demand, covering.meters, result.states, clock.now())
        if ('ask' in verdict && tries < TRIES_MAX) {
          ask = verdict.ask
          result = undefined
          continue
        }
        // What was found free was taken each time before this call had it: it waits like one that found nothing.
        const blocked = 'blocked' in verdict ? verdict.blocked : standingIn(covering, result.refusedBy)
        if (!isWorthWaiting(onLimitOf(covering, blocked), blocked))
          throw refuse(exchange, covering, blocked, result)
        ticket ??= queueUp(exchange, organizationId, covering, blocked)
        await myTurn(exchange, ticket, covering, blocked, result)
        // Calls that ended meanwhile have shown what is usual.
        demand = demandOf(exchange, quoteOf)
        ask = demand.whole()
        result = undefined
        tries = 0
      }
    } finally {
      ticket?.leave()
    }
  }

  /** @throws GatewayError where the call has no place in the queue, or its time there is up */
  async function myTurn(
    exchange: Exchange,
    ticket: Ticket | undefined,
    covering: Covering,
    blocked: Blocked,
    result: TakeResult | undefined,
  ): Promise<void> {
    const isTurn = ticket !== undefined && (await ticket.turn(blocked.meter.id))
    exchange.signal.throwIfAborted()
    if (!isTurn) throw refuse(exchange, covering, blocked, result)
  }

  /** @returns a place in the queue; `undefined` where there is none left */
  function queueUp(
    { signal }: Exchange,
    organizationId: string,
    covering: Covering,
    blocked: Blocked,
  ): Ticket | undefined {
    const onLimit = onLimitOf(covering, blocked)
    const { queueMs, queueMax } = onLimit === 'reject' ? HELD_WAIT : onLimit
    if (room.waiting(organizationId) >= queueMax) return undefined
    return room.join(organizationId, queueMs, signal)
  }

  function refuse(
    exchange: Exchange,
    covering: Covering,
    { index, meter, by, isTooMuch, renewsInMs }: Blocked,
    result: TakeResult | undefined,
  ): GatewayError {
    const states = result?.states ?? []
    const nowMs = clock.now()
    exchange.allowance = {
      outputTokensMax: undefined,
      requests: tightestRoom(covering, states, 'requests', nowMs),
      tokens: tightestRoom(covering, states, 'tokens', nowMs),
      budgetRemainingNanoUsd: undefined,
    }
    return limitExceeded({
      meter,
      state: states[index],
      by,
      isTooMuch,
      retryAfterMs: by === 'held' ? 1000 : (renewsInMs ?? 1000),
    })
  }

  function cover(exchange: Exchange, target: TargetName, quoteOf: QuoteOf): Promise<void> | undefined {
    const held = open.get(exchange.id)
    if (held === undefined) return undefined
    const demand = demandOf(exchange, quoteOf, target)
    return extend(exchange, held, demand)
  }

  /** What earlier attempts came to is charged in any case, so the rest has to be enough for this one. */
  async function extend(exchange: Exchange, held: CallHold, demand: Demand): Promise<void> {
    const { organizationId, covering } = held
    const spent = actualOf(exchange.attempts).costNanoUsd
    let refused: Extract<TakeResult, { granted: false }> | undefined
    for (const ask of [demand.whole(), demand.usual(), demand.least()]) {
      const missing = Math.max(0, spent + ask.amounts.costNanoUsd - held.costNanoUsd)
      const more = { requests: 0, tokens: 0, costNanoUsd: missing }
      // Where nothing can refuse, nothing has to be held.
      const result = missing === 0 || !covering.isLimited ? undefined : await grow(held, more)
      if (result?.granted === false) {
        refused = result
        continue
      }
      const costNanoUsd = held.costNanoUsd + missing
      hold(exchange, {
        organizationId,
        covering,
        demand,
        ask: { amounts: { ...ask.amounts, costNanoUsd }, outputTokens: ask.outputTokens },
        states: result?.states ?? held.states,
        takenAtMs: held.takenAtMs,
      })
      return
    }
    if (refused !== undefined) throw refusedBy(exchange, covering, refused)
  }

  /** Grows a hold, also where the counters were lost since it was taken. */
  async function grow(held: CallHold, more: Amounts): Promise<TakeResult | undefined> {
    const { organizationId, id, covering } = held
    try {
      return await counters.grow(organizationId, id, more, LEASE_MS)
    } catch (error) {
      await recount(organizationId, covering, error)
      return counters.grow(organizationId, id, more, LEASE_MS)
    }
  }

  function refusedBy(
    exchange: Exchange,
    covering: Covering,
    result: Extract<TakeResult, { granted: false }>,
  ): GatewayError {
    const blocked = standingIn(covering, result.refusedBy)
    const renewsInMs = result.retryAfterMs ?? undefined
    return refuse(exchange, covering, { ...blocked, by: 'used', renewsInMs }, result)
  }

  function settle(exchange: Exchange, isComplete: boolean): void {
    const held = open.get(exchange.id)
    if (held === undefined) return
    open.delete(exchange.id)
    const { organizationId, id } = held
    try {
      const wasSent = exchange.attempts.some(({ dispatched }) => dispatched)
      const ended = wasSent
        ? counters.settle(organizationId, id, actualOf(exchange.attempts))
        : counters.release(organizationId, id)
      if (ended instanceof Promise) {
        ended.then(() => room.look(organizationId), options.onError)
      } else room.look(organizationId)
    } catch (error) {
      options.onError(error)
    }
    if (isComplete) learn(exchange, held)
  }

  function learn(exchange: Exchange, held: CallHold): void {
    const { incoming, attempts } = exchange
    const attempt = attempts.at(-1)
    if (attempt === undefined || attempt.estimated) return
    const { inputTokens, outputTokens, reasoningTokens } = attempt.usage
    if (!isPlausible(inputTokens) || !isPlausible(outputTokens)) return
    const expected = held.demand.quoted(inputTokens, outputTokens)
    experience.note({
      target: nameOf(attempt),
      task: incoming.hints.task,
      inputBytes: held.demand.inputBytes,
      inputTokens,
      outputTokens,
      choices: held.demand.choices,
      costFactor: expected > 0 ? attempt.costNanoUsd / expected : 1,
      outputTokensMax: held.outputTokensMax ?? held.demand.tokensMaxAsked,
      reasons: (reasoningTokens ?? 0) > 0,
    })
  }

  /** A call that lasts longer than a lease is no abandoned one. */
  function renew(): void {
    const beforeMs = clock.now() - RENEW_MS
    for (const held of open.values()) if (held.takenAtMs <= beforeMs) renewOne(held)
  }

  function renewOne({ organizationId, id }: CallHold): void {
    try {
      const grown = counters.grow(organizationId, id, NOTHING, LEASE_MS)
      if (grown instanceof Promise) grown.catch(options.onError)
    } catch (error) {
      options.onError(error)
    }
  }

  return {
    admit,
    cover,
    relay(events, exchange) {
      const held = open.get(exchange.id)
      if (held === undefined || !mayOutgrow(held)) return events
      return growWith(events, held, {
        grow: (more) => grow(held, more),
        attempt: () => exchange.attempts.at(-1),
        countText: (attempt: Attempt) => options.countText(attempt.outputText, attempt.model),
      })
    },
    settle,
    keepAlive(holdId) {
      const held = open.get(holdId)
      if (held !== undefined) renewOne(held)
      return held !== undefined
    },
    close() {
      clearInterval(renewal)
      room.close()
    },
  }
}

const NOTHING_SOLD = {
  inputBytes: 0,
  usual: { inputTokens: 0, outputTokens: 0, costFactor: 1, heedsCap: undefined, reasons: false },
  quote: { costOf: () => 0 },
  grows: false,
  priceVersion: null,
  unitsNanoUsd: 0,
}

/** An answer that is held back, or thoughts that nobody shows, cost before anything is seen of them. */
function isSeenAsItGrows({ incoming, plan }: Exchange, { model }: TargetName): boolean {
  return plan?.policy?.afterFirstToken !== 'buffer' && !mayThink(incoming, model)
}

function nameOf({ provider, model }: { readonly provider: string; readonly model: string }): string {
  return `${provider}/${model}`
}

/** Rubbish that was believed would have every call like it refused, and nothing learned any more. */
function isPlausible(tokens: number | undefined): tokens is number {
  return tokens !== undefined && tokens >= 0 && tokens <= PLAUSIBLE_TOKENS_MAX
}

function lostOf(error: unknown): CountersLost | undefined {
  if (!(error instanceof GatewayError) || error.code !== 'storage_unavailable') return undefined
  return error.detail?.reason === 'counters_lost' ? (error.detail as CountersLost) : undefined
}

function onLimitOf({ owners }: Covering, { index }: Blocked): OnLimit {
  return owners[index]?.onLimit ?? 'reject'
}

/** What calls under way may give back comes soon; for the rest only a queue waits, and only if it can be in time. */
function isWorthWaiting(onLimit: OnLimit, { by, meter, renewsInMs, isTooMuch }: Blocked): boolean {
  if (isTooMuch) return false
  if (onLimit === 'reject') return by === 'held' && meter.quantity !== 'concurrency'
  return by === 'held' || (renewsInMs !== undefined && renewsInMs <= onLimit.queueMs)
}

function standingIn({ meters }: Covering, meterId: string): Blocked {
  const index = Math.max(
    0,
    meters.findIndex(({ id }) => id === meterId),
  )
  const meter = meters[index]
  if (meter === undefined) throw new Error('A call without meters was refused.')
  return { index, meter, by: 'held', renewsInMs: undefined, isTooMuch: false }
}
