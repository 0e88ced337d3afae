import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createBackoff } from './backoff.ts'

describe('createBackoff()', () => {
  it('stays between the shortest and the longest wait', () => {
    fc.assert(
      fc.property(fc.array(fc.double({ min: 0, max: 0.999, noNaN: true }), { minLength: 1 }), (draws) => {
        let index = 0
        const next = createBackoff(() => draws[index++ % draws.length] ?? 0)
        for (let tries = 0; tries < 20; tries++) {
          const waitMs = next()
          expect(waitMs).toBeGreaterThanOrEqual(50)
          expect(waitMs).toBeLessThanOrEqual(1000)
        }
      }),
    )
  })

  it('grows where the draws are high and comes back where they are low', () => {
    const draws = [0.99, 0.99, 0.99, 0]
    const next = createBackoff(() => draws.shift() ?? 0)
    const waits = [next(), next(), next(), next()]
    expect(waits[1]).toBeGreaterThan(waits[0] ?? 0)
    expect(waits[2]).toBeGreaterThan(waits[1] ?? 0)
    expect(waits[3]).toBe(50)
  })
})
