import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../routing/attempt.ts'
import type { LedgerRow } from './ports.ts'
import { createUnfinished } from './unfinished.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

const CALLER = { organizationId: 'o', teamId: null, keyId: 'k', user: null, models: null }

function setUp() {
  const saved: (readonly LedgerRow[])[] = []
  const unfinished = createUnfinished({
    store: {
      load: () => Promise.resolve([]),
      save(rows) {
        saved.push(rows)
        return Promise.resolve()
      },
    },
    costOf: ({ usage }) => (usage.inputTokens ?? 0) + 10 * (usage.outputTokens ?? 0),
    monotonicMs: () => Date.now(),
    onError: (error) => {
      throw error
    },
  })
  return { saved, unfinished }
}

function call(id: string) {
  const attempt = newAttempt(
    `${id}.1`,
    1,
    { provider: 'p', model: 'm', reason: '' },
    { version: 'v', known: true },
    0,
  )
  attempt.dispatched = true
  attempt.outputText = 'x'.repeat(35)
  return makeExchange({ id, startedMs: Date.now(), caller: CALLER, attempts: [attempt] })
}

describe('createUnfinished()', () => {
  it('writes down what a call had come to, once it lasts', async () => {
    const { saved, unfinished } = setUp()
    unfinished.began(call('req_1'))
    await vi.advanceTimersByTimeAsync(260)
    expect(saved.at(-1)).toMatchObject([
      {
        id: 'req_1.1',
        provider: 'p',
        model: 'm',
        estimated: true,
        tokensOutput: 10,
        status: 500,
        errorCode: 'internal_error',
        final: true,
      },
    ])
    expect(saved.at(-1)?.[0]?.costNanoUsd).toBeGreaterThan(100)
  })

  it('writes nothing for calls that end soon', async () => {
    const { saved, unfinished } = setUp()
    for (let index = 0; index < 20; index++) {
      const exchange = call(`req_${index}`)
      unfinished.began(exchange)
      await vi.advanceTimersByTimeAsync(100)
      unfinished.ended(exchange)
    }
    expect(saved).toEqual([])
  })

  it('takes a call off the list at its end, and leaves those that are under way when it closes', async () => {
    const { saved, unfinished } = setUp()
    const exchange = call('req_1')
    unfinished.began(exchange)
    await vi.advanceTimersByTimeAsync(600)
    unfinished.ended(exchange)
    await vi.advanceTimersByTimeAsync(600)
    expect(saved.at(-1)).toEqual([])
    const writes = saved.length
    await vi.advanceTimersByTimeAsync(5000)
    expect(saved).toHaveLength(writes)
    unfinished.began(call('req_2'))
    await vi.advanceTimersByTimeAsync(600)
    await unfinished.close()
    expect(saved.at(-1)).toMatchObject([{ id: 'req_2.1' }])
  })
})
