import { describe, expect, it } from 'vitest'
import {
  dollarsFor,
  momentTitle,
  percentOf,
  periodTitle,
  roundDollars,
  shareOf,
  thousands,
} from './pdf-figures.ts'
import { toPrintable } from './pdf-text.ts'

describe('roundDollars()', () => {
  it.each([
    ['1234567.891', 2, '$1,234,567.89'],
    ['0.005', 2, '$0.01'],
    ['0.004999999', 2, '$0.00'],
    ['-0.005', 2, '-$0.01'],
    ['-0.001', 2, '$0.00'],
    ['999.999', 2, '$1,000.00'],
    ['0.000000001', 6, '$0.000000'],
    ['12', 4, '$12.0000'],
  ])('roundDollars() of %s to %s decimals is %s', (usd, decimals, shown) => {
    expect(roundDollars(usd, decimals)).toBe(shown)
  })
})

describe('dollarsFor()', () => {
  it.each([
    ['250', '$1.50'],
    ['20', '$1.5000'],
    ['0.5', '$1.500000'],
  ])('dollarsFor() a total of %s shows 1.5 as %s', (total, shown) => {
    expect(dollarsFor(total)('1.5')).toBe(shown)
  })
})

describe('percentOf()', () => {
  it.each([
    ['1', '3', '33.3 %'],
    ['3', '3', '100.0 %'],
    ['0.0001', '3', '< 0.1 %'],
    ['0', '3', '0 %'],
    ['0', '0', '0 %'],
  ])('percentOf() %s of %s is %s', (part, whole, shown) => {
    expect(percentOf(part, whole)).toBe(shown)
  })
})

describe('shareOf()', () => {
  it('shareOf() stays between 0 and 1', () => {
    expect([shareOf('1', '4'), shareOf('5', '4'), shareOf('-1', '4'), shareOf('1', '0')]).toEqual([
      0.25, 1, 0, 0,
    ])
  })
})

describe('titles', () => {
  it('thousands(), periodTitle() and momentTitle() read as people write', () => {
    expect(thousands(1234567n)).toBe('1,234,567')
    expect(thousands(999)).toBe('999')
    expect(periodTitle('2024-02', '2024-03-01T00:00:00.000Z')).toBe('1 – 29 February 2024')
    expect(momentTitle('2026-03-02T09:12:44.000Z')).toBe('2 March 2026, 09:12 UTC')
  })
})

describe('toPrintable()', () => {
  it.each([
    ['Löwen & Co – “x” €', 'Löwen & Co – “x” €'],
    ['Łódź', 'Lódz'],
    ['ő ﬁ', 'o fi'],
    ['日本', '??'],
    ['a\n\tb', 'a b'],
    ['zero\u0000', 'zero?'],
  ])('toPrintable() of %j is %j', (text, printable) => {
    expect(toPrintable(text)).toBe(printable)
  })
})
