import { describe, expect, it } from 'vitest'
import type { Attempt, Exchange } from '../../pipeline/exchange.ts'
import { makeExchange, makeIncoming, NO_HINTS } from '../../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../attempt.ts'
import { Affinity } from './affinity.ts'
import { toSet } from './capabilities.ts'
import { compileRoute, type RouteMeans } from './compile-route.ts'
import { seeded } from './fixtures/seeded.ts'
import { Pace } from './pace.ts'
import type { RouteSettings, TargetSettings } from './route-settings.ts'
import { NOTHING_KNOWN, type TargetFacts } from './target-facts.ts'

const A: TargetSettings = { provider: 'p', model: 'a', weight: 1 }
const B: TargetSettings = { provider: 'p', model: 'b', weight: 1 }
const C: TargetSettings = { provider: 'q', model: 'c', weight: 1 }

function house(changes: Partial<RouteSettings> = {}, means: Partial<RouteMeans> = {}) {
  const settings: RouteSettings = {
    targets: [A, B, C],
    strategy: 'priority',
    fallback: true,
    afterFirstToken: 'error',
    retries: 2,
    ...changes,
  }
  return compileRoute('r', settings, settings.targets, {
    pace: new Pace(),
    affinity: new Affinity(),
    costOf: () => undefined,
    factsOf: () => NOTHING_KNOWN,
    isHealthy: () => true,
    monotonicMs: () => 0,
    random: () => 0,
    ...means,
  })
}

interface Asked {
  readonly session?: string
  readonly user?: string
  readonly organizationId?: string
  readonly operation?: Exchange['incoming']['operation']
}

function call(json: Record<string, unknown> = {}, asked: Asked = {}): Exchange {
  const { session, user, organizationId = 'o', operation = 'chat' } = asked
  return makeExchange({
    incoming: makeIncoming(
      { messages: [{ role: 'user', content: 'Hi' }], ...json },
      { hints: { ...NO_HINTS, session }, operation },
    ),
    caller: { organizationId, teamId: null, keyId: null, user: user ?? null, models: null },
  })
}

function order(route: ReturnType<typeof house>, asked: Exchange = call()): string {
  return route
    .plan(asked)
    .targets.map(({ model }) => model)
    .join(' ')
}

function reason(route: ReturnType<typeof house>, asked: Exchange = call(), place = 0): string | undefined {
  return route.plan(asked).targets[place]?.reason
}

