import { describe, expect, it } from 'vitest'
import type { Demand } from './demand.ts'
import { makeDemand, makeKnownDemand, makeMeter, makeState } from './fixtures/make-limits.ts'
import type { Meter, MeterState } from './ports.ts'
import { judge } from './verdict.ts'

const NOW = 10_000
const BUDGET = makeMeter()
const TOKENS = makeMeter({
  id: 'organization/tokens_per_minute',
  quantity: 'tokens',
  limit: 10_000,
  window: { kind: 'rolling', ms: 60_000 },
})
const REQUESTS = makeMeter({
  id: 'organization/requests_per_minute',
  quantity: 'requests',
  limit: 60,
  window: { kind: 'rolling', ms: 60_000 },
})
const CALLS = makeMeter({
  id: 'organization/concurrent_requests',
  quantity: 'concurrency',
  limit: 5,
  window: { kind: 'none' },
})

function judged(demand: Demand, ...given: (readonly [Meter, Partial<MeterState>])[]) {
  return judge(
    demand,
    given.map(([meter]) => meter),
    given.map(([meter, state]) => makeState(meter, state)),
    NOW,
  )
}

/** Usual: 1,100 tokens, 41,000 nano-dollars; all: 161,000; least: 600 tokens, 21,000. */
const DEMAND = makeKnownDemand({}, { heedsCap: true })

describe('judge() where something is left', () => {
  it('asks for all again where there is room', () => {
    expect(judged(DEMAND, [BUDGET, {}], [TOKENS, {}], [REQUESTS, {}], [CALLS, {}])).toEqual({
      ask: DEMAND.whole(),
    })
    expect(judged(DEMAND)).toEqual({ ask: DEMAND.whole() })
  })

  it('asks for no more than what is left, capped at what that pays for', () => {
    // 50,000 are left: a sixteenth is less than what is usual, so it is that.
    expect(judged(DEMAND, [BUDGET, { used: 950_000 }])).toEqual({
      ask: { amounts: { requests: 1, tokens: 1100, costNanoUsd: 41_000 }, outputTokens: 1000 },
    })
    expect(judged(DEMAND, [BUDGET, { used: 970_000 }])).toEqual({
      ask: { amounts: { requests: 1, tokens: 1100, costNanoUsd: 30_000 }, outputTokens: 725 },
    })
  })

  it('leaves the rest to others, but for a sixteenth', () => {
    const demand = makeKnownDemand({ asked: { tokensMax: 100_000, choices: 1, tokensMin: 16 } })
    expect(demand.whole().amounts.costNanoUsd).toBe(4_001_000)
    expect(judged(demand, [BUDGET, {}])).toMatchObject({ ask: { amounts: { costNanoUsd: 62_500 } } })
    expect(judged(demand, [{ ...BUDGET, limit: 4_001_000 }, {}])).toEqual({ ask: demand.whole() })
    expect(judged(demand, [{ ...BUDGET, limit: 4_000_999 }, {}])).toMatchObject({
      ask: { amounts: { costNanoUsd: 250_062 }, outputTokens: 6226 },
    })
  })

  it('takes the least of what several meters leave, of each quantity', () => {
    const verdict = judged(
      DEMAND,
      [BUDGET, { used: 965_000 }],
      [{ ...BUDGET, id: 'key/K/budget' }, { used: 975_000 }],
      [{ ...BUDGET, id: 'user/U/budget' }, { used: 955_000 }],
      [TOKENS, { used: 9100 }],
      [{ ...TOKENS, id: 'key/K/tokens_per_minute' }, { used: 9300 }],
      [{ ...TOKENS, id: 'user/U/tokens_per_minute' }, { used: 9200 }],
    )
    expect(verdict).toEqual({
      ask: { amounts: { requests: 1, tokens: 700, costNanoUsd: 25_000 }, outputTokens: 600 },
    })
  })

  it('passes over meters without a limit and without a state', () => {
    const soft = { ...BUDGET, limit: null }
    expect(judged(DEMAND, [soft, { used: 9_000_000 }])).toEqual({ ask: DEMAND.whole() })
    expect(judge(DEMAND, [{ ...BUDGET, limit: 0 }], [], NOW)).toEqual({ ask: DEMAND.whole() })
  })

  it('takes the least where nobody holds anything that may come back', () => {
    expect(judged(DEMAND, [BUDGET, { used: 979_000 }])).toMatchObject({
      ask: { amounts: { costNanoUsd: 21_000 } },
    })
    expect(judged(DEMAND, [TOKENS, { used: 9400 }])).toMatchObject({ ask: { amounts: { tokens: 600 } } })
  })

  it('takes the least where what others hold would not be enough for what is usual', () => {
    // Of 40,000 nothing usual can come, whoever gives back.
    expect(judged(DEMAND, [BUDGET, { used: 960_000, held: 19_000 }])).toMatchObject({
      ask: { amounts: { costNanoUsd: 21_000 } },
    })
  })

  it('never asks for more than what is usual as the least', () => {
    const demand = makeDemand({ asked: { tokensMax: 2000, choices: 1, tokensMin: 2000 } })
    expect(demand.least().amounts.costNanoUsd).toBeGreaterThan(demand.usual().amounts.costNanoUsd)
    const left = demand.usual().amounts.costNanoUsd
    expect(judged(demand, [BUDGET, { used: 1_000_000 - left }])).toMatchObject({
      ask: { amounts: { costNanoUsd: left } },
    })
  })
})

