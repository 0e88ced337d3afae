import { randomUUID } from 'node:crypto'
import { describe, it } from 'vitest'
import { NO_REDIS, redisUrl } from '../../test/support/services.ts'
import { describeCounters } from '../limits/counters-conformance.ts'
import type { CountersTarget } from '../limits/counters-samples.ts'
import { openReplicas } from './redis-counters-fixture.ts'

const REPLICAS = 3
const url = await redisUrl()

if (url === undefined) describe.skip(`counters in Redis (${NO_REDIS})`, () => it('is skipped', () => {}))
else {
  describeCounters('counters in Redis', async ({ unknown }): Promise<CountersTarget> => {
    const time = { nowMs: Date.UTC(2026, 0, 1) }
    const namespace = `test-${randomUUID()}`
    const { replicas, close } = await openReplicas(url, REPLICAS, {
      unknown,
      namespace,
      testNow: () => time.nowMs,
    })
    return { replicas, time, close }
  })
}
