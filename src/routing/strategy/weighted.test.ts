import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { seeded } from './fixtures/seeded.ts'
import { drawOne, orderDrawn, toDraw } from './weighted.ts'

describe('drawOne()', () => {
  /** Two-sided 99.9 % of the normal distribution, which the binomial of 10,000 draws is as good as. */
  const Z = 3.291
  const DRAWS = 10_000

  it.each([[[70, 20, 10]], [[1, 1, 1]], [[0.5, 0, 99.5]]])(
    'keeps the weights %j within the 99.9 %% binomial bounds over 10,000 draws',
    (weights) => {
      const draw = toDraw(weights)
      const random = seeded(7)
      const counts = weights.map(() => 0)
      for (let call = 0; call < DRAWS; call++) {
        const place = drawOne(draw, random())
        counts[place] = (counts[place] ?? 0) + 1
      }
      const sum = weights.reduce((total, weight) => total + weight, 0)
      for (const [place, weight] of weights.entries()) {
        const share = weight / sum
        const bound = Z * Math.sqrt(DRAWS * share * (1 - share))
        expect(Math.abs((counts[place] ?? 0) - DRAWS * share)).toBeLessThanOrEqual(bound)
      }
    },
  )

  it('never draws what has no weight, and every place comes exactly once in the order', () => {
    const weights = fc
      .array(fc.nat(5), { minLength: 1, maxLength: 6 })
      .filter((list) => list.some((weight) => weight > 0))
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (list, random) => {
        const draw = toDraw(list)
        const drawn = drawOne(draw, random)
        expect(list[drawn]).toBeGreaterThan(0)
        expect([...orderDrawn(draw, drawn)].sort()).toEqual(list.map((_, place) => place).sort())
      }),
    )
  })
})
