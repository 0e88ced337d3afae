import { describe, expect, it } from 'vitest'
import { Secret } from '../core/secret.ts'
import { KINDS } from './kinds.ts'
import type { ProviderKind } from './provider-kind.ts'
import { createProvider, endpointPath, type ProviderSettings } from './provider-set.ts'
import { simulatorKind } from './simulator-kind.ts'

const SETTINGS: ProviderSettings = {
  kind: 'simulator',
  headers: {},
  connectTimeoutMs: 1000,
  firstByteTimeoutMs: 1000,
  idleTimeoutMs: 1000,
  onCancel: 'abort',
}

function create(changes: Partial<ProviderSettings> = {}, kind: ProviderKind = simulatorKind) {
  return createProvider('p', kind, { ...SETTINGS, ...changes })
}

describe('createProvider()', () => {
  it('sends its key and its headers with every call, and lets nobody replace them', () => {
    const { fixedHeaders } = create({
      apiKey: new Secret('sk-1'),
      headers: { 'X-Team': new Secret('search'), Authorization: new Secret('Bearer other') },
    })
    expect(fixedHeaders).toEqual({ 'x-team': 'search', authorization: 'Bearer sk-1' })
  })

  it('sends no key where there is none', () => {
    expect(create().fixedHeaders).toEqual({})
  })

  it('keeps keys out of what may be logged', () => {
    const provider = create({ apiKey: new Secret('sk-1') })
    expect(JSON.stringify(provider.settings)).not.toContain('sk-1')
  })

  it('takes the prefix of the base URL, with or without a slash at its end', () => {
    expect(create({ baseUrl: 'http://127.0.0.1:1/v1/' }).basePath).toBe('/v1')
    expect(create({ baseUrl: 'http://127.0.0.1:1/a/b' }).basePath).toBe('/a/b')
    expect(create({ baseUrl: 'http://127.0.0.1:1' }).basePath).toBe(simulatorKind.basePath ?? '')
  })

  it('knows the traits of a model, and forgets names that callers invent', () => {
    const kind: ProviderKind = {
      ...simulatorKind,
      traits: { refuses: ['a'] },
      traitsByModel: [{ model: /^o/, traits: { refuses: ['b'], streamOptions: false } }],
    }
    const provider = create({}, kind)
    expect(provider.traits('gpt')).toEqual({ refuses: ['a'] })
    expect(provider.traits('o3')).toEqual({ refuses: ['a', 'b'], streamOptions: false })
    expect(provider.traits('o3')).toBe(provider.traits('o3'))
    for (let i = 0; i < 3000; i++) provider.traits(`m${i}`)
    expect(provider.traits('o3')).toEqual({ refuses: ['a', 'b'], streamOptions: false })
  })
})

describe('endpointPath()', () => {
  const provider = create({ baseUrl: 'http://127.0.0.1:1/base' })

  it('is the path of an operation behind the base, or none', () => {
    expect(endpointPath(provider, 'embedding', 'm')).toBe(`/base${simulatorKind.endpoints.embedding}`)
    expect(endpointPath(provider, 'token-count', 'm')).toBeUndefined()
  })

  it('holds the name of the model, written so that it stays one', () => {
    const path = (model: string) => endpointPath(provider, 'gemini', model)
    expect(path('gemini-2.5-pro')).toMatch(/\/models\/gemini-2\.5-pro:generateContent$/)
    expect(path('tuned/x y')).toMatch(/\/models\/tuned\/x%20y:generateContent$/)
    expect(path('a?b#c%2e')).toMatch(/\/models\/a%3Fb%23c%252e:generateContent$/)
    expect(path('$&$1')).toMatch(/\/models\/%24%26%241:generateContent$/)
  })

  it.each(['..', '../../admin', 'a/../b', 'a//b', '/a', 'a/', '.', ''])(
    'refuses %j, which would leave it',
    (model) => {
      expect(() => endpointPath(provider, 'gemini', model)).toThrow(
        expect.objectContaining({ code: 'invalid_request', param: 'model' }),
      )
    },
  )
})

describe('KINDS', () => {
  it('each have a path for every format that they speak', () => {
    for (const { name, formats, endpoints } of KINDS.values()) {
      expect([name, formats.filter((format) => endpoints[format] === undefined)]).toEqual([name, []])
    }
  })

  it('name their header for the key in lower case, which nothing replaces', () => {
    for (const { name, auth } of KINDS.values()) {
      expect([name, auth.header]).toEqual([name, auth.header.toLowerCase()])
    }
  })
})
