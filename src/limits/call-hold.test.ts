import { describe, expect, it } from 'vitest'
import { actualOf, CallHold, tightestRoom } from './call-hold.ts'
import type { Demand } from './demand.ts'
import { makeAttempt, makeDemand, makeKnownDemand, makeMeter, makeState } from './fixtures/make-limits.ts'
import type { Covering } from './policy-book.ts'
import type { Meter, MeterState } from './ports.ts'

const REQUESTS = makeMeter({
  id: 'key/K/requests_per_minute',
  quantity: 'requests',
  limit: 60,
  window: { kind: 'rolling', ms: 60_000 },
})
const TOKENS = makeMeter({ ...REQUESTS, id: 'key/K/tokens_per_minute', quantity: 'tokens', limit: 1000 })

function covering(meters: readonly Meter[]): Covering {
  return { meters, owners: [], isLimited: true, failClosed: false }
}

function holdOf(
  given: readonly (readonly [Meter, Partial<MeterState>])[],
  demand: Demand = makeDemand(),
): CallHold {
  return new CallHold({
    organizationId: 'o',
    id: 'req_1',
    covering: covering(given.map(([meter]) => meter)),
    demand,
    ask: demand.whole(),
    states: given.map(([meter, state]) => makeState(meter, state)),
    takenAtMs: 50_000,
  })
}

describe('CallHold', () => {
  it('is whole where its money covers whatever may be written', () => {
    const held = holdOf([])
    expect([held.isWhole, held.outputTokensMax]).toEqual([true, undefined])
    held.outputTokens = 3999
    expect([held.isWhole, held.outputTokensMax]).toEqual([false, 3999])
    expect(held).toMatchObject({ organizationId: 'o', id: 'req_1', takenAtMs: 50_000 })
  })

  it('needs no cap where it grows', () => {
    const held = holdOf([], makeKnownDemand({ grows: true }))
    expect([held.outputTokens, held.isWhole, held.outputTokensMax]).toEqual([1000, false, undefined])
  })

  it('tells of requests and tokens apart', () => {
    const held = holdOf([
      [REQUESTS, { used: 10, held: 5 }],
      [TOKENS, { used: 100, held: 50, resetsAtMs: 51_000 }],
    ])
    expect(held.requests).toEqual({ limit: 60, remaining: 45, resetsInMs: 10_000 })
    expect(held.tokens).toEqual({ limit: 1000, remaining: 850, resetsInMs: 1000 })
    expect(holdOf([]).requests).toBeUndefined()
    expect(holdOf([]).tokens).toBeUndefined()
  })

  it('tells what is left of the budget of which least is left, and nothing of other limits', () => {
    const budget = makeMeter()
    const perDay = makeMeter({
      id: 'key/K/cost_per_day',
      limit: 10,
      window: { kind: 'rolling', ms: 86_400_000 },
    })
    const left = (...given: (readonly [Meter, Partial<MeterState>])[]) => holdOf(given).budgetRemainingNanoUsd
    expect(left([perDay, {}], [REQUESTS, {}])).toBeUndefined()
    expect(left([budget, { used: 300, held: 200 }], [perDay, {}])).toBe(999_500)
    expect(left([budget, {}], [{ ...budget, limit: 7 }, {}], [budget, {}])).toBe(7)
    expect(left([{ ...budget, limit: null }, { used: 5 }], [budget, { used: 1 }])).toBe(999_999)
    expect(left([budget, { used: 2_000_000 }])).toBe(0)
  })

  it('tells nothing of a meter whose state is not known', () => {
    const held = holdOf([[makeMeter(), {}]])
    held.states = []
    expect(held.budgetRemainingNanoUsd).toBeUndefined()
  })
})

describe('tightestRoom()', () => {
  const room = (...given: (readonly [Meter, Partial<MeterState>])[]) =>
    tightestRoom(
      covering(given.map(([meter]) => meter)),
      given.map(([meter, state]) => makeState(meter, state)),
      'requests',
      70_000,
    )

  it('is the one of which least is left, the first of equals', () => {
    expect(
      room([REQUESTS, {}], [{ ...REQUESTS, limit: 50 }, {}], [{ ...REQUESTS, limit: 55 }, {}]),
    ).toMatchObject({
      limit: 50,
    })
    expect(room([REQUESTS, { used: 10 }], [{ ...REQUESTS, limit: 50 }, {}])).toMatchObject({ limit: 60 })
  })

  it('is never less than nothing, and never begins anew in the past', () => {
    expect(room([REQUESTS, { used: 90, held: 1 }])).toEqual({ limit: 60, remaining: 0, resetsInMs: 0 })
    expect(room([REQUESTS, { resetsAtMs: null }])).toEqual({
      limit: 60,
      remaining: 60,
      resetsInMs: undefined,
    })
  })

  it('passes over other quantities, meters without a limit and those that are not known', () => {
    expect(room([TOKENS, {}], [{ ...REQUESTS, limit: null }, {}])).toBeUndefined()
    expect(tightestRoom(covering([REQUESTS]), [], 'requests', 0)).toBeUndefined()
  })
})

describe('actualOf()', () => {
  it('adds up what all attempts came to, in one request', () => {
    const attempts = [
      makeAttempt({ usage: { inputTokens: 10, outputTokens: 5 }, costNanoUsd: 700 }),
      makeAttempt({ usage: { inputTokens: 10 }, costNanoUsd: 300 }),
      makeAttempt({ usage: { outputTokens: 3 } }),
      makeAttempt({ usage: {} }),
    ]
    expect(actualOf(attempts)).toEqual({ requests: 1, tokens: 28, costNanoUsd: 1000 })
    expect(actualOf([])).toEqual({ requests: 1, tokens: 0, costNanoUsd: 0 })
  })

  it('makes what counters take of whatever a provider says', () => {
    const tokensOf = (inputTokens: number, outputTokens = 0) =>
      actualOf([makeAttempt({ usage: { inputTokens, outputTokens } })]).tokens
    expect(tokensOf(Number.NaN, 5)).toBe(0)
    expect(tokensOf(-10, 5)).toBe(0)
    expect(tokensOf(10.2, 0.1)).toBe(11)
    expect(tokensOf(Number.POSITIVE_INFINITY)).toBe(Number.MAX_SAFE_INTEGER)
    expect(tokensOf(1e300)).toBe(Number.MAX_SAFE_INTEGER)
  })
})
