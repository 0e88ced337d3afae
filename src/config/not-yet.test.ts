import { describe, expect, it } from 'vitest'
import { findNotYet } from './not-yet.ts'

describe('findNotYet()', () => {
  it('names what somebody set and nothing else', () => {
    const tree = {
      server: { port: 1 },
      limits: { default: { requestsPerMinute: 2 } },
      breaker: { failures: 2 },
      cache: { exact: true },
      alerts: { thresholds: { latencyMs: 1 } },
      storage: { redis: 'redis://h' },
      models: {
        chat: { targets: ['a/b'], shadow: { provider: 'p', model: 'm', share: 0.1 } },
        plain: { targets: ['a/b'] },
      },
    }
    expect(findNotYet(tree).map(({ path }) => path.join('.'))).toEqual(['cache', 'models.chat.shadow'])
  })

  it('takes anything for a tree', () => {
    for (const tree of [undefined, null, 5, [], { models: 5 }]) expect(findNotYet(tree)).toEqual([])
  })
})
