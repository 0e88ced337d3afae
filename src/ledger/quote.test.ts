import { describe, expect, it } from 'vitest'
import { type ListPrice, ratesOfList } from './price-rates.ts'
import { unitRatesOfList } from './price-units.ts'
import { createQuotes } from './quote.ts'
import type { ResolvedPrice } from './resolved-price.ts'

const LIST: ListPrice = { inputPerMillionUsd: 2, outputPerMillionUsd: 8 }

function priceOf(list: ListPrice, changes: Partial<ResolvedPrice> = {}): ResolvedPrice {
  return {
    version: 'v',
    known: true,
    rates: ratesOfList(list),
    tiers: [],
    requestPico: 0,
    units: unitRatesOfList(list),
    ...changes,
  }
}

function costOf(list: ListPrice, changes: Partial<ResolvedPrice> = {}) {
  return createQuotes()(priceOf(list, changes)).costOf
}

describe('createQuotes()', () => {
  it('makes one quote for each price', () => {
    const quoteOf = createQuotes()
    const price = priceOf(LIST)
    expect(quoteOf(price)).toBe(quoteOf(price))
    expect(quoteOf(priceOf(LIST))).not.toBe(quoteOf(price))
  })
})

describe('Quote.costOf()', () => {
  it('is what input and output cost, and the call itself', () => {
    expect(costOf(LIST)(10, 3)).toBe(10 * 2000 + 3 * 8000)
    expect(costOf(LIST, { requestPico: 5_000_000 })(0, 0)).toBe(5000)
    // Half a nano-dollar is rounded up, once.
    expect(costOf({ inputPerMillionUsd: 0.0375, outputPerMillionUsd: 0.0005 })(1, 1)).toBe(38)
  })

  it('takes input for written to a cache, and output for thought, where these cost more', () => {
    expect(costOf({ ...LIST, cacheWritePerMillionUsd: 2.5 })(10, 0)).toBe(25_000)
    expect(costOf({ ...LIST, cacheWritePerMillionUsd: 1 })(10, 0)).toBe(20_000)
    expect(costOf({ ...LIST, reasoningPerMillionUsd: 12 })(0, 10)).toBe(120_000)
    expect(costOf({ ...LIST, reasoningPerMillionUsd: 1 })(0, 10)).toBe(80_000)
  })

  it('goes by the tier that the input is in', () => {
    const tiers = [
      { aboveInputTokens: 1000, rates: ratesOfList({ inputPerMillionUsd: 4, outputPerMillionUsd: 16 }) },
    ]
    const cost = costOf(LIST, { tiers })
    expect(cost(1000, 1)).toBe(1000 * 2000 + 8000)
    expect(cost(1001, 1)).toBe(1001 * 4000 + 16_000)
  })

  it('stays what counters can count', () => {
    expect(costOf(LIST)(Number.MAX_SAFE_INTEGER, 128)).toBe(Number.MAX_SAFE_INTEGER)
    expect(costOf(LIST)(0, Number.MAX_SAFE_INTEGER * 128)).toBe(Number.MAX_SAFE_INTEGER)
  })
})

describe('Quote.costOfUnits()', () => {
  it('is what the units cost beside tokens, without the call itself', () => {
    const quote = createQuotes()(priceOf({ ...LIST, perImageUsd: 0.04 }, { requestPico: 5_000_000 }))
    expect(quote.costOfUnits({ images: 2 })).toBe(80_000_000)
    expect(quote.costOfUnits({})).toBe(0)
  })
})