describe('judge() where nothing will do', () => {
  it('says that it is spent, and when it begins anew', () => {
    expect(judged(DEMAND, [BUDGET, { used: 979_001 }])).toEqual({
      blocked: { index: 0, meter: BUDGET, by: 'used', renewsInMs: 50_000, isTooMuch: false },
    })
    expect(judged(DEMAND, [BUDGET, { used: 2_000_000, resetsAtMs: null }])).toMatchObject({
      blocked: { by: 'used', renewsInMs: undefined },
    })
    expect(judged(DEMAND, [BUDGET, { used: 2_000_000, resetsAtMs: 1 }])).toMatchObject({
      blocked: { renewsInMs: 0 },
    })
  })

  it('waits for what is usual while others hold what may come back', () => {
    expect(judged(DEMAND, [BUDGET, { used: 959_000, held: 1 }])).toMatchObject({ blocked: { by: 'held' } })
    expect(judged(DEMAND, [TOKENS, { used: 8900, held: 1 }])).toMatchObject({ blocked: { by: 'held' } })
    expect(judged(DEMAND, [BUDGET, { used: 958_999, held: 1 }])).toMatchObject({
      ask: { amounts: { costNanoUsd: 41_000 } },
    })
  })

  it('says that it is too much for the whole limit', () => {
    const meter = { ...BUDGET, limit: 20_999 }
    expect(judged(DEMAND, [meter, {}])).toEqual({
      blocked: { index: 0, meter, by: 'used', renewsInMs: 50_000, isTooMuch: true },
    })
    expect(judged(DEMAND, [{ ...BUDGET, limit: 21_000 }, {}])).toHaveProperty('ask')
    expect(judged(DEMAND, [{ ...BUDGET, limit: 21_000 }, { used: 1 }])).toMatchObject({
      blocked: { isTooMuch: false },
    })
  })

  it('counts a request that is under way as spent: nobody gives one back', () => {
    expect(judged(DEMAND, [REQUESTS, { used: 10, held: 50 }])).toMatchObject({ blocked: { by: 'used' } })
    expect(judged(DEMAND, [REQUESTS, { used: 10, held: 49 }])).toEqual({ ask: DEMAND.whole() })
  })

  it('needs one place among the calls under way, which always come back', () => {
    expect(judged(DEMAND, [CALLS, { held: 5, resetsAtMs: null }])).toEqual({
      blocked: { index: 0, meter: CALLS, by: 'held', renewsInMs: undefined, isTooMuch: false },
    })
    expect(judged(DEMAND, [CALLS, { held: 4 }])).toEqual({ ask: DEMAND.whole() })
    expect(judged(DEMAND, [{ ...CALLS, limit: 0 }, {}])).toMatchObject({
      blocked: { by: 'held', isTooMuch: true },
    })
    expect(judged(DEMAND, [{ ...CALLS, limit: 2 }, { held: 3 }])).toMatchObject({
      blocked: { by: 'held', isTooMuch: false },
    })
  })

  it('names what is spent before what is held, wherever it stands', () => {
    const spent: readonly [Meter, Partial<MeterState>] = [TOKENS, { used: 10_000 }]
    const held: readonly [Meter, Partial<MeterState>] = [BUDGET, { held: 1_000_000, resetsAtMs: 900_000 }]
    expect(judged(DEMAND, spent, held)).toMatchObject({ blocked: { index: 0, by: 'used' } })
    expect(judged(DEMAND, held, spent)).toMatchObject({ blocked: { index: 1, by: 'used' } })
  })

  it('names what is spent for longest, and too much before all', () => {
    const day: readonly [Meter, Partial<MeterState>] = [BUDGET, { used: 1_000_000, resetsAtMs: 90_000 }]
    const minute: readonly [Meter, Partial<MeterState>] = [TOKENS, { used: 10_000, resetsAtMs: 20_000 }]
    const never: readonly [Meter, Partial<MeterState>] = [
      { ...TOKENS, id: 'key/K/tokens_per_minute', limit: 1 },
      { resetsAtMs: null },
    ]
    const unknown: readonly [Meter, Partial<MeterState>] = [REQUESTS, { used: 60, resetsAtMs: null }]
    expect(judged(DEMAND, day, minute, unknown)).toMatchObject({ blocked: { index: 0, renewsInMs: 80_000 } })
    expect(judged(DEMAND, unknown, minute, day)).toMatchObject({ blocked: { index: 2, renewsInMs: 80_000 } })
    expect(judged(DEMAND, day, never)).toMatchObject({ blocked: { index: 1, isTooMuch: true } })
    expect(judged(DEMAND, never, day)).toMatchObject({ blocked: { index: 0, isTooMuch: true } })
    // Of two that wait the same the first is named.
    expect(judged(DEMAND, day, [{ ...BUDGET, id: 'key/K/budget' }, day[1]])).toMatchObject({
      blocked: { index: 0 },
    })
  })
})

describe('judge() of a model that nobody has seen here', () => {
  const unseen = makeDemand({ inputBytes: 70 })

  it('refuses what may cost more than is left, though the request is short', () => {
    const { plainCostNanoUsd } = unseen
    const meter = makeMeter({ limit: 1_000_000 })
    expect(judged(unseen, [meter, { used: 1_000_000 - plainCostNanoUsd }])).toMatchObject({
      blocked: { by: 'used', isTooMuch: false },
    })
  })

  it('lets it begin under a limit that has no room for more', () => {
    const meter = makeMeter({ limit: unseen.plainCostNanoUsd })
    expect(judged(unseen, [meter, {}])).toMatchObject({
      ask: { amounts: { costNanoUsd: unseen.plainCostNanoUsd } },
    })
  })
})
