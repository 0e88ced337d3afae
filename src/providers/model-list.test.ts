import { describe, expect, it } from 'vitest'
import type { Catalogue } from './catalogue.ts'
import { listModels } from './model-list.ts'
import { createProvider, type Provider, type ProviderSettings } from './provider-set.ts'
import { simulatorKind } from './simulator-kind.ts'

const CATALOGUE: Catalogue = {
  serves: (pricesId, model) => pricesId === 'openai' && ['gpt-4o', 'o3'].includes(model),
  contextWindow: () => undefined,
  modelNames: (pricesId) => (pricesId === 'openai' ? ['gpt-4o', 'o3'] : []),
}

function provider(name: string, changes: Partial<ProviderSettings> = {}, pricesId?: string): Provider {
  const kind = {
    ...simulatorKind,
    simulated: pricesId === undefined && name === 'sim',
    ...(pricesId ? { pricesId } : {}),
  }
  const { listPrice: _price, ...rest } = kind
  return createProvider(name, rest, {
    kind: 'x',
    headers: {},
    connectTimeoutMs: 1,
    firstByteTimeoutMs: 1,
    idleTimeoutMs: 1,
    onCancel: 'abort',
    ...changes,
  })
}

const PROVIDERS = new Map([
  ['openai', provider('openai', {}, 'openai')],
  ['azure', provider('azure', { models: { 'gpt-4o': 'deployment' } }, 'openai')],
  ['local', provider('local')],
  ['sim', provider('sim')],
])

describe('listModels()', () => {
  const models = listModels({ chat: {}, 'openai/gpt-4o': {} }, PROVIDERS, CATALOGUE)

  it('lists routes first, then what each provider is known for, each name once', () => {
    expect(models.names).toEqual([
      'chat',
      'openai/gpt-4o',
      'openai/o3',
      'azure/gpt-4o',
      'sim/echo',
      'sim/slow',
      'sim/error',
    ])
    expect(models.suggestions()).toBe(models.names)
  })

  it('knows whose a name is', () => {
    expect(models.ownerOf('chat')).toBe('gatehouse')
    // A route goes before a provider's model of the same name.
    expect(models.ownerOf('openai/gpt-4o')).toBe('gatehouse')
    expect(models.ownerOf('openai/o3')).toBe('openai')
    expect(models.ownerOf('azure/gpt-4o')).toBe('azure')
    expect(models.ownerOf('nothing')).toBe('gatehouse')
  })

  it('knows who serves a bare name: by its own list, else by the catalogue', () => {
    expect(models.serves('openai', 'gpt-4o')).toBe(true)
    expect(models.serves('azure', 'gpt-4o')).toBe(true)
    expect(models.serves('local', 'gpt-4o')).toBe(false)
    expect(models.serves('nobody', 'gpt-4o')).toBe(false)
    for (const name of ['constructor', '__proto__', 'toString'])
      expect(models.serves('azure', name)).toBe(false)
  })
})
