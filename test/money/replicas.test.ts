import { afterEach, describe, expect, it, type TestContext } from 'vitest'
import { ORGANIZATION } from '../../src/limits/policy.ts'
import { CALL_NANO_USD, expectBooksToAgree, type Replicas, startReplicas, until } from './replicas.ts'

const MANY = Array.from({ length: 200 }, (_, index) => index)

let house: Replicas | undefined
afterEach(async () => {
  await house?.close()
  house = undefined
})

async function start(test: TestContext): Promise<Replicas> {
  house = await startReplicas(test)
  return house
}

describe('a budget for 50 calls, on two replicas', () => {
  it.for<[string, object]>([
    ['whole answers', {}],
    ['whole answers with a cap far above what is written', { max_tokens: 1000 }],
    ['streams', { stream: true }],
  ])('is used and not overrun by 200 at once: %s', async ([, body], test) => {
    const open = await start(test)
    await open.budget(ORGANIZATION, { limitNanoUsd: 50 * CALL_NANO_USD })
    const answers = await Promise.all(MANY.map((index) => open.send(index % 2, body)))
    const refused = answers.filter(({ status }) => status !== 200)
    expect(new Set(refused.map(({ code }) => code))).toEqual(new Set(['budget_exhausted']))
    const spent = await open.spent()
    expect(spent).toBeLessThanOrEqual(50 * CALL_NANO_USD)
    expect(spent).toBeGreaterThanOrEqual(0.95 * 50 * CALL_NANO_USD)
    await expectBooksToAgree(open)
    expect(open.errors).toEqual([])
  })

  it('is used and not overrun where half of the clients leave, and others have to try again', async (test) => {
    const open = await start(test)
    await open.budget(ORGANIZATION, { limitNanoUsd: 50 * CALL_NANO_USD })
    const leave = async (replica: number) => {
      const controller = new AbortController()
      const response = await open.post(replica, { stream: true }, {}, controller.signal)
      await response.body?.getReader().read()
      controller.abort()
    }
    await Promise.all(MANY.map((index) => (index % 4 < 2 ? leave(index % 2) : open.send(index % 2, {}))))
    // Whoever left may have left something: others have it.
    for (let turn = 0; turn < 20; turn++) await open.send(turn % 2, {})
    const spent = await open.spent()
    expect(spent).toBeLessThanOrEqual(50 * CALL_NANO_USD)
    expect(spent).toBeGreaterThanOrEqual(0.95 * 50 * CALL_NANO_USD)
    await expectBooksToAgree(open)
  })
})

describe('60 requests per minute, on two replicas', () => {
  it('lets exactly 60 of 100 at once pass', async (test) => {
    const open = await start(test)
    await open.limit(ORGANIZATION, { requestsPerMinute: 60 })
    const answers = await Promise.all(MANY.slice(0, 100).map((index) => open.send(index % 2)))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(60)
    expect(new Set(answers.filter(({ status }) => status !== 200).map(({ code }) => code))).toEqual(
      new Set(['requests_per_minute_exceeded']),
    )
  })
})

/** As the contract says of a change that is made by hand. */
const IN_FORCE_MS = 5000

describe('a change by hand', () => {
  it('of ai_rate_limits and ai_budgets is in force on both replicas within 5 s', async (test) => {
    const open = await start(test)
    await open.limit(ORGANIZATION, { requestsPerMinute: 1000 })
    const codes = () => Promise.all([0, 1].map(async (index) => (await open.send(index)).code))
    expect(await codes()).toEqual([undefined, undefined])

    const change = (sql: string) => open.database.query(sql, [open.organizationId])
    await change(
      `UPDATE ai_rate_limits SET limit_value = 1 WHERE organization_id = $1 AND limit_type = 'requests_per_minute'`,
    )
    await until(
      async () => (await codes()).every((code) => code === 'requests_per_minute_exceeded'),
      'both refuse at the limit',
      IN_FORCE_MS,
    )
    await change(
      `DELETE FROM ai_rate_limits WHERE organization_id = $1 AND limit_type = 'requests_per_minute'`,
    )
    await until(async () => (await codes()).every((code) => code === undefined), 'no limit', IN_FORCE_MS)

    await change(`UPDATE ai_budgets SET monthly_limit_usd = 0.0001 WHERE organization_id = $1`)
    await until(
      async () => (await codes()).every((code) => code === 'budget_exhausted'),
      'both refuse at the budget',
      IN_FORCE_MS,
    )
    await change(`UPDATE ai_budgets SET hard_limit = false WHERE organization_id = $1`)
    await until(async () => (await codes()).every((code) => code === undefined), 'a soft budget', IN_FORCE_MS)
  })
})
