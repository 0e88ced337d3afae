import { describe, expect, test } from 'vitest'
import { createCatalogue } from './catalogue.ts'

const catalogue = createCatalogue(() => Date.parse('2026-11-21T12:00:00Z'))

describe('serves()', () => {
  test('knows each maker’s models, by any of their names', () => {
    expect(catalogue.serves('openai', 'gpt-4o')).toBe(true)
    expect(catalogue.serves('openai', 'gpt-4o-2024-08-06')).toBe(true)
    expect(catalogue.serves('anthropic', 'claude-sonnet-4-5-20250929')).toBe(true)
    expect(catalogue.serves('google', 'gemini-2.5-pro')).toBe(true)
    expect(catalogue.serves('groq', 'llama-3.3-70b-versatile')).toBe(true)
  })

  test('gives each of the three big makers’ models to one of them only', () => {
    const servers = (model: string) =>
      ['openai', 'anthropic', 'google'].filter((provider) => catalogue.serves(provider, model))
    expect(servers('gpt-4o')).toEqual(['openai'])
    expect(servers('claude-sonnet-4-5')).toEqual(['anthropic'])
    expect(servers('gemini-2.5-flash')).toEqual(['google'])
    expect(servers('no-such-model')).toEqual([])
  })

  test('knows what a provider without models of its own resells', () => {
    expect(catalogue.serves('azure', 'gpt-4o')).toBe(true)
    expect(catalogue.serves('openrouter', 'anthropic/claude-sonnet-4.5')).toBe(true)
  })

  test('knows nothing of unknown providers and endless names', () => {
    expect(catalogue.serves('nobody', 'gpt-4o')).toBe(false)
    expect(catalogue.serves('openai', 'gpt-4o'.repeat(1000))).toBe(false)
  })

  test('still knows a model after thousands of invented names', () => {
    for (let i = 0; i < 2500; i++) catalogue.serves('openai', `invented-${i}`)
    expect(catalogue.serves('openai', 'gpt-4o')).toBe(true)
    expect(catalogue.serves('openai', 'invented-2499')).toBe(false)
  })
})

describe('contextWindow()', () => {
  test('is what the data says, and undefined where it says nothing', () => {
    expect(catalogue.contextWindow('openai', 'gpt-4o')).toBe(128_000)
    expect(catalogue.contextWindow('anthropic', 'claude-3-5-haiku-latest')).toBe(200_000)
    expect(catalogue.contextWindow('openai', 'no-such-model')).toBeUndefined()
  })
})

describe('modelNames()', () => {
  test('lists names that the provider serves', () => {
    const names = catalogue.modelNames('anthropic')
    expect(names).toContain('claude-sonnet-4-5')
    expect(names.every((name) => catalogue.serves('anthropic', name))).toBe(true)
  })

  test('is empty for a provider that nobody knows', () => {
    expect(catalogue.modelNames('nobody')).toEqual([])
  })
})
