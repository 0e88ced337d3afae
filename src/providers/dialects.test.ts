import { describe, expect, it } from 'vitest'
import { DIALECTS } from './dialects.ts'
import { KINDS } from './kinds.ts'
import { createProvider, type ProviderSettings } from './provider-set.ts'

function provider(kindName: string, changes: Partial<ProviderSettings> = {}) {
  const kind = KINDS.get(kindName)
  if (kind === undefined) throw new Error(kindName)
  return createProvider('p', kind, {
    kind: kindName,
    baseUrl: 'http://127.0.0.1:1',
    headers: {},
    connectTimeoutMs: 1,
    firstByteTimeoutMs: 1,
    idleTimeoutMs: 1,
    onCancel: 'abort',
    ...changes,
  })
}

describe('DIALECTS', () => {
  it('have one for each format', () => {
    for (const format of ['chat', 'responses', 'messages', 'gemini'] as const)
      expect(DIALECTS.ofFormat(format).format).toBe(format)
  })

  it('translate for a provider into the dialect of its kind', () => {
    expect(DIALECTS.ofProvider(provider('openai'), 'gpt-4o').format).toBe('chat')
    expect(DIALECTS.ofProvider(provider('anthropic'), 'claude-sonnet-4-5').format).toBe('messages')
    expect(DIALECTS.ofProvider(provider('google'), 'gemini-2.5-pro').format).toBe('gemini')
  })

  it('use the Responses API where the settings or the model ask for it', () => {
    expect(DIALECTS.ofProvider(provider('openai', { api: 'responses' }), 'gpt-4o').format).toBe('responses')
    expect(DIALECTS.ofProvider(provider('openai'), 'o3-pro').format).toBe('responses')
    expect(DIALECTS.ofProvider(provider('openai', { api: 'chat' }), 'o3-pro').format).toBe('chat')
    expect(DIALECTS.ofProvider(provider('mistral'), 'o3-pro').format).toBe('chat')
  })

  it('make vectors in one of two shapes', () => {
    expect(DIALECTS.embeddingOf(provider('openai')).format).toBe('embeddings')
    expect(DIALECTS.embeddingOf(provider('google')).format).toBe('gemini-embeddings')
  })

  it('count tokens ahead where the provider does', () => {
    expect(DIALECTS.tokenCountOf(provider('anthropic'))?.format).toBe('messages')
    expect(DIALECTS.tokenCountOf(provider('google'))?.format).toBe('gemini')
    expect(DIALECTS.tokenCountOf(provider('openai'))).toBeUndefined()
  })

  it('have one for every kind of the table', () => {
    for (const name of KINDS.keys()) {
      const each = provider(name)
      expect(['chat', 'responses', 'messages', 'gemini']).toContain(DIALECTS.ofProvider(each, 'm').format)
      expect(DIALECTS.embeddingOf(each)).toBeDefined()
    }
  })
})
