import { randomUUID } from 'node:crypto'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { NO_REDIS } from '../../test/support/services.ts'
import { systemClock } from '../core/clock.ts'
import type { TakeRequest } from '../limits/ports.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { launchRedis } from './redis-server-fixture.ts'
import { openRedisCounters, openSharedJournal } from './redis-stores.ts'
import type { StorageLogger } from './storage-logger.ts'

const redis = await launchRedis()
const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

function settings(required: boolean) {
  const logged: string[] = []
  const note = (_: object, message: string) => void logged.push(message)
  const logger: StorageLogger = { info: note, warn: note, error: note }
  const url = redis?.url ?? ''
  return { logged, options: { url, logger, clock: systemClock, required, namespace: randomUUID() } }
}

const TAKE: Omit<TakeRequest, 'holdId'> = {
  organizationId: 'acme',
  meters: [],
  amounts: { requests: 1, tokens: 0, costNanoUsd: 0 },
  leaseMs: 1000,
}

describe.skipIf(redis === undefined)(`stores in Redis${redis === undefined ? `: ${NO_REDIS}` : ''}`, () => {
  afterAll(() => redis?.remove())

  it('open where Redis is away, say so once, and work when it is there', async () => {
    await redis?.kill()
    const { logged, options } = settings(false)
    const [{ counters, close }, journal] = await Promise.all([
      openRedisCounters({ ...options, commandTimeoutMs: 250 }),
      openSharedJournal({ ...options, bytesMax: 2 ** 20 }),
    ])
    undo.push(close, () => journal.close())
    await expect(counters.take({ ...TAKE, holdId: 'h-1' })).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
    journal.append(ledgerRow({ id: 'row-1' }))
    await journal.handedOver()
    expect(journal.hasRoom).toBe(true)
    // Two connections of the journal, one of the counters.
    expect(logged.filter((message) => message.includes('cannot be reached, trying'))).toHaveLength(3)

    await redis?.start()
    const generation = async () => counters.generation()
    while ((await generation().catch(() => '')) === '') await new Promise(setImmediate)
    await counters.rebuild('acme', await generation(), [])
    expect(await counters.take({ ...TAKE, holdId: 'h-2' })).toMatchObject({ granted: true })
    const got: string[] = []
    while (got.length === 0)
      await journal.drain(async (rows) => void got.push(...rows.map(({ id }) => id)), 10).catch(() => 0)
    expect(got).toEqual(['row-1'])
  }, 30_000)

  it('do not open where Redis is away and has to be there', async () => {
    await redis?.kill()
    const { options } = settings(true)
    const away = { code: 'storage_unavailable', message: expect.stringContaining('redisRequired') }
    await Promise.all([
      expect(openRedisCounters({ ...options, commandTimeoutMs: 250 })).rejects.toMatchObject(away),
      expect(openSharedJournal({ ...options, bytesMax: 2 ** 20 })).rejects.toMatchObject(away),
    ])
  }, 30_000)
})
