import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Attempt, Caller, Exchange } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming, NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import type { ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import { type AdmissionOptions, createAdmission, type QuoteOf } from './admission.ts'
import { CallHold } from './call-hold.ts'
import { Experience } from './experience.ts'
import { fromNote } from './hold-note.ts'
import { INPUT_NANO, makeAttempt, makeState, OUTPUT_NANO } from './limits-fixture.ts'
import { type Budget, type Limits, NO_BUDGET, NO_LIMITS, ORGANIZATION, type Subject } from './policy.ts'
import { PolicyBook } from './policy-book.ts'
import type { Counters, Meter, MeterState, TakeRequest, TakeResult } from './ports.ts'

const NOW = Date.UTC(2026, 10, 21)

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
})

const CALLER: Caller = { organizationId: 'o', teamId: null, keyId: 'k', user: null, models: null }
const PLAN = { route: 'm', targets: [{ provider: 'p', model: 'm', reason: '' }] }
/** 1,000 tokens of input, and at most 4,000 of output, of which 1,024 are usual. */
const CHAT = makeIncoming({ model: 'm', max_tokens: 4000 }, { body: Buffer.alloc(2000) })
const USUAL_NANO = 1000 * INPUT_NANO + 1024 * OUTPUT_NANO
const WHOLE_NANO = 1000 * INPUT_NANO + 4000 * OUTPUT_NANO

const QUOTE: QuoteOf = () => ({
  quote: { costOf: (input, output) => input * INPUT_NANO + output * OUTPUT_NANO },
  priceVersion: 'v1',
  unitsNanoUsd: 0,
})

const LOST = new GatewayError('storage_unavailable', {
  message: 'lost',
  detail: { reason: 'counters_lost', organizationId: 'o', generation: 'g7' },
})
const AWAY = new GatewayError('storage_unavailable', { message: 'away', detail: { reason: 'timeout' } })

type Answer = TakeResult | Promise<TakeResult> | Error | ((request: TakeRequest) => TakeResult)

/** Counters that answer what they are told to. */
class Script {
  readonly taken: TakeRequest[] = []
  answers: Answer[] = []
  /** When there are no more answers. */
  rest: Answer = new Error('Nothing more was expected to be taken.')
  readonly settle = vi.fn<Counters['settle']>(() => true)
  readonly release = vi.fn<Counters['release']>(() => true)
  readonly grow = vi.fn<Counters['grow']>(() => undefined)

  readonly take = (request: TakeRequest): TakeResult | Promise<TakeResult> => {
    this.taken.push(request)
    const answer = this.answers.shift() ?? this.rest
    if (answer instanceof Error) throw answer
    return typeof answer === 'function' ? answer(request) : answer
  }
}

const granted: Answer = ({ meters }) => ({ granted: true, states: meters.map((meter) => makeState(meter)) })

/** @returns a refusal by one meter, with what is given of their states in their order */
function refusedBy(id: string, ...states: readonly Partial<MeterState>[]): Answer {
  return ({ meters }) => ({
    granted: false,
    refusedBy: id,
    retryAfterMs: null,
    states: meters.map((meter, index) => makeState(meter, { resetsAtMs: NOW + 5000, ...states[index] })),
  })
}

/** @returns a promise that fails, and is heard of */
function failing(error: Error): Promise<TakeResult> {
  const promise = Promise.reject(error)
  promise.catch(() => {})
  return promise
}

function setUp(changes: Partial<AdmissionOptions> = {}) {
  const script = new Script()
  const book = new PolicyBook()
  const experience = new Experience()
  const note = vi.spyOn(experience, 'note')
  const onError = vi.fn()
  const rebuild = vi.fn<AdmissionOptions['rebuild']>(() => Promise.resolve())
  const countText = vi.fn((text: string) => Promise.resolve(text.length))
  const admission = createAdmission({
    counters: script as unknown as Counters,
    book,
    experience,
    clock: { now: () => Date.now(), monotonicMs: () => Date.now() },
    keepsNotes: false,
    rebuild,
    countText,
    onError,
    ...changes,
  })
  const set = (
    limits: Partial<Limits> | undefined,
    budget: Partial<Budget> | undefined = undefined,
    subject: Subject = ORGANIZATION,
  ) =>
    book.put({
      organizationId: 'o',
      subject,
      limits: limits === undefined ? undefined : { ...NO_LIMITS, ...limits },
      budget: budget === undefined ? undefined : { ...NO_BUDGET, ...budget },
    })
  let calls = 0
  const call = (given: Partial<Exchange> = {}) =>
    makeExchange({
      id: `req_${calls++}`,
      receivedAtMs: NOW,
      caller: CALLER,
      plan: PLAN,
      incoming: CHAT,
      ...given,
    })
  /** @returns `admitted`, or the error */
  const admit = async (exchange: Exchange = call(), quoteOf: QuoteOf = QUOTE): Promise<unknown> => {
    try {
      await admission.admit(exchange, quoteOf)
      return 'admitted'
    } catch (error) {
      return error
    }
  }
  return { script, book, experience, note, onError, rebuild, countText, admission, set, call, admit }
}

const HARD = { limitNanoUsd: 1_000_000 }

