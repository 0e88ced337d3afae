import { afterEach, describe, expect, it, type TestContext } from 'vitest'
import { ORGANIZATION } from '../../src/limits/policy.ts'
import {
  type Answer,
  CALL_NANO_USD,
  expectBooksToAgree,
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
  it.for([0, 200])(
    'is emptied while they are used, %d ms a call, is not overrun',
    async (latencyMs, test) => {
      const open = await start(test)
      await open.budget(ORGANIZATION, { limitNanoUsd: CALLS * CALL_NANO_USD })
      const load = keepCalling(open, 10, latencyMs === 0 ? {} : { 'x-sim': `latency=${latencyMs}` })
      await until(() => load.answers.filter(isAnswered).length >= 20, 'some calls are answered')
      await open.redis.flushall()
      await until(() => load.answers.some(isExhausted), 'the budget is spent')
      const answers = await load.stop()
      const spent = await open.spent()
      expect(spent / CALL_NANO_USD).toBeLessThanOrEqual(CALLS)
      await expectNoRowLost(open, answers)
      await expectBooksToAgree(open)
    },
  )
})
