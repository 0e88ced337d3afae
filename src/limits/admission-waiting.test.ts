import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { QuoteOf } from './admission.ts'
import { CallHold } from './call-hold.ts'
import { INPUT_NANO, OUTPUT_NANO } from './fixtures/make-limits.ts'
import {
  type Answer,
  AWAY,
  CALLER,
  granted,
  HARD,
  NOW,
  refusedBy,
  setUp,
} from './fixtures/scripted-admission.ts'
import type { Budget, Limits } from './policy.ts'

beforeEach(() => {
  vi.useFakeTimers({ now: NOW })
})
afterEach(() => {
  vi.useRealTimers()
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
