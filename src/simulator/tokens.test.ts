import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { countTokens, firstTokens, toGroups, toTokens, toWords } from './tokens.ts'

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' }), fc.lorem({ mode: 'sentences' }))

describe('tokens', () => {
  it.each([
    ['', 0],
    ['word', 1],
    ['words', 2],
    ['Hello, world!', 6],
    ['  two   words ', 3],
    ['{"city":"Rome"}', 9],
    ['   ', 1],
    ['日本語テキスト', 2],
    ['😀😀😀😀😀', 2],
  ])('countTokens() follows the documented rule for %j', (input, count) => {
    expect(countTokens(input)).toBe(count)
  })

  it('toTokens() gives as many tokens as countTokens() says, and they join to the text', () => {
    fc.assert(
      fc.property(text, (value) => {
        const tokens = toTokens(value)
        expect(tokens).toHaveLength(countTokens(value))
        expect(tokens.join('')).toBe(value)
        // What leaves token by token has to cost what the whole costs.
        for (const token of tokens) expect(countTokens(token)).toBe(1)
      }),
    )
  })

  it('toTokens() never cuts a character in two', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (value) => {
        for (const token of toTokens(value)) expect(token.isWellFormed()).toBe(true)
      }),
    )
  })

  it('toWords() and toGroups() keep the text and its price', () => {
    fc.assert(
      fc.property(text, fc.integer({ min: 1, max: 9 }), (value, size) => {
        for (const groups of [toWords(value), toGroups(value, size)]) {
          expect(groups.map((group) => group.text).join('')).toBe(value)
          expect(groups.flatMap((group) => group.tokens)).toEqual(toTokens(value))
        }
      }),
    )
  })

  it('firstTokens() keeps no more than it may', () => {
    fc.assert(
      fc.property(text, fc.nat(20), (value, tokensMax) => {
        const cut = firstTokens(value, tokensMax)
        expect(value.startsWith(cut)).toBe(true)
        expect(countTokens(cut)).toBe(Math.min(tokensMax, countTokens(value)))
      }),
    )
  })
})
