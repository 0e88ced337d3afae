import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { GatewayError } from '../core/errors.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming, NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import { createResolver, type Resolver, type ResolverOptions } from './resolve.ts'
import { DEFAULT_POLICY } from './strategy/route-policy.ts'
import type { RouteSettings, StrategyName } from './strategy/route-settings.ts'

function route(strategy: StrategyName, ...targets: readonly [string, number][]): RouteSettings {
  return {
    strategy,
    fallback: true,
    afterFirstToken: 'error',
    retries: 2,
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

function callFor(model: string, task?: string, text = 'Hi'): Exchange {
  return makeExchange({
    incoming: makeIncoming(
      { model, messages: [{ role: 'user', content: text }] },
      { hints: { ...NO_HINTS, task } },
    ),
    caller: { organizationId: 'o', teamId: null, keyId: null, user: null, models: null },
  })
}

const ALL = () => true

function targetsOf(model: string, changes: Partial<ResolverOptions> = {}, task?: string): string[] {
  return resolver(changes)
    .resolve(callFor(model, task), ALL)
    .targets.map((target) => `${target.provider}/${target.model}`)
}

function refusal(model: string, task?: string, changes: Partial<ResolverOptions> = {}): GatewayError {
  try {
    resolver(changes).resolve(callFor(model, task), ALL)
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
    expect(resolver({ routes }).resolve(callFor('gpt-4o'), ALL).route).toBe('gpt-4o')
  })

  it('then provider/model, by the name the provider has for it, slashes and all', () => {
    expect(targetsOf('openai/anything-new')).toEqual(['openai/anything-new'])
    expect(targetsOf('azure/gpt-4o')).toEqual(['azure/my-deployment'])
    expect(targetsOf('openai/accounts/x/models/y')).toEqual(['openai/accounts/x/models/y'])
    expect(resolver().resolve(callFor('azure/gpt-4o'), ALL).route).toBe('azure/gpt-4o')
  })

  it('then a bare name that exactly one provider serves', () => {
    expect(targetsOf('claude-sonnet-4-5')).toEqual(['anthropic/claude-sonnet-4-5'])
    expect(resolver().resolve(callFor('o3'), ALL).route).toBe('openai/o3')
    expect(refusal('shared').code).toBe('model_not_found')
  })

  it('then auto, by the task', () => {
    expect(targetsOf('auto', {}, 'summarization')).toEqual(['openai/gpt-4o', 'anthropic/claude-sonnet-4-5'])
    expect(resolver().resolve(callFor('auto', 'summarization'), ALL).route).toBe('chat')
    expect(refusal('auto').message).toContain('x-gatehouse-task')
    expect(refusal('auto').message).toContain('Known: summarization')
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
    const resolve = () => resolver().resolve(callFor('gpt-4'), (name) => name.startsWith('anthropic/'))
    expect(resolve).toThrow(/anthropic\/claude-sonnet-4-5/)
    expect(resolve).not.toThrow(/openai/)
    expect(() => resolver().resolve(callFor('gpt-4'), () => false)).toThrow(/`gpt-4`\.$/)
  })

  it('says what is missing where there is no name', () => {
    expect(refusal('')).toMatchObject({ code: 'invalid_request', param: 'model' })
    for (const name of ['/', 'openai/', '/gpt-4o']) expect(refusal(name).code).toBe('model_not_found')
  })

  it('forgets names that callers invent before they fill the memory', () => {
    const resolve = resolver().resolve
    for (let i = 0; i < 25_000; i++) resolve(callFor(`openai/m${i}`), ALL)
    expect(resolve(callFor('openai/m1'), ALL).targets[0]?.model).toBe('m1')
  })

  it('never throws anything but its own errors', () => {
    const { resolve } = resolver()
    fc.assert(
      fc.property(fc.string(), fc.option(fc.string(), { nil: undefined }), (model, task) => {
        try {
          expect(resolve(callFor(model, task), ALL).targets.length).toBeGreaterThan(0)
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

describe('auto without a task', () => {
  const routes = new Map([
    ['coder', route('priority', ['openai/a', 1])],
    ['talker', route('priority', ['openai/b', 1])],
  ])
  const planOf = (tasks: Record<string, string>, text: string) =>
    resolver({ routes, tasks: new Map(Object.entries(tasks)) }).resolve(callFor('auto', undefined, text), ALL)

  it('guesses the task from what the user wrote last, and says by what', () => {
    const { route: name, targets } = planOf({ code: 'coder', chat: 'talker' }, 'Refactor this function')
    expect(name).toBe('coder')
    expect(targets[0]?.reason).toBe(
      'task code, guessed by the word "refactor"; the only target of the route coder',
    )
  })

  it('takes the route of chat where the guessed task has none, and nothing where chat has none either', () => {
    expect(planOf({ chat: 'talker' }, 'Translate this').route).toBe('talker')
    expect(planOf({ chat: 'talker' }, 'Hi').targets[0]?.reason).toContain('task chat')
    expect(() => planOf({ code: 'coder' }, 'Hi')).toThrow('x-gatehouse-task')
  })
})

describe('routes of organizations', () => {
  const own = new Map([
    ['chat', route('priority', ['anthropic/claude-sonnet-4-5', 1])],
    ['theirs', route('priority', ['openai/o3', 1])],
    ['gone', route('priority', ['nobody/m', 1], ['openai/o3', 1])],
  ])
  const changes = { routesOf: (id: string) => (id === 'o' ? own : undefined) }

  it('hold before those of the configuration, and for nobody else', () => {
    expect(targetsOf('chat', changes)).toEqual(['anthropic/claude-sonnet-4-5'])
    expect(targetsOf('theirs', changes)).toEqual(['openai/o3'])
    const other = { ...callFor('chat'), caller: undefined }
    expect(resolver(changes).resolve(other, ALL).targets).toHaveLength(2)
    expect(() => resolver(changes).resolve({ ...callFor('theirs'), caller: undefined }, ALL)).toThrow()
  })

  it('do without targets whose provider is not there any more, and give way where none is', () => {
    expect(targetsOf('gone', changes)).toEqual(['openai/o3'])
    const lost = new Map([['chat', route('priority', ['nobody/m', 1])]])
    expect(targetsOf('chat', { routesOf: () => lost })).toEqual([
      'openai/gpt-4o',
      'anthropic/claude-sonnet-4-5',
    ])
  })

  it('routesFor() lists what calls find, each name once', () => {
    const listed = (id: string | undefined) =>
      resolver(changes)
        .routesFor(id)
        .map(({ route: { name }, source }) => `${name} ${source}`)
    expect(listed('o')).toEqual(['chat organization', 'theirs organization', 'gone organization'])
    expect(listed('p')).toEqual(['chat configuration'])
    expect(listed(undefined)).toEqual(['chat configuration'])
  })
})

describe('plans', () => {
  it('carry how the route treats its calls', () => {
    const settings = { ...route('priority', ['openai/a', 1], ['openai/b', 1]), retries: 5, hedgeAfterMs: 700 }
    const plan = resolver({ routes: new Map([['r', settings]]) }).resolve(callFor('r'), ALL)
    expect(plan.policy).toMatchObject({ retries: 5, hedgeAfterMs: 700, timeouts: { totalMs: undefined } })
    expect(resolver().resolve(callFor('openai/x'), ALL).policy).toBe(DEFAULT_POLICY)
  })

  it('are made once where nothing about the call matters', () => {
    const one: Resolver = resolver()
    for (const model of ['chat', 'openai/x', 'o3'])
      expect(one.resolve(callFor(model), ALL)).toBe(one.resolve(callFor(model), ALL))
  })
})
