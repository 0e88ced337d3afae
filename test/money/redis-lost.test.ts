import { afterEach, describe, expect, it, type TestContext } from 'vitest'
import { ORGANIZATION } from '../../src/limits/policy.ts'
import type { Hold } from '../../src/limits/ports.ts'
import {
  type Answer,
  at,
  CALL_NANO_USD,
  expectBooksToAgree,
  expectNothingUncounted,
  type Replicas,
  type ReplicasOptions,
  startReplicas,
  until,
} from './replicas.ts'

let house: Replicas | undefined
afterEach(async () => {
  await house?.close()
  house = undefined
})

async function start(test: TestContext, options?: ReplicasOptions): Promise<Replicas> {
  house = await startReplicas(test, options)
  return house
}

/** Of a budget for so many calls. */
const CALLS = 50

/** Calls by turns, so many at once on each replica, until somebody says to stop. */
function keepCalling(open: Replicas, parallel: number, headers: Record<string, string> = {}) {
  const answers: Answer[] = []
  let goesOn = true
  const callers = Array.from({ length: 2 * parallel }, async (_, index) => {
    while (goesOn) answers.push(await open.send(index % 2, {}, headers))
  })
  return {
    answers,
    async stop(): Promise<readonly Answer[]> {
      goesOn = false
      await Promise.all(callers)
      return answers
    },
  }
}

const isAnswered = ({ status }: Answer) => status === 200
const isExhausted = ({ code }: Answer) => code === 'budget_exhausted'

/** Every call that a client saw answered stands in the ledger, once. */
async function expectNoRowLost(open: Replicas, answers: readonly Answer[]): Promise<void> {
  const rows = await open.rowsOf()
  const answered = answers.filter(isAnswered)
  expect(answered.filter(({ id }) => rows.get(id) !== 1)).toEqual([])
}

describe('a budget for 50 calls, on two replicas whose Redis', () => {
  it.for([
    ['at once', {}],
    ['after 200 ms', { 'x-sim': 'latency=200' }],
  ] as const)('is emptied while calls are answered %s, is not overrun', async ([, headers], test) => {
    const open = await start(test)
    await open.budget(ORGANIZATION, { limitNanoUsd: CALLS * CALL_NANO_USD })
    const load = keepCalling(open, 10, headers)
    await until(() => load.answers.filter(isAnswered).length >= 20, 'some calls are answered')
    await open.redis.flushall()
    await until(() => load.answers.some(isExhausted), 'the budget is spent')
    const answers = await load.stop()
    expect(await open.spent()).toBeLessThanOrEqual(CALLS * CALL_NANO_USD)
    await expectNoRowLost(open, answers)
    await expectBooksToAgree(open)
  })

  it('comes back from an older snapshot, is not overrun', async (test) => {
    const open = await start(test)
    await open.budget(ORGANIZATION, { limitNanoUsd: CALLS * CALL_NANO_USD })
    const load = keepCalling(open, 4, { 'x-sim': 'latency=50' })
    await until(() => load.answers.filter(isAnswered).length >= 10, 'some calls are answered')
    await open.redis.save()
    await until(() => load.answers.filter(isAnswered).length >= 25, 'more calls are answered')
    await open.server.kill()
    await open.server.start()
    await until(() => load.answers.some(isExhausted), 'the budget is spent')
    const answers = await load.stop()
    expect(await open.spent()).toBeLessThanOrEqual(CALLS * CALL_NANO_USD)
    await expectNoRowLost(open, answers)
    await expectNothingUncounted(open)
  })

  it('does not answer, is not overrun by what was leased before', async (test) => {
    // It has to be noticed before a client loses patience.
    const open = await start(test, { commandTimeoutMs: 1000 })
    await open.budget(ORGANIZATION, { limitNanoUsd: 400 * CALL_NANO_USD })
    const body = { max_tokens: 50 }
    for (const replica of [0, 1]) expect(await open.send(replica, body)).toMatchObject({ status: 200 })
    const isShare = ({ holdId }: Hold) => holdId.startsWith('share:')
    await until(async () => {
      const holds = await at(open.all, 0).gateway.counters.holds(open.organizationId)
      return holds.filter(isShare).length === 2
    }, 'both have leased a share')
    open.server.freeze()
    const send = (replica: number) => open.send(replica, body)
    const meanwhile = await Promise.all(Array.from({ length: 60 }, (_, index) => send(index % 2)))
    open.server.thaw()
    const refused = meanwhile.filter((answer) => !isAnswered(answer))
    expect(new Set(refused.map(({ status, code }) => `${status} ${code}`))).toEqual(
      new Set(['503 storage_unavailable']),
    )
    // A 32nd of what is left, each.
    expect(meanwhile.filter(isAnswered).length).toBeGreaterThanOrEqual(2 * 10)

    await until(async () => isAnswered(await send(0)) && isAnswered(await send(1)), 'calls go on')
    const load = keepCalling(open, 10)
    await until(() => load.answers.some(isExhausted), 'the budget is spent')
    const answers = [...meanwhile, ...(await load.stop())]
    const spent = await open.spent()
    expect(spent).toBeLessThanOrEqual(400 * CALL_NANO_USD)
    expect(spent).toBeGreaterThanOrEqual(0.95 * 400 * CALL_NANO_USD)
    await expectNoRowLost(open, answers)
    await expectBooksToAgree(open)
  })

  it('does not answer, is not touched by an organization that fails closed', async (test) => {
    const open = await start(test, { commandTimeoutMs: 1000 })
    await open.budget(ORGANIZATION, { limitNanoUsd: CALLS * CALL_NANO_USD })
    await open.limit(ORGANIZATION, { failClosed: true })
    for (const replica of [0, 1]) expect(await open.send(replica)).toMatchObject({ status: 200 })
    const before = await open.spent()
    open.server.freeze()
    const answers = await Promise.all([0, 1, 0, 1].map((replica) => open.send(replica)))
    expect(answers).toMatchObject(answers.map(() => ({ status: 503, code: 'storage_unavailable' })))
    open.server.thaw()
    expect(await open.spent()).toBe(before)
    await until(async () => isAnswered(await open.send(0)), 'calls go on')
  })
})
