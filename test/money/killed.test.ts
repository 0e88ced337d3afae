import { Redis } from 'ioredis'
import { afterEach, describe, expect, it } from 'vitest'
import { createSimulator } from '../../src/simulator/server.ts'
import type { Database } from '../../src/storage/database.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { launchRedis } from '../../src/storage/redis-server-fixture.ts'
import { createDatabase, createDataDirectory, NO_POSTGRES, NO_REDIS } from '../support/services.ts'
import { endLeases, openHolds } from './lease-ends.ts'
import { at, CALL_NANO_USD, MODEL, PRICES, until } from './replicas.ts'
import { type Result, type Served, startServed } from './served.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

/** Of a budget for so many calls. */
const CALLS = 200
const PARALLEL = 8

async function simulator(): Promise<string> {
  const server = createSimulator()
  const { url } = await server.listen()
  undo.push(() => server.close())
  return url
}

/** Calls until somebody says to stop. @returns all that came of them */
function keepCalling(served: Served, replicas: readonly number[]) {
  const results: Result[] = []
  let goesOn = true
  const callers = Array.from({ length: PARALLEL }, async (_, index) => {
    for (let turn = index; goesOn; turn++) {
      const replica = replicas[turn % replicas.length] ?? 0
      if (!at(served.replicas, replica).isRunning) {
        await new Promise((resolve) => setTimeout(resolve, 20))
        continue
      }
      results.push(await served.send(replica, { body: { stream: turn % 3 === 0, max_tokens: 50 } }))
    }
  })
  return {
    results,
    async stop() {
      goesOn = false
      await Promise.all(callers)
      return results
    },
  }
}

/** @returns nano-dollars that the ledger has, once every answered call stands in it, and none twice */
async function expectEveryCallOnce(database: Database, results: readonly Result[]): Promise<number> {
  const { rows } = await database.query<{ request_id: string; rows: number; cost: number }>(
    'SELECT request_id, count(*)::int8 AS rows, sum(cost_nano_usd)::int8 AS cost FROM ledger WHERE final GROUP BY 1',
  )
  const booked = new Map(rows.map(({ request_id, rows }) => [request_id, rows]))
  expect(rows.filter((row) => row.rows !== 1)).toEqual([])
  expect(results.filter(({ isWhole, id }) => isWhole && booked.get(id) !== 1)).toEqual([])
  return rows.reduce((sum, { cost }) => sum + cost, 0)
}

describe('a replica that is killed under load', () => {
  it('leaves every answered call in the books once, and nothing held', { timeout: 60_000 }, async (test) => {
    const place = await createDatabase()
    if (place === undefined) return test.skip(NO_POSTGRES)
    undo.push(place.drop)
    const server = await launchRedis()
    if (server === undefined) return test.skip(NO_REDIS)
    undo.push(server.remove)
    const redis = new Redis(server.url)
    undo.push(() => redis.disconnect())
    const served = await startServed(
      {
        simulatorUrl: await simulator(),
        databaseUrl: place.url,
        redisUrl: server.url,
        replicas: 2,
        config: { prices: PRICES },
      },
      MODEL,
    )
    undo.push(served.close)
    const limitNanoUsd = CALLS * CALL_NANO_USD
    await served.api('PUT', `/organizations/${served.organizationId}/budget`, {
      monthlyLimitUsd: String(limitNanoUsd / 1e9),
    })
    const load = keepCalling(served, [0, 1])
    const answered = () => load.results.filter(({ isWhole }) => isWhole).length
    await until(() => answered() >= 20, 'some calls are answered')
    await at(served.replicas, 0).kill()
    const held = await openHolds(redis, served.organizationId)
    await at(served.replicas, 0).start()
    // What calls and shares of the dead held is found when their leases end.
    await endLeases(redis, served.organizationId, held)
    const isSpent = () => load.results.some(({ code }) => code === 'budget_exhausted')
    await until(isSpent, 'the budget is spent', 20_000)
    const results = await load.stop()
    await until(async () => (await served.heldNanoUsd()) === 0, 'nothing is held', 15_000)
    for (const replica of served.replicas) await replica.stop()

    const database = await openDatabase({ url: place.url })
    undo.push(() => database.close())
    const spent = await expectEveryCallOnce(database, results)
    expect(spent).toBeLessThanOrEqual(limitNanoUsd)
    expect(spent).toBeGreaterThanOrEqual(0.95 * limitNanoUsd)
  })
})

describe('an embedded gateway that is killed under load', () => {
  it('goes on with its budget where it was', { timeout: 60_000 }, async () => {
    const { folder, remove } = await createDataDirectory()
    undo.push(remove)
    const served = await startServed(
      { simulatorUrl: await simulator(), replicas: 1, template: folder, config: { prices: PRICES } },
      MODEL,
    )
    undo.push(served.close)
    const limitNanoUsd = CALLS * CALL_NANO_USD
    await served.api('PUT', `/organizations/${served.organizationId}/budget`, {
      monthlyLimitUsd: String(limitNanoUsd / 1e9),
    })
    const only = at(served.replicas, 0)
    const load = keepCalling(served, [0])
    const answered = () => load.results.filter(({ isWhole }) => isWhole).length
    await until(() => answered() >= 40, 'some calls are answered')
    await only.kill()
    await only.start()
    await until(
      () => load.results.some(({ code }) => code === 'budget_exhausted'),
      'the budget is spent',
      20_000,
    )
    const results = await load.stop()
    expect(await served.heldNanoUsd()).toBe(0)
    await only.stop()

    const database = await openDatabase({ dataDir: only.dataDir })
    undo.push(() => database.close())
    const spent = await expectEveryCallOnce(database, results)
    expect(spent).toBeLessThanOrEqual(limitNanoUsd)
    expect(spent).toBeGreaterThanOrEqual(0.95 * limitNanoUsd)
  })
})