describe('admit() of a call', () => {
  it('takes nothing where nobody is known to call, or nothing is set', () => {
    const { admission, script, set, call } = setUp()
    expect(admission.admit(call(), QUOTE)).toBeUndefined()
    set({ requestsPerMinute: 1 })
    expect(admission.admit(call({ caller: undefined }), QUOTE)).toBeUndefined()
    expect(script.taken).toEqual([])
  })

  it('takes all that it may come to on all that covers it, at once', () => {
    const { admission, script, set, call } = setUp()
    set({ requestsPerMinute: 1 }, HARD)
    set({ tokensPerHour: 9 }, undefined, { scope: 'tag', id: 'a=b' })
    script.answers = [granted]
    const incoming = { ...CHAT, hints: { ...NO_HINTS, tags: { a: 'b' } } }
    const exchange = call({ id: 'req_x', incoming, receivedAtMs: Date.UTC(2026, 9, 31) })
    expect(admission.admit(exchange, QUOTE)).toBeUndefined()
    expect(script.taken).toEqual([
      {
        organizationId: 'o',
        holdId: 'req_x',
        meters: [
          expect.objectContaining({ id: 'organization/requests_per_minute', limit: 1 }),
          // In the period in which it came in.
          expect.objectContaining({
            id: 'organization/budget',
            window: { kind: 'period', startMs: Date.UTC(2026, 9), endMs: Date.UTC(2026, 10) },
          }),
          expect.objectContaining({ id: 'tag/a=b/tokens_per_hour' }),
        ],
        amounts: { requests: 1, tokens: 2024, costNanoUsd: WHOLE_NANO },
        leaseMs: 30_000,
        whileAway: 'share',
      },
    ])
    expect(Object.keys(script.taken[0] ?? {})).not.toContain('note')
    expect(exchange.allowance).toBeInstanceOf(CallHold)
    expect(exchange.allowance).toMatchObject({
      id: 'req_x',
      organizationId: 'o',
      takenAtMs: NOW,
      outputTokens: 4000,
    })
  })

  it('waits for shared counters', async () => {
    const { admission, script, set, call } = setUp()
    set(undefined, HARD)
    script.answers = [Promise.resolve({ granted: true, states: [] })]
    const exchange = call()
    const admitted = admission.admit(exchange, QUOTE)
    expect(admitted).toBeInstanceOf(Promise)
    expect(exchange.allowance).toBeUndefined()
    await admitted
    expect(exchange.allowance).toBeInstanceOf(CallHold)
  })

  it('is refused while the counters are away where the organization says so', () => {
    const { admission, script, set, call } = setUp()
    set({ requestsPerMinute: 1, failClosed: true })
    script.answers = [granted]
    void admission.admit(call(), QUOTE)
    expect(script.taken[0]?.whileAway).toBe('refuse')
  })

  it('says what it is where holds outlive this process', () => {
    const { admission, script, set, call } = setUp({ keepsNotes: true })
    set(undefined, HARD)
    script.answers = [granted]
    void admission.admit(call({ id: 'req_x' }), QUOTE)
    expect(fromNote(script.taken[0]?.note)).toMatchObject({
      attemptId: 'req_x.1',
      provider: 'p',
      priceVersion: 'v1',
    })
  })

  it('costs nothing where nothing is sold: no target, and counting', () => {
    const { admission, script, set, call } = setUp()
    set(undefined, HARD)
    script.rest = granted
    const quoteOf = vi.fn(QUOTE)
    void admission.admit(call({ plan: undefined }), quoteOf)
    void admission.admit(call({ incoming: { ...CHAT, operation: 'token-count' } }), quoteOf)
    const free = { requests: 1, tokens: 0, costNanoUsd: 0 }
    expect(script.taken.map(({ amounts }) => amounts)).toEqual([free, free])
    expect(quoteOf).not.toHaveBeenCalled()
  })

  it('does not take where its price is unknown and such calls are refused', () => {
    const { admission, script, set, call } = setUp()
    set(undefined, HARD)
    const unknown = new GatewayError('model_not_found', { message: 'no price' })
    const quoteOf: QuoteOf = () => {
      throw unknown
    }
    expect(() => admission.admit(call(), quoteOf)).toThrow(unknown)
    expect(script.taken).toEqual([])
  })

  it('holds what is usual for its model, task and size, and a stream no more than that', () => {
    const { admission, experience, script, set, call } = setUp()
    set(undefined, HARD)
    const usual = vi.spyOn(experience, 'usual')
    script.rest = granted
    const incoming = { ...CHAT, stream: true, hints: { ...NO_HINTS, task: 'summary' } }
    void admission.admit(call({ incoming }), QUOTE)
    expect(usual.mock.calls).toEqual([['p/m', 'summary', 2000]])
    expect(script.taken[0]?.amounts).toEqual({ requests: 1, tokens: 2024, costNanoUsd: USUAL_NANO })
  })
})

