import { describe, expect, it } from 'vitest'
import type { Caller, Exchange } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming, NO_HINTS } from '../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from './attempt.ts'
import type { Resolver } from './resolve.ts'
import { createRouteStage } from './route-stage.ts'

const CALLER: Caller = { organizationId: 'o', teamId: null, keyId: null, user: null, models: ['chat'] }

function enter(changes: Partial<Exchange>) {
  const asked: unknown[] = []
  const resolver: Resolver = {
    resolve({ incoming: { model, hints } }, mayUse) {
      asked.push([model, hints.task, mayUse('chat'), mayUse('other')])
      return { route: 'chat', targets: [{ provider: 'p', model: 'm', reason: 'r' }] }
    },
    settled: ({ attempts }, nowMs) => void asked.push([attempts.length, nowMs]),
    routesFor: () => [],
  }
  const stage = createRouteStage({
    resolver,
    isModelAllowed: (allowed, name) => allowed === null || allowed.includes(name),
    requireModel: (allowed, names) => void asked.push([allowed, names]),
  })
  const exchange = makeExchange({
    caller: CALLER,
    incoming: makeIncoming({ model: 'auto' }, { hints: { ...NO_HINTS, task: 'code' } }),
    ...changes,
  })
  stage.enter?.(exchange)
  return { asked, stage, exchange, plan: exchange.plan }
}

describe('createRouteStage()', () => {
  it('asks where the model leads, and whether the caller may use it by either of its names', () => {
    const { asked, plan } = enter({})
    expect(asked).toEqual([
      ['auto', 'code', true, false],
      [['chat'], ['auto', 'chat']],
    ])
    expect(plan?.route).toBe('chat')
  })

  it('leaves files and batches to whoever knows where they lie', () => {
    const incoming = makeIncoming(
      {},
      {
        operation: 'file',
        forward: {
          method: 'GET',
          path: '/f-1',
          body: 'none',
          contentType: undefined,
          resource: { action: 'read', id: 'f-1', provider: undefined, query: {} },
        },
      },
    )
    expect(enter({ incoming })).toMatchObject({ asked: [], plan: undefined })
  })

  it('hands calls that were tried back to be learnt from, and no others', () => {
    const { asked, stage, exchange } = enter({})
    asked.length = 0
    const outcome = { kind: 'completed', status: 200, error: undefined, endedMs: 9 } as const
    stage.settle?.(exchange, outcome)
    expect(asked).toEqual([])
    const target = { provider: 'p', model: 'm', reason: 'r' }
    exchange.attempts.push(newAttempt('a', 1, target, { version: 'v', known: true }, 0))
    stage.settle?.(exchange, outcome)
    expect(asked).toEqual([[1, 9]])
  })
})
