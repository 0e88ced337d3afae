import { describe, expect, it } from 'vitest'
import { Secret } from '../core/secret.ts'
import { KINDS } from './kinds.ts'
import type { ProviderSettings } from './provider-set.ts'
import { buildProviders, withSimulator } from './provider-table.ts'

function settings(changes: Partial<ProviderSettings> = {}): ProviderSettings {
  return {
    kind: 'openai',
    apiKey: new Secret('sk-1'),
    headers: {},
    connectTimeoutMs: 1000,
    firstByteTimeoutMs: 1000,
    idleTimeoutMs: 1000,
    onCancel: 'abort',
    ...changes,
  }
}

describe('withSimulator()', () => {
  const url = 'http://127.0.0.1:9999'

  it('puts the simulator where there is nobody else', async () => {
    expect(await withSimulator({}, async () => url)).toMatchObject({
      sim: { kind: 'simulator', baseUrl: url },
    })
  })

  it('starts nothing where there are others', async () => {
    const given = { openai: settings(), far: settings({ kind: 'simulator', baseUrl: 'http://far' }) }
    const result = await withSimulator(given, async () => {
      throw new Error('It was started.')
    })
    expect(result).toEqual(given)
  })

  it('gives its address to a simulator that is named without one', async () => {
    const given = { play: settings({ kind: 'simulator' }) }
    expect((await withSimulator(given, async () => url)).play?.baseUrl).toBe(url)
    expect(given.play.baseUrl).toBeUndefined()
  })
})

describe('buildProviders()', () => {
  it('keeps a provider whose settings did not change, and makes any other anew', () => {
    const first = buildProviders(
      {
        same: settings(),
        key: settings(),
        header: settings({ headers: { a: new Secret('1') } }),
        gone: settings(),
      },
      KINDS,
      new Map(),
    )
    const second = buildProviders(
      {
        same: settings(),
        key: settings({ apiKey: new Secret('sk-2') }),
        header: settings({ headers: { a: new Secret('2') } }),
        fresh: settings(),
      },
      KINDS,
      first,
    )
    expect([...second.keys()]).toEqual(['same', 'key', 'header', 'fresh'])
    expect(second.get('same')).toBe(first.get('same'))
    expect(second.get('key')).not.toBe(first.get('key'))
    expect(second.get('header')).not.toBe(first.get('header'))
  })

  it('knows no kind that is not in the table', () => {
    expect(() => buildProviders({ x: settings({ kind: 'constructor' }) }, KINDS, new Map())).toThrow(
      /unknown kind/,
    )
  })
})
