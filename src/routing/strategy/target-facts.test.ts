import { afterAll, describe, expect, it } from 'vitest'
import { createCatalogue } from '../../providers/catalogue.ts'
import { KINDS } from '../../providers/kinds.ts'
import { buildProviders } from '../../providers/provider-table.ts'
import { toNames } from './capabilities.ts'
import { createTargetFacts } from './target-facts.ts'

const settings = {
  headers: {},
  connectTimeoutMs: 1,
  firstByteTimeoutMs: 1,
  idleTimeoutMs: 1,
  onCancel: 'abort',
} as const
const named = ['openai', 'anthropic', 'google', 'deepseek'].map((kind) => [kind, { kind, ...settings }])
const providers = buildProviders(Object.fromEntries(named), KINDS, new Map())
const factsOf = createTargetFacts(
  providers,
  createCatalogue(() => Date.UTC(2026, 10, 21)),
)

afterAll(() => Promise.all([...providers.values()].map((provider) => provider.close())))

describe('createTargetFacts()', () => {
  it('takes the context from the catalogue', () => {
    expect(factsOf('openai', 'gpt-4o').contextTokens).toBe(128_000)
    expect(factsOf('openai', 'of-mine').contextTokens).toBeUndefined()
  })

  it('takes what a model lacks from the traits of its provider', () => {
    expect(toNames(factsOf('openai', 'gpt-4o').lacks)).toEqual(['reasoning'])
    expect(toNames(factsOf('openai', 'o3').lacks)).toEqual([])
    expect(toNames(factsOf('anthropic', 'claude-sonnet-4-5').lacks)).toEqual(['audio', 'choices'])
    expect(toNames(factsOf('anthropic', 'claude-3-haiku-20240307').lacks)).toContain('reasoning')
    expect(toNames(factsOf('google', 'gemini-2.0-flash').lacks)).toEqual(['reasoning'])
    expect(toNames(factsOf('google', 'gemini-2.5-pro').lacks)).toEqual([])
    expect(toNames(factsOf('deepseek', 'deepseek-chat').lacks)).toContain('structured-output')
  })

  it('knows which operations a provider has', () => {
    expect(factsOf('anthropic', 'claude-sonnet-4-5').offers('embedding')).toBe(false)
    expect(factsOf('openai', 'text-embedding-3-small').offers('embedding')).toBe(true)
    for (const operation of ['chat', 'completion', 'token-count'] as const)
      expect(factsOf('anthropic', 'claude-sonnet-4-5').offers(operation)).toBe(true)
  })

  it('takes a provider that is not there for one that can do everything', () => {
    expect(factsOf('nobody', 'm')).toMatchObject({ contextTokens: undefined, lacks: 0 })
  })
})
