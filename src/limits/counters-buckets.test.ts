import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { TimeBuckets } from './counters-buckets.ts'

describe('TimeBuckets', () => {
  it('takeDue() gives what is due once its second is over, the earliest second first', () => {
    const buckets = new TimeBuckets<string>()
    for (const [item, atMs] of [
      ['late', 9000],
      ['early', 1999],
      ['same second', 1000],
      ['never', Number.POSITIVE_INFINITY],
    ] as const) {
      buckets.add(item, atMs)
    }
    expect(buckets.takeDue(1999, 10)).toEqual([])
    expect(buckets.takeDue(2000, 10)).toEqual(['early', 'same second'])
    expect(buckets.takeDue(1e15, 10)).toEqual(['late'])
    expect(buckets.takeDue(1e15, 10)).toEqual([])
  })

  it('takeDue() gives no more than asked for, and the rest later', () => {
    const buckets = new TimeBuckets<number>()
    for (let index = 0; index < 10; index++) buckets.add(index, index < 5 ? 0 : 5000)
    expect(buckets.takeDue(10_000, 0)).toEqual([])
    expect(buckets.takeDue(10_000, 4)).toEqual([0, 1, 2, 3])
    expect(buckets.takeDue(10_000, 4)).toEqual([4, 5, 6, 7])
    expect(buckets.takeDue(10_000, 4)).toEqual([8, 9])
  })

  it('takeDue() gives every item once, whatever was added, taken away and added again', () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant('add' as const), atMs: fc.nat(20_000) }),
      fc.record({ kind: fc.constant('delete' as const), which: fc.nat(50) }),
      fc.record({ kind: fc.constant('take' as const), aheadMs: fc.nat(5000), max: fc.nat(6) }),
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const buckets = new TimeBuckets<number>()
        const waiting = new Map<number, number>()
        let nowMs = 0
        let items = 0
        for (const action of steps) {
          if (action.kind === 'add') {
            waiting.set(items, action.atMs)
            buckets.add(items++, action.atMs)
          } else if (action.kind === 'delete') {
            const atMs = waiting.get(action.which)
            if (atMs !== undefined) buckets.delete(action.which, atMs)
            waiting.delete(action.which)
          } else {
            nowMs += action.aheadMs
            const isDue = (atMs: number) => (Math.floor(atMs / 1000) + 1) * 1000 <= nowMs
            const due = [...waiting.values()].filter(isDue).length
            const taken = buckets.takeDue(nowMs, action.max)
            expect(taken).toHaveLength(Math.min(due, action.max))
            for (const item of taken) {
              const atMs = waiting.get(item)
              expect(atMs !== undefined && isDue(atMs)).toBe(true)
              waiting.delete(item)
            }
          }
        }
        const rest = buckets.takeDue(1e9, 1000)
        expect([...rest].sort()).toEqual([...waiting.keys()].sort())
      }),
    )
  })
})