describe('the strategies', () => {
  const costs: Readonly<Record<string, number>> = { a: 3, b: 1, c: 2 }
  const costOf: RouteMeans['costOf'] = ({ model }, _, input, output) =>
    (costs[model] ?? 0) * 1000 * (input + output)

  it('priority keeps the order of the route', () => {
    expect(order(house())).toBe('a b c')
    expect([reason(house()), reason(house(), call(), 1)]).toEqual([
      'first in the order of the route',
      'number 2 in the order of the route',
    ])
  })

  it('weighted says what it drew from', () => {
    const route = house({ strategy: 'weighted', targets: [A, { ...B, weight: 3 }] }, { random: () => 0.5 })
    expect(order(route)).toBe('b a')
    expect([reason(route), reason(route, call(), 1)]).toEqual([
      'drawn by its weight of 3 in 4',
      'after a failure, by its weight of 1',
    ])
  })

  it('cheapest goes by the price of this call, and says it', () => {
    const route = house({ strategy: 'cheapest' }, { costOf })
    expect(order(route)).toBe('b c a')
    expect(reason(route, call({ max_tokens: 100 }))).toMatch(/^the cheapest: about 0\.000\d+ USD$/)
    expect(reason(house({ strategy: 'cheapest' }))).toBe('the cheapest: a price that nobody knows')
  })

  it('cheapest expects what the targets usually write, within the cap of the caller', () => {
    // Cheap to read and dear to write, and the other way round.
    const byKind: RouteMeans['costOf'] = ({ model }, _, input, output) =>
      model === 'a' ? input + 9 * output : 9 * input + output
    const pace = new Pace()
    pace.ended(answered('p', 'a', 1000), 1000)
    const route = house({ strategy: 'cheapest', targets: [A, B] }, { costOf: byKind, pace })
    expect(order(route)).toBe('b a')
    expect(order(route, call({ max_tokens: 5 }))).toBe('a b')
  })

  it('cheapest draws by weight where all cost the same', () => {
    const route = house({ strategy: 'cheapest' }, { costOf: () => 7, random: () => 0.5 })
    expect(order(route)).toBe('b a c')
  })

  it('fastest goes by what was measured', () => {
    const pace = new Pace()
    for (let i = 0; i < 5; i++) {
      pace.ended(answered('p', 'a', 900), 900)
      pace.ended(answered('p', 'b', 300), 900)
      pace.ended(answered('q', 'c', 600), 900)
    }
    const route = house({ strategy: 'fastest' }, { pace, random: () => 0.5, monotonicMs: () => 900 })
    expect(order(route)).toBe('b c a')
    expect(reason(route)).toBe('the fastest of late: about 300 ms expected')
    expect(reason(house({ strategy: 'fastest' }))).toBe(
      'drawn, because nothing is measured yet: not measured yet',
    )
  })

  it('least-busy goes by what is under way', () => {
    const pace = new Pace()
    pace.began(answered('p', 'a', 1))
    pace.began(answered('q', 'c', 1))
    const route = house({ strategy: 'least-busy' }, { pace })
    expect(order(route)).toBe('b a c')
    expect(reason(route)).toBe('the least busy: 0 calls under way for a weight of 1')
  })

  it('complexity takes the cheapest that is good enough, and says by what', () => {
    const targets: TargetSettings[] = [
      { ...A, tier: 'large' },
      { ...B, tier: 'small' },
      { ...C, tier: 'large' },
    ]
    const route = house({ strategy: 'complexity', targets }, { costOf })
    expect(order(route)).toBe('b c a')
    expect(reason(route)).toContain('complexity 0 of 100, so small is enough; small for about')
    const hard = call({
      messages: [{ role: 'user', content: 'Analyze this contract.\n'.repeat(500) }],
      tools: [{ type: 'function' }],
    })
    expect(order(route, hard)).toBe('c a b')
    expect(reason(route, hard)).toMatch(/^complexity \d+ of 100 \(analysis 25, length \d+, tools 6\)/)
  })
})

describe('capabilities', () => {
  const facts = (known: Partial<Record<string, Partial<TargetFacts>>>): Partial<RouteMeans> => ({
    factsOf: (_, model) => ({ ...NOTHING_KNOWN, ...known[model] }),
  })

  it('puts a target last that lacks what the call needs, and says what', () => {
    const route = house(
      { targets: [{ ...A, lacks: ['images'] }, B, C] },
      facts({ b: { lacks: toSet('tools') } }),
    )
    expect(order(route)).toBe('a b c')
    const asked = call({
      tools: [{}],
      messages: [{ role: 'user', content: [{ type: 'image_url' }] }],
    })
    expect(order(route, asked)).toBe('c a b')
    expect(reason(route, asked, 1)).toBe('last, because it does not take pictures')
    expect(reason(route, asked, 2)).toBe('last, because it does not take tools')
  })

  it('puts a target last whose context is too short for input and output together', () => {
    const route = house({}, facts({ a: { contextTokens: 1000 }, b: { contextTokens: 4000 } }))
    const text = (characters: number) => [{ role: 'user', content: 'x '.repeat(characters / 2) }]
    expect(order(route, call({ messages: text(2000) }))).toBe('a b c')
    expect(order(route, call({ messages: text(2000), max_tokens: 900 }))).toBe('b c a')
    expect(order(route, call({ messages: text(20_000) }))).toBe('c a b')
    expect(reason(route, call({ messages: text(20_000) }), 1)).toMatch(
      /^last, because about \d+ tokens are more than its context of 1000$/,
    )
    expect(route.plan(call()).targets.map(({ contextTokens }) => contextTokens)).toEqual([
      1000,
      4000,
      undefined,
    ])
  })

  it('puts a target last whose provider does not have the operation', () => {
    const route = house({}, facts({ a: { offers: (operation) => operation === 'chat' } }))
    expect(order(route, call({}, { operation: 'embedding' }))).toBe('b c a')
    expect(order(route)).toBe('a b c')
  })

  it('keeps the order where nothing fits: nothing is refused for a guess', () => {
    const route = house({ targets: [A, B, C].map((target) => ({ ...target, lacks: ['tools'] as const })) })
    expect(order(route, call({ tools: [{}] }))).toBe('a b c')
  })
})

