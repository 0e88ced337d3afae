import { GatewayError } from '../core/errors.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { type Admission, createAdmission, type QuoteOf } from './admission.ts'
import { Experience } from './experience.ts'
import { makeAttempt } from './limits-fixture.ts'
import { MemoryCounters } from './memory-counters.ts'
import { budgetMeter, rateMeters } from './meters.ts'
import { type Budget, type Limits, NO_BUDGET, NO_LIMITS, type Subject } from './policy.ts'
import { PolicyBook } from './policy-book.ts'
import type { Meter, MeterState } from './ports.ts'

/** Nano-dollars of one token. */
export const INPUT_NANO = 1000
export const OUTPUT_NANO = 4000

/** Admission over counters in memory, with one key in one organization, in fake time. */
export class World {
  readonly counters: MemoryCounters
  readonly book = new PolicyBook()
  readonly admission: Admission
  readonly meters: Meter[] = []
  spent = 0
  private generation = 0
  private calls = 0

  constructor() {
    const clock = { now: () => Date.now(), monotonicMs: () => Date.now() }
    this.counters = new MemoryCounters({ clock, newId: () => `g${this.generation++}`, unknown: 'begin' })
    this.admission = createAdmission({
      counters: this.counters,
      book: this.book,
      experience: new Experience(),
      clock,
      keepsNotes: false,
      rebuild: () => Promise.resolve(),
      countText: (text) => Promise.resolve(text.length),
      onError: (error) => {
        throw error
      },
    })
  }

  set(subject: Subject, limits: Partial<Limits> | undefined, budget: Partial<Budget> | undefined): void {
    const policy = {
      organizationId: 'o',
      subject,
      limits: limits === undefined ? undefined : { ...NO_LIMITS, ...limits },
      budget: budget === undefined ? undefined : { ...NO_BUDGET, ...budget },
    }
    this.book.put(policy)
    if (policy.limits !== undefined) this.meters.push(...rateMeters(subject, policy.limits))
    if (policy.budget !== undefined) this.meters.push(budgetMeter(subject, policy.budget, Date.now()))
  }

  states(): readonly MeterState[] {
    return this.counters.read('o', this.meters)
  }

  /** @throws where a meter is over its limit */
  check(): void {
    for (const { id, limit, used, held } of this.states()) {
      // A limit on tokens may be passed by the last call within it: what it holds is what is usual.
      if (limit !== null && used + held > limit && !id.includes('tokens'))
        throw new Error(`${id}: ${used} + ${held} > ${limit}`)
    }
  }

  exchange(options: {
    readonly bytes?: number
    readonly cap?: number
    readonly stream?: boolean
    readonly user?: string
    readonly signal?: AbortSignal
  }): Exchange {
    const { bytes = 100, cap, stream = false, user = null, signal } = options
    const json = { model: 'm', ...(cap === undefined ? {} : { max_tokens: cap }) }
    return makeExchange({
      id: `req_${this.calls++}`,
      receivedAtMs: Date.now(),
      incoming: makeIncoming(json, { stream, body: Buffer.alloc(bytes) }),
      caller: { organizationId: 'o', teamId: null, keyId: 'k', user, models: null },
      plan: { route: 'm', targets: [{ provider: 'p', model: 'm', reason: '' }] },
      ...(signal === undefined ? {} : { signal }),
    })
  }

  admit(exchange: Exchange): Promise<void> {
    return Promise.resolve().then(() => this.admission.admit(exchange, QUOTE))
  }

  settle(exchange: Exchange, inputTokens: number, outputTokens: number): void {
    const costNanoUsd = inputTokens * INPUT_NANO + outputTokens * OUTPUT_NANO
    const attempt = makeAttempt({
      provider: 'p',
      model: 'm',
      dispatched: true,
      usage: { inputTokens, outputTokens },
      costNanoUsd,
    })
    exchange.attempts.push(attempt)
    this.spent += costNanoUsd
    this.admission.settle(exchange, true)
  }
}

export const QUOTE: QuoteOf = () => ({
  quote: { costOf: (input, output) => input * INPUT_NANO + output * OUTPUT_NANO },
  priceVersion: 'v',
  unitsNanoUsd: 0,
})

/** @returns `admitted`, or the code of the refusal */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise
    return 'admitted'
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error)
  }
}
