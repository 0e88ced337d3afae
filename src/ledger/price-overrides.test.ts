import { describe, expect, test, vi } from 'vitest'
import type { PriceOverride } from './price-desk/ports.ts'
import { createOverrideBook } from './price-overrides.ts'
import type { ListPrice } from './price-rates.ts'

function override(id: string, target: string, day: number, price: ListPrice | null): PriceOverride {
  const moment = new Date(Date.UTC(2026, 10, day))
  return { id, organizationId: 'o', target, price, validFrom: moment, createdAt: moment }
}

const PRICE = { inputPerMillionUsd: 1, outputPerMillionUsd: 2 }
const at = (day: number) => Date.UTC(2026, 10, day)
const never = () => {
  throw new Error('All of these can be used.')
}

describe('find()', () => {
  test('finds the price in force at a moment, in whatever order the history came', () => {
    const book = createOverrideBook(
      [
        override('c', 'p/m', 20, null),
        override('a', 'p/m', 5, PRICE),
        override('d', 'p/m', 25, PRICE),
        override('b', 'p/m', 10, PRICE),
      ],
      never,
    )
    const versions = [4, 5, 9, 10, 19, 20, 24, 25, 30].map((day) => book.find('p', 'm', at(day))?.version)
    const [a, b, d] = ['a', 'b', 'd'].map((id) => `override:o:${id}`)
    expect(versions).toEqual([undefined, a, a, b, b, undefined, undefined, d, d])
  })

  test('returns the same object each time, with every part of the price', () => {
    const price = { ...PRICE, cachedInputPerMillionUsd: 0.5, perRequestUsd: 0.01, perImageUsd: 0.04 }
    const book = createOverrideBook([override('a', 'p/m', 1, price)], never)
    const found = book.find('p', 'm', at(2))
    expect(found).toBe(book.find('p', 'm', at(2)))
    expect(found).toMatchObject({
      known: true,
      requestPico: 10_000_000_000,
      rates: { inputPico: 1_000_000, cachedInputPico: 500_000, outputPico: 2_000_000 },
      units: { images: { pico: 40_000_000_000, per: 1 } },
    })
  })

  test('takes an exact name before a longer beginning, and that before a shorter one', () => {
    const book = createOverrideBook(
      [
        override('all', 'p/*', 1, PRICE),
        override('short', 'p/gpt-*', 1, PRICE),
        override('long', 'p/gpt-4o*', 1, PRICE),
        override('exact', 'p/gpt-4o', 1, PRICE),
        override('slash', 'p/meta/llama', 1, PRICE),
      ],
      never,
    )
    const nameOf = (provider: string, model: string) =>
      book.find(provider, model, at(2))?.version.split(':').at(-1)
    expect(nameOf('p', 'gpt-4o')).toBe('exact')
    expect(nameOf('p', 'gpt-4o-mini')).toBe('long')
    expect(nameOf('p', 'gpt-5')).toBe('short')
    expect(nameOf('p', 'meta/llama')).toBe('slash')
    expect(nameOf('p', 'claude')).toBe('all')
    expect(nameOf('q', 'gpt-4o')).toBeUndefined()
  })

  test('takes the later of two that begin at once', () => {
    const book = createOverrideBook([override('b', 'p/m', 1, PRICE), override('a', 'p/m', 1, null)], never)
    expect(book.find('p', 'm', at(1))).toBeUndefined()
  })

  test('falls back to a beginning where the exact price is removed', () => {
    const book = createOverrideBook(
      [
        override('a', 'p/gpt*', 1, PRICE),
        override('b', 'p/gpt-4o', 1, PRICE),
        override('c', 'p/gpt-4o', 3, null),
      ],
      never,
    )
    expect(book.find('p', 'gpt-4o', at(2))?.version).toBe('override:o:b')
    expect(book.find('p', 'gpt-4o', at(4))?.version).toBe('override:o:a')
  })

  test('leaves out what cannot be charged by, and says so', () => {
    const onError = vi.fn()
    const bad = override('a', 'p/m', 1, { ...PRICE, inputPerMillionUsd: -1 })
    const book = createOverrideBook([bad, override('b', 'p/n', 1, PRICE)], onError)
    expect(onError).toHaveBeenCalledExactlyOnceWith(expect.any(RangeError), bad)
    expect(book.find('p', 'm', at(2))).toBeUndefined()
    expect(book.find('p', 'n', at(2))).toBeDefined()
  })
})
