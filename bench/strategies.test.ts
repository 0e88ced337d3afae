import { describe, expect, it } from 'vitest'
import { FLEETS, simulate } from './strategies.ts'

const CALLS = 12_000

describe('simulate()', () => {
  const [mixed, crowded] = FLEETS
  if (mixed === undefined || crowded === undefined) throw new Error('There are two fleets.')

  it('cheapest costs less than a third of what chance costs', () => {
    const chance = simulate(mixed, 'weighted', CALLS)
    expect(simulate(mixed, 'cheapest', CALLS).costMilliUsd).toBeLessThan(chance.costMilliUsd / 3)
  })

  it('fastest takes less than two thirds of the time of chance, though the fastest has a bad hour', () => {
    for (const fleet of [mixed, crowded]) {
      const chance = simulate(fleet, 'weighted', CALLS)
      const fastest = simulate(fleet, 'fastest', CALLS)
      expect(fastest.meanMs).toBeLessThan((chance.meanMs * 2) / 3)
      expect(fastest.p95Ms).toBeLessThan((chance.p95Ms * 2) / 3)
    }
  })

  it('least-busy takes less than half of the time of chance where providers are crowded', () => {
    const chance = simulate(crowded, 'weighted', CALLS)
    const leastBusy = simulate(crowded, 'least-busy', CALLS)
    expect(leastBusy.meanMs).toBeLessThan(chance.meanMs / 2)
    expect(leastBusy.p95Ms).toBeLessThan(chance.p95Ms / 2)
  })
})
