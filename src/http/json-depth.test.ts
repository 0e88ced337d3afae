import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nestsDeeperThan } from './json-depth.ts'

function depthOf(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0
  return 1 + Math.max(0, ...Object.values(value).map(depthOf))
}

describe('nestsDeeperThan()', () => {
  it('finds the depth of any JSON', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 8 }), (value) => {
        const depth = depthOf(value)
        expect(nestsDeeperThan(value, depth)).toBe(false)
        if (depth > 0) expect(nestsDeeperThan(value, depth - 1)).toBe(true)
      }),
    )
  })

  it('goes no deeper than it has to', () => {
    const deep: unknown = JSON.parse('['.repeat(1_000_000) + ']'.repeat(1_000_000))
    expect(nestsDeeperThan(deep, 500)).toBe(true)
  })

  it('reads the names of the prototype as any others', () => {
    const named: unknown = JSON.parse('{"__proto__":{"a":{}},"constructor":[[[]]]}')
    expect(nestsDeeperThan(named, 3)).toBe(true)
    expect(nestsDeeperThan(named, 4)).toBe(false)
  })
})
