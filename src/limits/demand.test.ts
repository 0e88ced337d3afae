import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Demand } from './demand.ts'
import { makeDemand, makeKnownDemand, UNKNOWN } from './fixtures/make-limits.ts'

const ASKED = { tokensMax: 4000, choices: 1, tokensMin: 16 }

describe('Demand', () => {
  it('takes a token for every two bytes where nothing is known, and no fewer than 512', () => {
    expect(makeDemand({ inputBytes: 2001 }).inputTokens).toBe(1001)
    expect(makeDemand({ inputBytes: 1026 }).inputTokens).toBe(513)
    expect(makeDemand({ inputBytes: 0 }).inputTokens).toBe(512)
    expect(makeDemand({ inputBytes: 0 }).plainInput).toBe(0)
    expect(makeDemand({ inputBytes: 2001 }).plainInput).toBe(1001)
    expect(makeKnownDemand().inputTokens).toBe(100)
    expect(makeKnownDemand().plainInput).toBe(100)
  })

  it('takes the cap for the most of one answer, and 32,768 tokens where there is none', () => {
    expect(makeDemand().outputMost).toBe(4000)
    expect(makeDemand({ asked: { ...ASKED, tokensMax: 0 } }).outputMost).toBe(0)
    expect(makeDemand({ asked: { ...ASKED, tokensMax: undefined } }).outputMost).toBe(32_768)
    expect(makeDemand({ asked: { ...ASKED, choices: 3 } }).outputMost).toBe(12_000)
  })

  it('takes what is usual for all answers, no more than the cap, and 1,024 tokens where nothing is known', () => {
    expect(makeDemand().outputUsual).toBe(1024)
    expect(makeDemand({ asked: { ...ASKED, choices: 3 } }).outputUsual).toBe(3072)
    expect(makeDemand({ asked: { ...ASKED, tokensMax: 50, choices: 2 } }).outputUsual).toBe(100)
    expect(makeKnownDemand({ asked: { ...ASKED, choices: 2 } }).outputUsual).toBe(2000)
    expect(makeKnownDemand({ asked: { ...ASKED, tokensMax: 999 } }).outputUsual).toBe(999)
  })

  it('says what it was made of', () => {
    const demand = makeDemand({ asked: { ...ASKED, choices: 3 }, grows: true, priceVersion: null })
    expect(demand).toMatchObject({
      inputBytes: 2000,
      choices: 3,
      tokensMaxAsked: 4000,
      priceVersion: null,
      grows: true,
    })
  })
})

describe('Demand.isKnown', () => {
  it('needs both input and output', () => {
    const known = (inputTokens: number | undefined, outputTokens: number | undefined) =>
      makeDemand({ usual: { ...UNKNOWN, inputTokens, outputTokens } }).isKnown
    expect([known(1, 1), known(0, 0), known(1, undefined), known(undefined, 1)]).toEqual([
      true,
      true,
      false,
      false,
    ])
  })
})

