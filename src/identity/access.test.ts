import { describe, expect, it } from 'vitest'
import { isModelAllowed, requireModel } from './access.ts'

describe('isModelAllowed()', () => {
  it('allows everything where there is no list, and nothing where it is empty', () => {
    expect(isModelAllowed(null, 'gpt-4o')).toBe(true)
    expect(isModelAllowed([], 'gpt-4o')).toBe(false)
  })

  it('compares whole names, and beginnings only before a star', () => {
    const allowed = ['gpt-4o', 'anthropic/*']
    expect(isModelAllowed(allowed, 'gpt-4o')).toBe(true)
    expect(isModelAllowed(allowed, 'anthropic/claude-sonnet-4-5')).toBe(true)
    for (const name of ['gpt-4o-mini', 'gpt-4', 'GPT-4o', 'anthropic', 'x/anthropic/y', ''])
      expect([name, isModelAllowed(allowed, name)]).toEqual([name, false])
    expect(isModelAllowed(['*'], 'anything')).toBe(true)
  })

  it('takes a star inside of a name for a letter', () => {
    expect(isModelAllowed(['a*b'], 'axb')).toBe(false)
    expect(isModelAllowed(['a*b'], 'a*b')).toBe(true)
  })
})

describe('requireModel()', () => {
  it('is content with any of the names of one model', () => {
    expect(() => requireModel(['openai/*'], ['gpt-4o', 'openai/gpt-4o'])).not.toThrow()
    expect(() => requireModel(null, [])).not.toThrow()
  })

  it('names the model as the caller wrote it', () => {
    expect(() => requireModel(['chat'], ['gpt-4o', 'openai/gpt-4o'])).toThrow(
      expect.objectContaining({
        code: 'model_not_allowed',
        param: 'model',
        message: 'This key may not use the model `gpt-4o`.',
      }),
    )
  })
})
