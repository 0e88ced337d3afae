import { describe, expect, it } from 'vitest'
import { RetryBudget } from './retry-budget.ts'

describe('RetryBudget', () => {
  it('allows a burst and then one further try for five calls', () => {
    const budget = new RetryBudget(() => 0)
    let taken = 0
    while (budget.take()) taken++
    expect(taken).toBe(100)
    for (let calls = 0; calls < 50; calls++) {
      budget.begin()
      if (budget.take()) taken++
    }
    expect(taken).toBe(110)
  })

  it('fills up with time, and never beyond its size', () => {
    let nowMs = 0
    const budget = new RetryBudget(() => nowMs)
    while (budget.take());
    nowMs = 1000
    expect([budget.take(), budget.take(), budget.take()]).toEqual([true, true, false])
    nowMs = 10_000_000
    let taken = 0
    while (budget.take()) taken++
    expect(taken).toBe(100)
  })
})
