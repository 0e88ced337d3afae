import { describe, expect, it } from 'vitest'
import { drawnTokens } from './drawn-tokens.ts'

describe('drawnTokens()', () => {
  it.each([
    // What gpt-image-1 needs, where that is more.
    ['low', '1024x1024', 272],
    ['medium', '1024x1536', 1584],
    ['high', '1536x1024', 6240],
    // What OpenAI's calculator says of gpt-image-2.
    ['high', '1024x1024', 7024],
    ['high', '3584x2048', 12_329],
    // Nobody says.
    [undefined, undefined, 6240],
    ['auto', 'auto', 6240],
    ['low', undefined, 408],
    ['hd', '0x1024', 6240],
  ])('of %s and %s is %i', (quality, size, tokens) => {
    expect(drawnTokens(quality, size)).toBe(tokens)
  })

  it('is bounded, whatever the caller writes', () => {
    expect(drawnTokens('high', '9999x9999')).toBe(drawnTokens('high', '3840x3840'))
    expect(drawnTokens('high', '99999x99999')).toBe(6240)
    expect(drawnTokens('high', '9999x9999')).toBeLessThan(25_000)
  })
})
