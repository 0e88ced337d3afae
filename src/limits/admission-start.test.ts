import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import type { QuoteOf } from './admission.ts'
import { CallHold } from './call-hold.ts'
import {
  CHAT,
  granted,
  HARD,
  NOW,
  QUOTE,
  refusedBy,
  setUp,
  USUAL_NANO,
  WHOLE_NANO,
} from './fixtures/scripted-admission.ts'
import { fromNote } from './hold-note.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
})

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
