import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import { makeIncoming, NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import type { AdmissionOptions, QuoteOf } from './admission.ts'
import { makeAttempt } from './fixtures/make-limits.ts'
import {
  fail,
  granted,
  HARD,
  NOW,
  QUOTE,
  refusedBy,
  setUp,
  USUAL_NANO,
} from './fixtures/scripted-admission.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
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
    for (const answer of [() => Promise.reject(failure), () => fail(failure)]) {
      const { admission, script, exchange, onError, note } = await underWay()
      exchange.attempts.push(makeAttempt(SEEN))
      script.settle.mockImplementation(answer)
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