describe('admit() where less is left', () => {
  it('asks again for what is left', async () => {
    const { script, set, call, admit } = setUp()
    set(undefined, HARD)
    script.answers = [refusedBy('organization/budget', { used: 1_000_000 - USUAL_NANO }), granted]
    const exchange = call()
    expect(await admit(exchange)).toBe('admitted')
    expect(script.taken.map(({ amounts }) => amounts.costNanoUsd)).toEqual([WHOLE_NANO, USUAL_NANO])
    expect(exchange.allowance?.outputTokensMax).toBe(1024)
  })

  it('waits like one that found nothing where others are faster five times', async () => {
    const { script, set, admit } = setUp()
    set({ requestsPerMinute: 10, tokensPerMinute: 100_000 }, HARD)
    const states = [{}, {}, { used: 1_000_000 - USUAL_NANO }]
    script.rest = refusedBy('organization/budget', ...states)
    const refused = admit()
    await vi.advanceTimersByTimeAsync(24)
    // The first, and four with less.
    expect(script.taken).toHaveLength(5)
    // After each wait all is asked for again, then less.
    await vi.advanceTimersByTimeAsync(1)
    expect(script.taken.slice(5).map(({ amounts }) => amounts.costNanoUsd)).toEqual([
      WHOLE_NANO,
      ...Array.from({ length: 3 }, () => USUAL_NANO),
    ])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(await refused).toMatchObject({
      code: 'budget_exhausted',
      detail: { meter: 'organization/budget', by: 'held' },
    })
  })
})

describe('admit() where nothing is left', () => {
  it('is refused at once, and told what limits leave and when to come again', async () => {
    const { script, set, call, admit } = setUp()
    set({ requestsPerMinute: 10, tokensPerMinute: 100_000 }, HARD)
    script.answers = [
      refusedBy(
        'organization/budget',
        { used: 3 },
        { used: 40, held: 2, resetsAtMs: NOW + 2000 },
        { used: 999_999, held: 1 },
      ),
    ]
    const exchange = call()
    const error = await admit(exchange)
    expect(error).toMatchObject({
      code: 'budget_exhausted',
      retryAfterSeconds: 5,
      detail: { meter: 'organization/budget', used: 999_999, held: 1, by: 'used' },
    })
    expect(exchange.allowance).toEqual({
      outputTokensMax: undefined,
      requests: { limit: 10, remaining: 7, resetsInMs: 5000 },
      tokens: { limit: 100_000, remaining: 99_958, resetsInMs: 2000 },
      budgetRemainingNanoUsd: undefined,
    })
    expect(script.taken).toHaveLength(1)
  })

  it('is told to come again in a second where nobody knows', async () => {
    const { script, set, admit } = setUp()
    set(undefined, HARD)
    script.answers = [refusedBy('organization/budget', { used: 1_000_000, resetsAtMs: null })]
    expect(await admit()).toMatchObject({ retryAfterSeconds: 1 })
  })

  it('is told to come again in a second where calls under way hold it', async () => {
    const { script, set, admit } = setUp()
    set({ concurrentRequests: 1 })
    script.answers = [refusedBy('organization/concurrent_requests', { held: 1 })]
    expect(await admit()).toMatchObject({
      code: 'concurrency_exceeded',
      retryAfterSeconds: 1,
      detail: { by: 'held' },
    })
  })
})

describe('admit() and whether to wait', () => {
  const QUEUE = { queueMs: 5000, queueMax: 10 }
  /** @returns whether it waits for 24 ms at least */
  async function waits(
    limits: Partial<Limits> | undefined,
    budget: Partial<Budget> | undefined,
    answer: Answer,
  ) {
    const { script, set, admit, admission } = setUp()
    set(limits, budget)
    script.rest = answer
    let hasEnded = false
    const ended = admit().then(() => {
      hasEnded = true
    })
    await vi.advanceTimersByTimeAsync(24)
    const waited = !hasEnded
    admission.close()
    await ended
    return waited
  }

  it('waits for money and tokens that are held, and for nothing else unless there is a queue', async () => {
    const held = refusedBy('x', { used: 0, held: 1_000_000 })
    expect(await waits(undefined, HARD, held)).toBe(true)
    expect(await waits({ costPerDayNanoUsd: 1_000_000 }, undefined, held)).toBe(true)
    expect(await waits({ tokensPerHour: 1_000_000 }, undefined, held)).toBe(true)
    expect(await waits({ concurrentRequests: 1_000_000 }, undefined, held)).toBe(false)
    expect(await waits({ concurrentRequests: 1_000_000, onLimit: QUEUE }, undefined, held)).toBe(true)
    expect(await waits({ requestsPerMinute: 1_000_000 }, undefined, held)).toBe(false)
    expect(await waits(undefined, HARD, refusedBy('x', { used: 1_000_000 }))).toBe(false)
  })

  it('waits in a queue for a window that begins in time', async () => {
    const spent = (resetsAtMs: number | null) => refusedBy('x', { used: 10, resetsAtMs })
    const limits = { requestsPerMinute: 10, onLimit: QUEUE }
    expect(await waits(limits, undefined, spent(NOW + 5000))).toBe(true)
    expect(await waits(limits, undefined, spent(NOW + 5050))).toBe(false)
    expect(await waits(limits, undefined, spent(null))).toBe(false)
    expect(await waits({ requestsPerMinute: 10 }, undefined, spent(NOW + 1))).toBe(false)
  })

  it('never waits for more than there ever is', async () => {
    const tooMuch = refusedBy('x', { held: 5 })
    expect(await waits({ concurrentRequests: 0, onLimit: QUEUE }, undefined, tooMuch)).toBe(false)
    expect(await waits(undefined, { limitNanoUsd: 5 }, tooMuch)).toBe(false)
  })

  it('goes by the queue of whose limit it is', async () => {
    const { script, set, admit, admission } = setUp()
    set({ requestsPerMinute: 10 })
    set({ requestsPerMinute: 10, onLimit: QUEUE }, undefined, { scope: 'key', id: 'k' })
    script.rest = refusedBy('x', {}, { used: 10 })
    const waiting = admit()
    await vi.advanceTimersByTimeAsync(10)
    expect(script.taken).toHaveLength(1)
    script.rest = refusedBy('x', { used: 10 }, { used: 10 })
    // The first of equals is the organization's, which has none.
    await vi.advanceTimersByTimeAsync(25)
    expect(await waiting).toMatchObject({ detail: { meter: 'organization/requests_per_minute' } })
    admission.close()
  })
})

