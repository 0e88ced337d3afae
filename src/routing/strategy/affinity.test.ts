import { describe, expect, it } from 'vitest'
import { Affinity } from './affinity.ts'

describe('Affinity', () => {
  it('forgets a session that was silent for its time, and no sooner', () => {
    const affinity = new Affinity(10, 1000)
    affinity.remember('s', 'p/m', 0)
    expect(affinity.find('s', 999)).toBe('p/m')
    affinity.remember('s', 'p/m', 999)
    expect(affinity.find('s', 1998)).toBe('p/m')
    expect(affinity.find('s', 1999)).toBeUndefined()
    expect(affinity.find('other', 0)).toBeUndefined()
  })

  it('holds no more than its bound, and forgets what was silent longest', () => {
    const affinity = new Affinity(3, 1000)
    for (const session of ['a', 'b', 'c']) affinity.remember(session, 'p/m', 0)
    affinity.remember('a', 'p/n', 1)
    affinity.remember('d', 'p/m', 2)
    expect(affinity.size).toBe(3)
    expect(['a', 'b', 'c', 'd'].map((session) => affinity.find(session, 3))).toEqual([
      'p/n',
      undefined,
      'p/m',
      'p/m',
    ])
  })
})
