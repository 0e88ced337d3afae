import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GatewayError } from '../core/errors.ts'
import { createResolver, type ResolverOptions, type RouteSettings } from './resolve.ts'

function route(strategy: string, ...targets: readonly [string, number][]): RouteSettings {
  return {
    strategy,
    targets: targets.map(([name, weight]) => ({
      provider: name.slice(0, name.indexOf('/')),
      model: name.slice(name.indexOf('/') + 1),
      weight,
    })),
  }
}

const KNOWN: Readonly<Record<string, readonly string[]>> = {
  openai: ['gpt-4o', 'o3', 'shared'],
  azure: ['shared'],
  anthropic: ['claude-sonnet-4-5'],
}

function resolver(changes: Partial<ResolverOptions> = {}) {
  return createResolver({
    routes: new Map([['chat', route('priority', ['openai/gpt-4o', 1], ['anthropic/claude-sonnet-4-5', 1])]]),
    tasks: new Map([['summarization', 'chat']]),
    providers: new Map<string, Readonly<Record<string, string>>>([
      ['openai', {}],
      ['azure', { 'gpt-4o': 'my-deployment' }],
      ['anthropic', {}],
    ]),
    serves: (provider, model) => KNOWN[provider]?.includes(model) === true,
    suggestions: () => ['openai/gpt-4o', 'openai/o3', 'anthropic/claude-sonnet-4-5'],
    random: () => 0,
    ...changes,
  })
}

function targetsOf(model: string, changes: Partial<ResolverOptions> = {}, task?: string): string[] {
  return resolver(changes)
    .resolve(model, task, () => true)
    .targets.map((target) => `${target.provider}/${target.model}`)
}

function refusal(model: string, task?: string, changes: Partial<ResolverOptions> = {}): GatewayError {
  try {
    resolver(changes).resolve(model, task, () => true)
  } catch (error) {
    return error as GatewayError
  }
  throw new Error('It was found.')
}

describe('resolve()', () => {
  it('takes a route first, whatever else the name could mean', () => {
    const routes = new Map([
      ['gpt-4o', route('priority', ['anthropic/claude-sonnet-4-5', 1])],
      ['openai/o3', route('priority', ['anthropic/claude-sonnet-4-5', 1])],
      ['auto', route('priority', ['openai/o3', 1])],
    ])
    expect(targetsOf('gpt-4o', { routes })).toEqual(['anthropic/claude-sonnet-4-5'])
    expect(targetsOf('openai/o3', { routes })).toEqual(['anthropic/claude-sonnet-4-5'])
    expect(targetsOf('auto', { routes }, 'summarization')).toEqual(['openai/o3'])
    expect(resolver({ routes }).resolve('gpt-4o', undefined, () => true).route).toBe('gpt-4o')
  })

  it('then provider/model, by the name the provider has for it, slashes and all', () => {
    expect(targetsOf('openai/anything-new')).toEqual(['openai/anything-new'])
    expect(targetsOf('azure/gpt-4o')).toEqual(['azure/my-deployment'])
    expect(targetsOf('openai/accounts/x/models/y')).toEqual(['openai/accounts/x/models/y'])
    expect(resolver().resolve('azure/gpt-4o', undefined, () => true).route).toBe('azure/gpt-4o')
  })

  it('then a bare name that exactly one provider serves', () => {
    expect(targetsOf('claude-sonnet-4-5')).toEqual(['anthropic/claude-sonnet-4-5'])
    expect(resolver().resolve('o3', undefined, () => true).route).toBe('openai/o3')
    expect(refusal('shared').code).toBe('model_not_found')
  })

  it('then auto, by the task', () => {
    expect(targetsOf('auto', {}, 'summarization')).toEqual(['openai/gpt-4o', 'anthropic/claude-sonnet-4-5'])
    expect(resolver().resolve('auto', 'summarization', () => true).route).toBe('chat')
    expect(refusal('auto').message).toContain('x-gatehouse-task')
    expect(refusal('auto', 'code').message).toContain('Known: summarization')
    expect(refusal('auto', 'constructor').code).toBe('model_not_found')
  })

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'takes %s for a name like any other',
    (name) => {
      expect(targetsOf(`openai/${name}`)).toEqual([`openai/${name}`])
      expect(targetsOf(`azure/${name}`)).toEqual([`azure/${name}`])
      expect(refusal(name).code).toBe('model_not_found')
      expect(refusal(`${name}/gpt-4o`).code).toBe('model_not_found')
      expect(targetsOf(name, { serves: (provider) => provider === 'openai' })).toEqual([`openai/${name}`])
    },
  )

  it('names the nearest, and never a whole essay', () => {
    const error = refusal('gpt-4')
    expect(error.param).toBe('model')
    expect(error.message).toContain('`openai/gpt-4o`')
    expect(error.message.split('`').length).toBeLessThanOrEqual(2 + 2 * 3 + 1)
    expect(refusal('x'.repeat(100_000)).message.length).toBeLessThan(400)
  })

  it('suggests nothing that the caller may not use', () => {
    const resolve = () => resolver().resolve('gpt-4', undefined, (name) => name.startsWith('anthropic/'))
    expect(resolve).toThrow(/anthropic\/claude-sonnet-4-5/)
    expect(resolve).not.toThrow(/openai/)
    expect(() => resolver().resolve('gpt-4', undefined, () => false)).toThrow(/`gpt-4`\.$/)
  })

  it('says what is missing where there is no name', () => {
    expect(refusal('')).toMatchObject({ code: 'invalid_request', param: 'model' })
    for (const name of ['/', 'openai/', '/gpt-4o']) expect(refusal(name).code).toBe('model_not_found')
  })

  it('forgets names that callers invent before they fill the memory', () => {
    const resolve = resolver().resolve
    for (let i = 0; i < 25_000; i++) resolve(`openai/m${i}`, undefined, () => true)
    expect(resolve('openai/m1', undefined, () => true).targets[0]?.model).toBe('m1')
  })

  it('never throws anything but its own errors', () => {
    const { resolve } = resolver()
    fc.assert(
      fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (model, task) => {
        try {
          expect(resolve(model, task, () => true).targets.length).toBeGreaterThan(0)
        } catch (error) {
          expect(['model_not_found', 'invalid_request']).toContain((error as GatewayError).code)
        }
      }),
    )
  })
})