describe('admit() of calls that wait', () => {
  const HELD = refusedBy('organization/budget', { held: 1_000_000 })

  it('lets a later call that needs the same wait behind, and passes others by', async () => {
    const { script, set, call, admit } = setUp()
    set(undefined, HARD, { scope: 'key', id: 'k' })
    set({ requestsPerMinute: 10 })
    script.rest = refusedBy('key/k/budget', {}, { held: 1_000_000 })
    const first = admit()
    await vi.advanceTimersByTimeAsync(0)
    const second = call()
    const secondAdmitted = admit(second)
    await vi.advanceTimersByTimeAsync(0)
    // It did not even ask.
    expect(script.taken.map(({ holdId }) => holdId)).toEqual(['req_0'])
    script.rest = granted
    expect(await admit(call({ id: 'other', caller: { ...CALLER, keyId: 'other' } }))).toBe('admitted')
    await vi.advanceTimersByTimeAsync(25)
    expect(await Promise.all([first, secondAdmitted])).toEqual(['admitted', 'admitted'])
    expect(script.taken.map(({ holdId }) => holdId)).toEqual(['req_0', 'other', 'req_0', 'req_1'])
    expect(second.allowance).toBeInstanceOf(CallHold)
  })

  it('measures a call anew at its turn, first or later in the queue', async () => {
    const { script, set, call, admit } = setUp()
    set(undefined, HARD)
    script.rest = HELD
    let output = OUTPUT_NANO
    const quoteOf: QuoteOf = () => ({
      quote: { costOf: (input, tokens) => input * INPUT_NANO + tokens * output },
      priceVersion: 'v1',
      unitsNanoUsd: 0,
    })
    const admitted = [admit(call(), quoteOf), admit(call(), quoteOf)]
    await vi.advanceTimersByTimeAsync(0)
    output = 2
    script.rest = granted
    await vi.advanceTimersByTimeAsync(25)
    expect(await Promise.all(admitted)).toEqual(['admitted', 'admitted'])
    expect(script.taken.slice(1).map(({ amounts }) => amounts.costNanoUsd)).toEqual([18_000, 18_000])
  })

  it('refuses one that waits behind others when its own time is up, in the name of what they wait for', async () => {
    const { script, set, call, admit } = setUp()
    const queued = (queueMs: number) =>
      set({ requestsPerMinute: 10, onLimit: { queueMs, queueMax: 5 } }, HARD)
    queued(60)
    script.rest = refusedBy('organization/budget', {}, { held: 1_000_000 })
    const first = admit()
    await vi.advanceTimersByTimeAsync(0)
    queued(20)
    const late = call()
    const error = admit(late)
    await vi.advanceTimersByTimeAsync(20)
    expect(await error).toMatchObject({ code: 'budget_exhausted', retryAfterSeconds: 1 })
    expect(late.allowance).toEqual({
      outputTokensMax: undefined,
      requests: undefined,
      tokens: undefined,
      budgetRemainingNanoUsd: undefined,
    })
    await vi.advanceTimersByTimeAsync(60)
    expect(await first).toMatchObject({ code: 'budget_exhausted' })
  })

  it('has 2,000 places for ten seconds where limits refuse at once', async () => {
    const { script, set, call, admit, admission } = setUp()
    set(undefined, HARD)
    script.rest = HELD
    const waiting: Promise<unknown>[] = []
    for (let count = 0; count < 2000; count++) waiting.push(admit(call()))
    await vi.advanceTimersByTimeAsync(0)
    expect(await admit(call())).toMatchObject({ code: 'budget_exhausted', detail: { by: 'held' } })
    await vi.advanceTimersByTimeAsync(9999)
    let hasEnded = false
    void waiting[0]?.then(() => {
      hasEnded = true
    })
    await vi.advanceTimersByTimeAsync(0)
    expect(hasEnded).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(await waiting[0]).toMatchObject({ code: 'budget_exhausted' })
    admission.close()
    await Promise.all(waiting)
  })

  it('gives its place back however it ends', async () => {
    const { script, set, call, admit } = setUp()
    set({ concurrentRequests: 1, onLimit: { queueMs: 1000, queueMax: 1 } })
    const full = refusedBy('organization/concurrent_requests', { held: 1 })
    script.rest = full
    const admitted = admit()
    await vi.advanceTimersByTimeAsync(0)
    script.answers = [granted]
    await vi.advanceTimersByTimeAsync(25)
    expect(await admitted).toBe('admitted')
    const broken = admit()
    await vi.advanceTimersByTimeAsync(0)
    script.answers = [AWAY]
    await vi.advanceTimersByTimeAsync(25)
    expect(await broken).toBe(AWAY)
    const last = admit(call())
    await vi.advanceTimersByTimeAsync(24)
    script.rest = granted
    await vi.advanceTimersByTimeAsync(1)
    expect(await last).toBe('admitted')
  })

  it('ends with what its caller left for', async () => {
    const { script, set, call, admit } = setUp()
    set(undefined, HARD)
    script.rest = HELD
    const controller = new AbortController()
    const left = admit(call({ signal: controller.signal }))
    await vi.advanceTimersByTimeAsync(0)
    const gone = new GatewayError('client_closed', { message: 'gone' })
    controller.abort(gone)
    expect(await left).toBe(gone)
  })
})