describe('affinity', () => {
  const weighted: Partial<RouteSettings> = {
    strategy: 'weighted',
    targets: [
      { ...A, weight: 70 },
      { ...B, weight: 20 },
      { ...C, weight: 10 },
    ],
  }

  it('keeps a session with its target, says so, and keeps the weights in the mean over sessions', () => {
    const route = house(weighted, { random: seeded(11) })
    const firsts = { a: 0, b: 0, c: 0 }
    let stayed = 0
    for (let session = 0; session < 3000; session++) {
      const asked = call({}, { session: `s${session}` })
      const [first, ...later] = [1, 2, 3].map(() => route.plan(asked).targets[0]?.model)
      firsts[first as 'a' | 'b' | 'c']++
      if (later.every((model) => model === first)) stayed++
    }
    expect(stayed).toBe(3000)
    expect(Math.abs(firsts.a / 3000 - 0.7)).toBeLessThan(0.03)
    expect(Math.abs(firsts.b / 3000 - 0.2)).toBeLessThan(0.03)
  })

  it('says why the target stands first', () => {
    let drawn = 0.8
    const route = house(weighted, { random: () => drawn })
    expect(order(route, call({}, { session: 's' }))).toBe('b a c')
    drawn = 0
    expect(order(route, call({}, { session: 's' }))).toBe('b a c')
    expect(reason(route, call({}, { session: 's' }))).toBe(
      'where the session went before, so that its prompt cache is warm',
    )
    expect(order(route, call({}, { session: 's', organizationId: 'other' }))).toBe('a b c')
  })

  it('leaves a target that is away, or that cannot take the call', () => {
    let drawn = 0.8
    let isAway = false
    const route = house(
      { ...weighted, targets: [A, { ...B, lacks: ['tools'] }, C] },
      { random: () => drawn, isHealthy: (_, model) => !(isAway && model === 'b') },
    )
    drawn = 0.5
    expect(order(route, call({}, { session: 's' }))).toBe('b a c')
    drawn = 0
    expect(order(route, call({ tools: [{}] }, { session: 's' }))).toBe('a c b')
    expect(order(route, call({}, { session: 's' }))).toBe('a b c')
    drawn = 0.5
    order(route, call({}, { session: 't' }))
    isAway = true
    drawn = 0
    expect(order(route, call({}, { session: 't' }))).toBe('a b c')
  })

  it('is off for strategies that go by measures, unless the route says otherwise', () => {
    const costs = { a: 3, b: 1, c: 2 }
    const costOf = ({ model }: { model: string }) => costs[model as 'a' | 'b' | 'c']
    const bySession = (affinity?: 'session' | 'off') => {
      const route = house({ strategy: 'cheapest', affinity }, { costOf })
      const first = order(route, call({}, { session: 's' }))
      costs.b = 9
      const second = order(route, call({}, { session: 's' }))
      costs.b = 1
      return [first, second]
    }
    expect(bySession()).toEqual(['b c a', 'c a b'])
    expect(bySession('session')).toEqual(['b c a', 'b c a'])
    const route = house({ ...weighted, affinity: 'off' })
    expect(route.plan(call({}, { session: 's' })).session).toBeUndefined()
  })

  it('takes calls of one user with one system text for a session, where the route asks for it', () => {
    const system = (text: string) => ({ messages: [{ role: 'system', content: text }] })
    const sessionOf = (asked: Exchange, affinity?: 'session') =>
      house({ ...weighted, affinity }).plan(asked).session
    const one = sessionOf(call(system('You are'), { user: 'u' }), 'session')
    expect(one).toBeDefined()
    expect(sessionOf(call(system('You are'), { user: 'u' }), 'session')).toBe(one)
    expect(sessionOf(call(system('You were'), { user: 'u' }), 'session')).not.toBe(one)
    expect(sessionOf(call(system('You are'), { user: 'v' }), 'session')).not.toBe(one)
    expect(sessionOf(call(system('You are')), 'session')).toBeUndefined()
    expect(sessionOf(call(system('You are'), { user: 'u' }))).toBeUndefined()
  })
})

function answered(provider: string, model: string, endedMs: number): Attempt {
  const target = { provider, model, reason: '' }
  return {
    ...newAttempt('a', 1, target, { version: 'v', known: true }, 0),
    dispatched: true,
    firstTokenMs: endedMs,
    endedMs,
    usage: { outputTokens: 256 },
  }
}