describe('Demand.costOf()', () => {
  it('adds what is not counted in tokens, and what such calls cost beyond their quote', () => {
    const demand = makeKnownDemand({ unitsNanoUsd: 7 }, { costFactor: 1.5 })
    // (100 × 10 + 1 × 40 + 7) × 1.5
    expect(demand.costOf(1)).toBe(1571)
    expect(demand.costOf(0, 0)).toBe(11)
    expect(demand.quoted(100, 1)).toBe(1047)
  })

  it('stays what counters can count, whatever a caller asks and a provider once said', () => {
    const demand = makeKnownDemand(
      {
        asked: { tokensMax: Number.MAX_SAFE_INTEGER, choices: 128, tokensMin: 16 },
        quote: { costOf: () => Number.MAX_SAFE_INTEGER },
        unitsNanoUsd: 5,
      },
      {
        inputTokens: Number.MAX_SAFE_INTEGER,
        outputTokens: Number.MAX_SAFE_INTEGER,
        heedsCap: false,
        costFactor: 3,
      },
    )
    const most = { requests: 1, tokens: Number.MAX_SAFE_INTEGER, costNanoUsd: Number.MAX_SAFE_INTEGER }
    expect(demand.whole().amounts).toEqual(most)
    expect(demand.usual().amounts).toEqual(most)
    expect(demand.quoted(1, 1)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('Demand.whole()', () => {
  it('is all that may be written where the hold cannot grow, and tokens that are usual', () => {
    expect(makeDemand().whole()).toEqual({
      amounts: { requests: 1, tokens: 1000 + 1024, costNanoUsd: 10_000 + 160_000 },
      outputTokens: 4000,
    })
  })

  it('is what is usual where the hold grows with the answer', () => {
    expect(makeDemand({ grows: true }).whole()).toEqual({
      amounts: { requests: 1, tokens: 1000 + 1024, costNanoUsd: 10_000 + 40_960 },
      outputTokens: 1024,
    })
  })

  it('is all of it where the hold grows but thoughts are not seen', () => {
    expect(makeKnownDemand({ grows: true }, { reasons: true }).whole().outputTokens).toBe(4000)
  })

  it('is more than the cap of a model that is known to ignore it', () => {
    const asked = { ...ASKED, tokensMax: 100, choices: 2 }
    expect(makeKnownDemand({ asked }, { heedsCap: false }).whole()).toEqual({
      amounts: { requests: 1, tokens: 100 + 2000, costNanoUsd: 1000 + 80_000 },
      outputTokens: 2000,
    })
    expect(makeKnownDemand({ asked }, { heedsCap: undefined }).whole().outputTokens).toBe(200)
    expect(makeDemand({ asked, usual: { ...UNKNOWN, heedsCap: false } }).whole().outputTokens).toBe(200)
  })
})

describe('Demand.usual()', () => {
  it('is what nearly every call stays within', () => {
    expect(makeKnownDemand().usual()).toEqual({
      amounts: { requests: 1, tokens: 1100, costNanoUsd: 41_000 },
      outputTokens: 1000,
    })
  })
})

describe('Demand.least()', () => {
  it('is what a service may write around a request that nobody knows, and the fewest tokens that a provider takes', () => {
    expect(makeDemand().least()).toEqual({
      amounts: { requests: 1, tokens: 572 + 16, costNanoUsd: 10_000 + 16 * 40 },
      outputTokens: 16,
    })
    // Tokens are counted and not paid: of them the text alone.
    expect(makeDemand({ inputBytes: 70 }).least().amounts).toEqual({
      requests: 1,
      tokens: 20 + 16,
      costNanoUsd: 5120 + 16 * 40,
    })
  })

  it('is the text alone for limits that would never let more begin', () => {
    expect(makeDemand({ inputBytes: 70 }).plainCostNanoUsd).toBe(350 + 16 * 40)
    const known = makeKnownDemand()
    expect(known.plainCostNanoUsd).toBeLessThanOrEqual(known.least().amounts.costNanoUsd)
  })

  it('leaves room behind thoughts, for each answer, and is no more than the cap', () => {
    const asked = { tokensMax: 4000, choices: 2, tokensMin: 1040 }
    expect(makeDemand({ asked }).least().outputTokens).toBe(2080)
    expect(makeDemand({ asked: { ...asked, tokensMax: 1000 } }).least().outputTokens).toBe(2000)
  })

  it('is half of what is usual for a model that stops where it is told to', () => {
    expect(makeKnownDemand({}, { heedsCap: true, outputTokens: 1001 }).least()).toEqual({
      amounts: { requests: 1, tokens: 100 + 501, costNanoUsd: 1000 + 501 * 40 },
      outputTokens: 501,
    })
    expect(makeKnownDemand({}, { heedsCap: true, outputTokens: 10 }).least().outputTokens).toBe(16)
  })

  it('is what is usual where a model may not stop, with a tenth of the tokens less', () => {
    for (const heedsCap of [undefined, false]) {
      expect(makeKnownDemand({}, { heedsCap, outputTokens: 1001 }).least()).toEqual({
        amounts: { requests: 1, tokens: Math.ceil(1101 * 0.9), costNanoUsd: 1000 + 1001 * 40 },
        outputTokens: 1001,
      })
    }
  })
})

describe('Demand.outputFor()', () => {
  it('is as many tokens as the money pays for', () => {
    const demand = makeKnownDemand()
    expect(demand.outputFor(1000 + 400, 100)).toBe(10)
    expect(demand.outputFor(1000 + 399, 100)).toBe(9)
    expect(demand.outputFor(1000, 100)).toBe(0)
    expect(demand.outputFor(0, 100)).toBe(0)
  })

  it('is one less where the last one would cost a nano-dollar too much', () => {
    const demand = makeKnownDemand(
      { quote: { costOf: (input, output) => input * 10 + output } },
      { costFactor: 1.1 },
    )
    expect([demand.costOf(1740), demand.costOf(1739)]).toEqual([3015, 3013])
    expect(demand.outputFor(3014, 100)).toBe(1739)
  })

  it('is endless where output costs nothing', () => {
    const demand = makeKnownDemand({ quote: { costOf: (input) => input } })
    expect(demand.outputFor(0, 100)).toBe(Number.POSITIVE_INFINITY)
  })

  it('is what is affordable, to the token, for whatever price', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 100_000 }),
        fc.integer({ min: 1, max: 100_000 }),
        fc.constantFrom(1, 1.1, 1.25, 3),
        fc.integer({ min: 0, max: 1_000_000 }),
        fc.integer({ min: 0, max: 5 }),
        (inputNano, outputNano, costFactor, affordable, rest) => {
          const quote = { costOf: (input: number, output: number) => input * inputNano + output * outputNano }
          const demand = makeKnownDemand({ quote }, { costFactor })
          const money = demand.costOf(affordable) + rest
          const tokens = demand.outputFor(money, 100)
          expect(demand.costOf(tokens)).toBeLessThanOrEqual(money)
          expect(demand.costOf(tokens + 3)).toBeGreaterThan(money)
        },
      ),
    )
  })
})