describe('admit() while counters fail', () => {
  for (const [how, answer] of [
    ['at once', (error: Error): Answer => error],
    ['later', (error: Error): Answer => failing(error)],
  ] as const) {
    it(`fails where a limit has to be known, when they fail ${how}`, async () => {
      const { script, set, admit, rebuild } = setUp()
      set(undefined, HARD)
      for (const error of [AWAY, new Error('broken')]) {
        script.answers = [answer(error)]
        expect(await admit()).toBe(error)
      }
      expect(rebuild).not.toHaveBeenCalled()
    })

    it(`goes on without a hold where nothing can refuse, when they fail ${how}`, async () => {
      const { script, set, call, admit } = setUp()
      set(undefined, { limitNanoUsd: null })
      script.answers = [answer(AWAY)]
      const exchange = call()
      expect(await admit(exchange)).toBe('admitted')
      expect(exchange.allowance).toBeUndefined()
      expect(script.taken).toHaveLength(1)
    })

    it(`counts the organization anew where they were lost, which they say ${how}`, async () => {
      for (const limitNanoUsd of [1_000_000, null]) {
        const { script, set, call, admit, rebuild } = setUp()
        set(undefined, { limitNanoUsd })
        script.answers = [answer(LOST), granted]
        const exchange = call()
        expect(await admit(exchange)).toBe('admitted')
        expect(rebuild.mock.calls).toEqual([['o', 'g7']])
        expect(exchange.allowance).toBeInstanceOf(CallHold)
      }
    })
  }

  it('fails where they cannot be counted anew, unless nothing can refuse', async () => {
    const failure = new Error('no ledger')
    const rebuild = () => Promise.reject(failure)
    const limited = setUp({ rebuild })
    limited.set(undefined, HARD)
    limited.script.answers = [LOST]
    expect(await limited.admit()).toBe(failure)
    expect(limited.onError).not.toHaveBeenCalled()

    const free = setUp({ rebuild })
    free.set(undefined, { limitNanoUsd: null })
    free.script.answers = [LOST, granted]
    expect(await free.admit()).toBe('admitted')
    expect(free.onError.mock.calls).toEqual([[failure]])
  })

  it('does not count anew for ever', async () => {
    const limited = setUp()
    limited.set(undefined, HARD)
    limited.script.rest = LOST
    expect(await limited.admit()).toBe(LOST)
    expect([limited.script.taken.length, limited.rebuild.mock.calls.length]).toEqual([6, 5])

    const free = setUp()
    free.set(undefined, { limitNanoUsd: null })
    free.script.rest = LOST
    expect(await free.admit()).toBe('admitted')
    expect(free.script.taken).toHaveLength(6)
  })

  it('goes on without a hold where they fail after they were lost, and nothing can refuse', async () => {
    const free = setUp()
    free.set(undefined, { limitNanoUsd: null })
    free.script.answers = [LOST, AWAY]
    expect(await free.admit()).toBe('admitted')
    expect(free.script.taken).toHaveLength(2)
  })

  it('takes no other error for a loss', async () => {
    const { script, set, admit, rebuild } = setUp()
    set(undefined, HARD)
    const detail = { reason: 'counters_lost', generation: 'g7' }
    for (const error of [
      new GatewayError('internal_error', { message: 'x', detail }),
      Object.assign(new Error('x'), { code: 'storage_unavailable', detail }),
      new GatewayError('storage_unavailable', { message: 'x' }),
    ]) {
      script.answers = [error]
      expect(await admit()).toBe(error)
    }
    expect(rebuild).not.toHaveBeenCalled()
  })
})