describe('the choice by weight', () => {
  const routes = new Map([
    ['mix', route('weighted', ['openai/a', 10], ['openai/b', 70], ['openai/c', 0], ['openai/d', 20])],
    ['order', route('priority', ['openai/a', 10], ['openai/b', 70])],
    ['one', route('weighted', ['openai/a', 0.5])],
  ])

  it('draws the first target, then tries the others by weight', () => {
    const drawn = (random: number) => targetsOf('mix', { routes, random: () => random }).join(' ')
    expect(drawn(0)).toBe('openai/a openai/b openai/d openai/c')
    expect(drawn(0.0999)).toBe('openai/a openai/b openai/d openai/c')
    expect(drawn(0.1)).toBe('openai/b openai/d openai/a openai/c')
    expect(drawn(0.7999)).toBe('openai/b openai/d openai/a openai/c')
    expect(drawn(0.8)).toBe('openai/d openai/b openai/a openai/c')
    expect(drawn(0.999999)).toBe('openai/d openai/b openai/a openai/c')
  })

  it('leaves the order alone where the configuration gives it', () => {
    expect(targetsOf('order', { routes, random: () => 0.99 })).toEqual(['openai/a', 'openai/b'])
    expect(targetsOf('one', { routes, random: () => 0.99 })).toEqual(['openai/a'])
  })

  it('tries every target exactly once, and none first that has no weight', () => {
    const weights = fc
      .array(fc.nat(5), { minLength: 1, maxLength: 5 })
      .filter((list) => list.some((one) => one > 0))
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, random) => {
        const named = list.map((weight, index): [string, number] => [`openai/${index}`, weight])
        const targets = targetsOf('r', {
          routes: new Map([['r', route('weighted', ...named)]]),
          random: () => random,
        })
        expect([...targets].sort()).toEqual(named.map(([name]) => name).sort())
        expect(new Map(named).get(targets[0] ?? '')).toBeGreaterThan(0)
      }),
    )
  })
})