describe('Demand.outputWithin()', () => {
  it('reckons with what a service may write around a short request, as long as the least is left', () => {
    const demand = makeDemand({ inputBytes: 100 })
    expect(demand.outputWithin(5120 + 16 * 40)).toBe(16)
    // One token less would be no use: what is plain is all there is.
    expect(demand.outputWithin(5120 + 16 * 40 - 1)).toBe(131)
  })
})

describe('Demand.capFor()', () => {
  it('caps each answer at its share of what is affordable', () => {
    const demand = makeDemand({ asked: { ...ASKED, choices: 3 } })
    expect(demand.capFor(11_999)).toBe(3999)
    expect(demand.capFor(2)).toBe(0)
  })

  it('leaves the cap alone where all of it is affordable', () => {
    expect(makeDemand().capFor(4000)).toBeUndefined()
    expect(makeDemand().capFor(4001)).toBeUndefined()
    expect(makeDemand().capFor(3999)).toBe(3999)
  })

  it('needs no cap where the hold grows with all that is written', () => {
    expect(makeKnownDemand({ grows: true }).capFor(1000)).toBeUndefined()
    expect(makeKnownDemand({ grows: true }, { reasons: true }).capFor(1000)).toBe(1000)
    expect(makeKnownDemand({}, { reasons: true }).capFor(1000)).toBe(1000)
  })
})

describe('Demand in any case', () => {
  it('asks for whole numbers, the least for no more than what is usual, and that for no more than all', () => {
    const count = fc.integer({ min: 0, max: 100_000 })
    const usual = fc.record({
      inputTokens: fc.option(count, { nil: undefined }),
      outputTokens: fc.option(count, { nil: undefined }),
      costFactor: fc.double({ min: 1, max: 20, noNaN: true }),
      heedsCap: fc.constantFrom(true, false, undefined),
      reasons: fc.boolean(),
    })
    const asked = fc.record({
      tokensMax: fc.option(count, { nil: undefined }),
      choices: fc.integer({ min: 1, max: 128 }),
      tokensMin: fc.integer({ min: 0, max: 2000 }),
    })
    fc.assert(
      fc.property(count, asked, usual, fc.boolean(), (inputBytes, askedFor, usually, grows) => {
        const quote = { costOf: (input: number, output: number) => input * 10 + output * 40 }
        const facts = { inputBytes, asked: askedFor, usual: usually, grows, quote }
        const demand = new Demand({ ...facts, unitsNanoUsd: 3, priceVersion: null })
        const [least, usualAsk, whole] = [demand.least(), demand.usual(), demand.whole()]
        for (const { amounts } of [least, usualAsk, whole]) {
          expect(amounts.requests).toBe(1)
          expect([amounts.tokens, amounts.costNanoUsd].every(Number.isSafeInteger)).toBe(true)
        }
        expect(usualAsk.amounts.costNanoUsd).toBeLessThanOrEqual(whole.amounts.costNanoUsd)
        expect(whole.outputTokens).toBeGreaterThanOrEqual(usualAsk.outputTokens)
        expect(least.outputTokens).toBeLessThanOrEqual(Math.max(demand.outputMost, usualAsk.outputTokens))
      }),
    )
  })
})