describe('settle()', () => {
  async function underWay(changes: Partial<AdmissionOptions> = {}, given: Partial<Exchange> = {}) {
    const world = setUp(changes)
    world.set(undefined, HARD)
    world.script.rest = granted
    const exchange = world.call(given)
    await world.admission.admit(exchange, QUOTE)
    return { ...world, exchange }
  }
  const SEEN = { usage: { inputTokens: 900, outputTokens: 100 }, costNanoUsd: 13_000 }

  it('turns the hold into what the call came to, once', async () => {
    const { admission, script, exchange } = await underWay()
    exchange.attempts.push(makeAttempt({ dispatched: false }), makeAttempt(SEEN))
    admission.settle(exchange, true)
    admission.settle(exchange, true)
    expect(script.settle.mock.calls).toEqual([
      ['o', exchange.id, { requests: 1, tokens: 1000, costNanoUsd: 13_000 }],
    ])
    expect(script.release).not.toHaveBeenCalled()
  })

  it('gives back what never left', async () => {
    const { admission, script, exchange } = await underWay()
    exchange.attempts.push(makeAttempt({ dispatched: false }))
    admission.settle(exchange, false)
    expect(script.release.mock.calls).toEqual([['o', exchange.id]])
    expect(script.settle).not.toHaveBeenCalled()
  })

  it('has nothing to do for a call that holds nothing', () => {
    const { admission, script, call, note } = setUp()
    admission.settle(call({ attempts: [makeAttempt(SEEN)] }), true)
    expect([script.settle.mock.calls, script.release.mock.calls, note.mock.calls]).toEqual([[], [], []])
  })

  it('lets the next one look, once the counters know', async () => {
    for (const isShared of [false, true]) {
      const { admission, script, exchange, admit } = await underWay()
      exchange.attempts.push(makeAttempt(SEEN))
      script.rest = refusedBy('organization/budget', { held: 1_000_000 })
      const waiting = admit()
      await vi.advanceTimersByTimeAsync(0)
      script.rest = granted
      const settled = Promise.withResolvers<boolean>()
      if (isShared) script.settle.mockReturnValue(settled.promise)
      admission.settle(exchange, true)
      await vi.advanceTimersByTimeAsync(0)
      expect(script.taken).toHaveLength(isShared ? 2 : 3)
      settled.resolve(true)
      await vi.advanceTimersByTimeAsync(0)
      expect(await waiting).toBe('admitted')
    }
  })

  it('never throws: what fails is told', async () => {
    const failure = new Error('away')
    for (const fail of [() => Promise.reject(failure), () => assertNever(failure)]) {
      const { admission, script, exchange, onError, note } = await underWay()
      exchange.attempts.push(makeAttempt(SEEN))
      script.settle.mockImplementation(fail)
      admission.settle(exchange, true)
      await vi.advanceTimersByTimeAsync(0)
      expect(onError.mock.calls).toEqual([[failure]])
      // What it shows is learned all the same.
      expect(note).toHaveBeenCalledTimes(1)
    }
  })

  it('learns from a complete answer', async () => {
    const incoming = makeIncoming(
      { model: 'm', max_tokens: 100, n: 2 },
      { body: Buffer.alloc(2000), hints: { ...NO_HINTS, task: 'summary' } },
    )
    const { admission, exchange, note } = await underWay({}, { incoming })
    const first = makeAttempt({ provider: 'x', errorCode: 'upstream_error' })
    const usage = { inputTokens: 900, outputTokens: 100, reasoningTokens: 1 }
    exchange.attempts.push(first, makeAttempt({ provider: 'q', model: 'n', usage, costNanoUsd: 26_000 }))
    admission.settle(exchange, true)
    expect(note.mock.calls).toEqual([
      [
        {
          target: 'q/n',
          task: 'summary',
          inputBytes: 2000,
          inputTokens: 900,
          outputTokens: 100,
          choices: 2,
          costFactor: 2,
          outputTokensMax: 100,
          reasons: true,
        },
      ],
    ])
  })

  it('learns that it saw no thoughts, what cap was sent, and of what costs nothing that it costs no more', async () => {
    const { admission, script, set, call, admit, note } = setUp()
    set(undefined, HARD)
    script.answers = [refusedBy('organization/budget', { used: 1_000_000 - USUAL_NANO }), granted]
    const exchange = call()
    const free: QuoteOf = (...args) => QUOTE(...args)
    expect(await admit(exchange, free)).toBe('admitted')
    exchange.attempts.push(
      makeAttempt({ usage: { inputTokens: 0, outputTokens: 0, reasoningTokens: 0 }, costNanoUsd: 5 }),
    )
    admission.settle(exchange, true)
    expect(note.mock.calls).toEqual([
      [expect.objectContaining({ outputTokensMax: 1024, reasons: false, costFactor: 1 })],
    ])
  })

  it('learns nothing from what ended early, was counted by us, or nobody said', async () => {
    const cases: readonly (readonly [Partial<Attempt> | undefined, boolean])[] = [
      [SEEN, false],
      [undefined, true],
      [{ ...SEEN, estimated: true }, true],
      [{ usage: { outputTokens: 1 } }, true],
      [{ usage: { inputTokens: 1 } }, true],
    ]
    for (const [attempt, isComplete] of cases) {
      const { admission, exchange, note } = await underWay()
      if (attempt !== undefined) exchange.attempts.push(makeAttempt(attempt))
      admission.settle(exchange, isComplete)
      expect(note).not.toHaveBeenCalled()
    }
  })

  it('believes no usage that no model can have', async () => {
    const learned = async (inputTokens: number, outputTokens: number) => {
      const { admission, exchange, note } = await underWay()
      exchange.attempts.push(makeAttempt({ usage: { inputTokens, outputTokens } }))
      admission.settle(exchange, true)
      return note.mock.calls.length === 1
    }
    expect(await learned(10_000_000, 10_000_000)).toBe(true)
    expect(await learned(0, 0)).toBe(true)
    for (const rubbish of [10_000_001, -1, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect([rubbish, await learned(rubbish, 1), await learned(1, rubbish)]).toEqual([rubbish, false, false])
    }
  })
})

describe('cover()', () => {
  const DEARER = { provider: 'q', model: 'dear', reason: '' }
  /** Ten times as much where it is the other target. */
  const quoteOf: QuoteOf = (_exchange, { provider }) => ({
    quote: {
      costOf: (input, output) => (input * INPUT_NANO + output * OUTPUT_NANO) * (provider === 'q' ? 10 : 1),
    },
    priceVersion: 'v1',
    unitsNanoUsd: 0,
  })

  async function underWay(budget: Partial<Budget> = HARD) {
    const world = setUp()
    world.set(undefined, budget)
    world.script.rest = granted
    const exchange = world.call()
    await world.admission.admit(exchange, quoteOf)
    const { grow } = world.script
    /** @returns what it asked for, in nano-dollars */
    const asked = () => grow.mock.calls.map(([, , more]) => more.costNanoUsd)
    const cover = async (): Promise<unknown> => {
      try {
        await world.admission.cover(exchange, DEARER, quoteOf)
        return 'covered'
      } catch (error) {
        return error
      }
    }
    return { ...world, exchange, asked, cover }
  }
  const given = (isGranted: boolean, used = 0): TakeResult => {
    const states = [makeState({ id: 'organization/budget', limit: 1_000_000 } as Meter, { used })]
    return isGranted
      ? { granted: true, states }
      : { granted: false, refusedBy: 'organization/budget', retryAfterMs: 9000, states }
  }

  it('adds what another target may cost more, beside what attempts came to', async () => {
    const { script, exchange, cover } = await underWay()
    exchange.attempts.push(makeAttempt({ costNanoUsd: 500 }))
    script.grow.mockReturnValue(given(true, 7))
    expect(await cover()).toBe('covered')
    const missing = 500 + WHOLE_NANO * 10 - WHOLE_NANO
    expect(script.grow.mock.calls).toEqual([
      ['o', exchange.id, { requests: 0, tokens: 0, costNanoUsd: missing }, 30_000],
    ])
    expect(exchange.allowance).toMatchObject({
      costNanoUsd: 500 + WHOLE_NANO * 10,
      outputTokens: 4000,
      outputTokensMax: undefined,
      takenAtMs: NOW,
      budgetRemainingNanoUsd: 999_993,
    })
    // For the next target only what it needs beyond that.
    await cover()
    expect(script.grow).toHaveBeenCalledTimes(1)
  })

  it('adds nothing where what is held is enough, or there is no hold', async () => {
    const { admission, script, exchange, call } = await underWay()
    const states = exchange.allowance
    await admission.cover(exchange, { provider: 'p', model: 'other', reason: '' }, quoteOf)
    expect(admission.cover(call(), DEARER, quoteOf)).toBeUndefined()
    expect(script.grow).not.toHaveBeenCalled()
    expect(exchange.allowance).not.toBe(states)
    expect(exchange.allowance).toMatchObject({ costNanoUsd: WHOLE_NANO, outputTokens: 4000 })
  })

  it('takes less where all of it is refused, and caps the answer', async () => {
    const { script, exchange, asked, cover } = await underWay()
    script.grow.mockReturnValueOnce(given(false)).mockReturnValueOnce(given(true))
    expect(await cover()).toBe('covered')
    expect(asked()).toEqual([WHOLE_NANO * 9, USUAL_NANO * 10 - WHOLE_NANO])
    expect(exchange.allowance?.outputTokensMax).toBe(1024)
  })

  it('is refused where even the least is, and holds what it held', async () => {
    const { script, exchange, asked, cover } = await underWay()
    exchange.attempts.push(makeAttempt({ costNanoUsd: WHOLE_NANO }))
    const before = exchange.allowance
    script.grow.mockReturnValue(given(false, 1_000_000))
    expect(await cover()).toMatchObject({ code: 'budget_exhausted', detail: { used: 1_000_000 } })
    const least = (1000 * INPUT_NANO + 16 * OUTPUT_NANO) * 10
    expect(asked()).toEqual([WHOLE_NANO * 10, USUAL_NANO * 10, least])
    expect(before).toMatchObject({ costNanoUsd: WHOLE_NANO })
  })

  it('goes on where the hold is gone, and where nothing can refuse', async () => {
    const gone = await underWay()
    expect(await gone.cover()).toBe('covered')
    expect(gone.asked()).toEqual([WHOLE_NANO * 9])
    const soft = await underWay({ limitNanoUsd: null })
    expect(await soft.cover()).toBe('covered')
    expect(soft.asked()).toEqual([])
  })

  it('counts the organization anew where the counters were lost meanwhile', async () => {
    const { script, cover, rebuild } = await underWay()
    script.grow.mockImplementationOnce(() => assertNever(LOST)).mockReturnValueOnce(given(true))
    expect(await cover()).toBe('covered')
    expect(rebuild.mock.calls).toEqual([['o', 'g7']])
    const other = await underWay()
    other.script.grow.mockImplementation(() => failing(AWAY))
    expect(await other.cover()).toBe(AWAY)
  })

  it('learns by the price of the target that answered', async () => {
    const { admission, exchange, script, cover, note } = await underWay()
    script.grow.mockReturnValue(given(true))
    await cover()
    const usage = { inputTokens: 100, outputTokens: 10 }
    exchange.attempts.push(makeAttempt({ provider: 'q', model: 'dear', usage, costNanoUsd: 14_000 }))
    admission.settle(exchange, true)
    expect(note.mock.calls[0]?.[0]).toMatchObject({ target: 'q/dear', costFactor: 1 })
  })
})

describe('relay()', () => {
  const FRAME: ReplyFrame = { raw: undefined, events: [] }

  async function* streamOf(attempt: Attempt, characters: number): ReplyEvents {
    attempt.outputText = 'x'.repeat(characters)
    yield [FRAME]
  }

  async function streaming(budget: Partial<Budget>) {
    const world = setUp()
    world.set(undefined, budget)
    world.script.rest = granted
    const exchange = world.call({ incoming: { ...CHAT, stream: true } })
    await world.admission.admit(exchange, QUOTE)
    return { ...world, exchange }
  }

  it('leaves a stream alone that holds nothing, or cannot outgrow what it holds', async () => {
    const { admission, exchange, call } = await streaming({ limitNanoUsd: null })
    const events = streamOf(makeAttempt(), 10)
    expect(admission.relay(events, exchange)).toBe(events)
    expect(admission.relay(events, call())).toBe(events)
  })

  it('grows by what the last attempt writes, as its tokenizer counts it', async () => {
    const { admission, exchange, script, countText } = await streaming(HARD)
    const attempt = makeAttempt({ model: 'n' })
    exchange.attempts.push(makeAttempt(), attempt)
    const meters = [{ id: 'organization/budget' } as Meter]
    script.grow.mockReturnValue({ granted: true, states: meters.map((meter) => makeState(meter)) })
    for await (const frames of admission.relay(streamOf(attempt, 1000), exchange))
      expect(frames).toEqual([FRAME])
    expect(countText.mock.calls).toEqual([['x'.repeat(1000), 'n']])
    expect(script.grow.mock.calls).toEqual([
      ['o', exchange.id, { requests: 0, tokens: 512, costNanoUsd: 512 * OUTPUT_NANO }, 30_000],
    ])
  })

  it('counts the organization anew where the counters were lost meanwhile', async () => {
    const { admission, exchange, script, rebuild } = await streaming(HARD)
    const attempt = makeAttempt()
    exchange.attempts.push(attempt)
    script.grow.mockImplementationOnce(() => assertNever(LOST))
    for await (const _ of admission.relay(streamOf(attempt, 1000), exchange));
    expect(rebuild.mock.calls).toEqual([['o', 'g7']])
    expect(script.grow).toHaveBeenCalledTimes(2)
  })
})

describe('createAdmission() by itself', () => {
  it('renews what is under way for ten seconds or more, every ten seconds', async () => {
    const { admission, script, set, call } = setUp()
    set(undefined, HARD)
    script.rest = granted
    void admission.admit(call({ id: 'old' }), QUOTE)
    await vi.advanceTimersByTimeAsync(1)
    void admission.admit(call({ id: 'new' }), QUOTE)
    await vi.advanceTimersByTimeAsync(9998)
    expect(script.grow).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(1)
    const nothing = { requests: 0, tokens: 0, costNanoUsd: 0 }
    expect(script.grow.mock.calls).toEqual([['o', 'old', nothing, 30_000]])
    await vi.advanceTimersByTimeAsync(10_000)
    expect(script.grow.mock.calls.slice(1).map(([, id]) => id)).toEqual(['old', 'new'])
  })

  it('tells of a lease that could not be renewed, and renews the others', async () => {
    const { admission, script, set, call, onError } = setUp()
    set(undefined, HARD)
    script.rest = granted
    const failures = [new Error('at once'), new Error('later')]
    for (const id of ['a', 'b', 'c']) void admission.admit(call({ id }), QUOTE)
    script.grow.mockImplementationOnce(() => assertNever(failures[0]))
    script.grow.mockImplementationOnce(() => failing(failures[1] ?? new Error()))
    await vi.advanceTimersByTimeAsync(10_000)
    expect(onError.mock.calls).toEqual(failures.map((failure) => [failure]))
    expect(script.grow).toHaveBeenCalledTimes(3)
  })

  it('keeps no process alive, and stops when it is closed', async () => {
    const timers = vi.spyOn(globalThis, 'setInterval')
    const { admission, script, set, admit } = setUp()
    expect(timers.mock.results.map(({ value }) => (value as NodeJS.Timeout).hasRef())).toEqual([false])
    set(undefined, HARD)
    script.rest = refusedBy('organization/budget', { held: 1_000_000 })
    const waiting = admit()
    await vi.advanceTimersByTimeAsync(0)
    admission.close()
    expect(await waiting).toMatchObject({ code: 'budget_exhausted' })
    expect(vi.getTimerCount()).toBe(0)
  })
})

function assertNever(error: unknown): never {
  throw error
}
