import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { orderByCost } from './cheapest.ts'
import { orderBySpeed } from './fastest.ts'
import { seeded } from './fixtures/seeded.ts'
import { orderByTier } from './good-enough.ts'
import { orderByLoad } from './least-busy.ts'

describe('orderByCost()', () => {
  it('puts the cheapest first, unknown costs last, and fallbacks behind all', () => {
    expect(orderByCost([300, 100, undefined, 1, 200], [1, 1, 1, 0, 1])).toEqual([1, 4, 0, 2, 3])
  })

  it('goes by weight, then by the order of the route, where costs are equal or unknown', () => {
    expect(orderByCost([undefined, undefined, undefined], [1, 3, 1])).toEqual([1, 0, 2])
    expect(orderByCost([5, 5, 5], [2, 2, 3])).toEqual([2, 0, 1])
  })
})

describe('orderBySpeed()', () => {
  const known = (expectedMs: number, evidence = 30) => ({ expectedMs, evidence })
  const NEW = { expectedMs: undefined, evidence: 0 }

  it('puts the fastest first', () => {
    const { places, why } = orderBySpeed([known(900), known(300), known(600)], [1, 1, 1], 0, 0.5)
    expect([places, why]).toEqual([[1, 2, 0], 'fastest'])
  })

  it('draws while nothing is measured', () => {
    const { places, why } = orderBySpeed([NEW, NEW, NEW], [1, 1, 1], 2, 0.5)
    expect([places[0], why]).toEqual([2, 'unmeasured'])
  })

  it('sends a tenth to what nobody knows, and a hundredth to what was measured long ago', () => {
    const shares = (second: { expectedMs: number | undefined; evidence: number }) => {
      const random = seeded(3)
      let explored = 0
      for (let call = 0; call < 10_000; call++)
        if (orderBySpeed([known(300), second], [1, 1], 0, random()).why === 'explored') explored++
      return explored / 10_000
    }
    expect(shares(NEW)).toBeCloseTo(0.1, 1)
    expect(shares(known(900))).toBeLessThan(0.02)
    expect(shares(known(900))).toBeGreaterThan(0.003)
  })

  it('explores the one of which is known least, and never a fallback', () => {
    const speeds = [known(300), known(900, 20), known(800, 3), NEW]
    expect(orderBySpeed(speeds, [1, 1, 1, 0], 0, 0).places).toEqual([2, 0, 1, 3])
  })
})

describe('orderByLoad()', () => {
  it('goes by the calls under way for the weight', () => {
    expect(orderByLoad([4, 1, 9], [4, 1, 10], 0)).toEqual([2, 0, 1])
    expect(orderByLoad([4, 2, 0], [4, 1, 0], 0)).toEqual([0, 1, 2])
  })

  it('draws by weight where loads are equal', () => {
    const random = seeded(5)
    const firsts = [0, 0, 0]
    for (let call = 0; call < 10_000; call++) {
      const [first = 0] = orderByLoad([0, 0, 0], [7, 2, 1], random())
      firsts[first] = (firsts[first] ?? 0) + 1
    }
    expect(firsts.map((count) => count / 10_000)).toEqual([
      expect.closeTo(0.7, 1),
      expect.closeTo(0.2, 1),
      expect.closeTo(0.1, 1),
    ])
  })
})

describe('orderByTier()', () => {
  it('puts the cheapest that is good enough first, then the best of the others', () => {
    const tiers = ['small', 'large', 'medium', 'large'] as const
    const costs = [1, 100, 10, 90]
    expect(orderByTier('small', tiers, costs, [1, 1, 1, 1])).toEqual([0, 2, 3, 1])
    expect(orderByTier('medium', tiers, costs, [1, 1, 1, 1])).toEqual([2, 3, 1, 0])
    expect(orderByTier('large', tiers, costs, [1, 1, 1, 0])).toEqual([1, 2, 0, 3])
  })
})

describe('every order', () => {
  it('names each place exactly once', () => {
    const target = fc.record({
      cost: fc.option(fc.nat(), { nil: undefined }),
      ms: fc.option(fc.nat(), { nil: undefined }),
      busy: fc.nat(9),
      weight: fc.nat(3),
      tier: fc.constantFrom('small' as const, 'medium' as const, 'large' as const),
    })
    const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
    fc.assert(
      fc.property(fc.array(target, { minLength: 1, maxLength: 6 }), random, (targets, drawn) => {
        const weights = targets.map(({ weight }) => weight)
        const costs = targets.map(({ cost }) => cost)
        const speeds = targets.map(({ ms }) => ({ expectedMs: ms, evidence: ms === undefined ? 0 : 9 }))
        const all = targets.map((_, place) => place)
        for (const order of [
          orderByCost(costs, weights),
          orderBySpeed(speeds, weights, 0, drawn).places,
          orderByLoad(
            targets.map(({ busy }) => busy),
            weights,
            drawn,
          ),
          orderByTier(
            'medium',
            targets.map(({ tier }) => tier),
            costs,
            weights,
          ),
        ])
          expect([...order].sort()).toEqual(all)
      }),
    )
  })
})
