import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Attempt, Caller, Exchange } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'
import { newAttempt } from '../routing/attempt.ts'
import { createLedgerStage, type LedgerStageOptions } from './ledger-stage.ts'
import type { LedgerRow } from './ports.ts'
import { readWaterfall } from './waterfall.ts'

const CALLER: Caller = {
  organizationId: 'org-1',
  teamId: 'team-1',
  keyId: 'key-1',
  user: 'ann',
  models: null,
}
const DONE: Outcome = { kind: 'completed', status: 200, error: undefined, endedMs: 100 }

function makeAttempt(number: number, changes: Partial<Attempt> = {}): Attempt {
  const target = { provider: `p${number}`, model: 'm', reason: 'why' }
  return {
    ...newAttempt(`a-${number}`, number, target, { version: 'v1', known: true }, 10 * number),
    status: 200,
    dispatched: true,
    endedMs: 10 * number + 5,
    ...changes,
  }
}

async function settle(exchange: Exchange, outcome: Outcome, changes: Partial<LedgerStageOptions> = {}) {
  const rows: LedgerRow[] = []
  const settled: (readonly LedgerRow[])[] = []
  const stage = createLedgerStage({
    account: () => undefined,
    record: (row) => rows.push(row),
    handedOver: () => undefined,
    onSettled: (_exchange, _outcome, all) => settled.push(all),
    ...changes,
  })
  let thrown: unknown
  try {
    await stage.settle?.(exchange, outcome)
  } catch (error) {
    thrown = error
  }
  return { rows, settled, thrown }
}

describe('createLedgerStage()', () => {
  it('is settled when its rows survive the process, and the others know of the call before', async () => {
    const handover = Promise.withResolvers<void>()
    const exchange = makeExchange({ caller: CALLER, attempts: [makeAttempt(1)] })
    const told: string[] = []
    let over = false
    const settled = settle(exchange, DONE, {
      record: () => void told.push('row'),
      handedOver() {
        told.push('waits')
        return handover.promise
      },
      onSettled: () => void told.push('settled'),
    }).then(() => {
      over = true
    })
    await new Promise(setImmediate)
    expect(told).toEqual(['row', 'settled', 'waits'])
    expect(over).toBe(false)
    handover.resolve()
    await settled
  })

  it('books one row for each attempt, and the story of the call with the last', async () => {
    const exchange = makeExchange({
      caller: CALLER,
      attempts: [
        makeAttempt(1, { status: 503, errorCode: 'upstream_error', errorMessage: 'down' }),
        makeAttempt(2, {
          usage: {
            inputTokens: 5,
            outputTokens: 2,
            cachedInputTokens: 3,
            cacheWriteTokens: 1,
            reasoningTokens: 0,
          },
          costNanoUsd: 77,
          firstTokenMs: 22.4,
        }),
      ],
      incoming: makeIncoming(undefined, {
        stream: true,
        hints: {
          user: 'not the key’s',
          session: 's-1',
          task: 'chat',
          tags: { deal: 'D-17' },
          timeoutMs: undefined,
          traceparent: undefined,
        },
      }),
    })
    const { rows, settled } = await settle(exchange, DONE)
    expect(settled).toEqual([rows])
    const shared = {
      requestId: 'req_1',
      organizationId: 'org-1',
      teamId: 'team-1',
      keyId: 'key-1',
      userId: 'ann',
      sessionId: 's-1',
      tags: { deal: 'D-17' },
      requestedModel: 'gpt-4o',
      operation: 'chat',
      task: 'chat',
      format: 'chat',
      stream: true,
      priceVersion: 'v1',
      cache: 'miss',
      createdAt: new Date(exchange.receivedAtMs),
    }
    expect(rows[0]).toMatchObject({
      ...shared,
      id: 'a-1',
      attempt: 1,
      final: false,
      provider: 'p1',
      status: 503,
      errorCode: 'upstream_error',
      tokensInput: null,
      tokensOutput: null,
      costNanoUsd: 0,
      latencyMs: 5,
      waterfall: null,
    })
    expect(rows[1]).toMatchObject({
      ...shared,
      id: 'a-2',
      attempt: 2,
      final: true,
      provider: 'p2',
      status: 200,
      errorCode: null,
      tokensInput: 5,
      tokensOutput: 2,
      tokensCached: 3,
      tokensCacheWrite: 1,
      tokensReasoning: 0,
      costNanoUsd: 77,
      latencyMs: 100,
      firstTokenMs: 22,
      overheadMs: 90,
    })
    expect(readWaterfall(rows)).toMatchObject({
      outcome: 'completed',
      attempts: [
        { number: 1, provider: 'p1' },
        { number: 2, provider: 'p2' },
      ],
    })
  })

  it('books a call that was refused before any attempt', async () => {
    const error = new GatewayError('model_not_found', { message: 'no such model' })
    const { rows } = await settle(makeExchange({ caller: CALLER }), {
      kind: 'failed',
      status: 404,
      error,
      endedMs: 3,
    })
    expect(rows).toHaveLength(1)
    expect(rows[0]).toMatchObject({
      attempt: 0,
      final: true,
      provider: null,
      model: null,
      status: 404,
      errorCode: 'model_not_found',
      costNanoUsd: 0,
      priceVersion: null,
      overheadMs: 3,
    })
    expect(rows[0]?.id).toBe('req_1.0')
  })

  it('books nothing for a stranger', async () => {
    expect((await settle(makeExchange({ attempts: [] }), DONE)).rows).toEqual([])
  })

  it('says of a stream that broke, or was left, what became of it and not that it had begun well', async () => {
    const broke = new GatewayError('upstream_error', { message: 'broke' })
    const left = new GatewayError('client_closed', { message: 'left' })
    for (const [kind, error, status] of [
      ['failed', broke, 502],
      ['cancelled', left, 499],
    ] as const) {
      const exchange = makeExchange({ caller: CALLER, attempts: [makeAttempt(1)] })
      const { rows } = await settle(exchange, { kind, status: 200, error, endedMs: 100 })
      expect(rows[0]).toMatchObject({ status, errorCode: error.code })
    }
  })

  it('says of a refusal that was passed on what the caller saw', async () => {
    const error = new GatewayError('upstream_rejected', { message: 'no such file' })
    const exchange = makeExchange({ caller: CALLER, attempts: [makeAttempt(1, { status: 404 })] })
    const { rows } = await settle(exchange, { kind: 'failed', status: 404, error, endedMs: 100 })
    expect(rows[0]).toMatchObject({ status: 404, errorCode: 'upstream_rejected' })
  })

  it('completes each attempt before its row is made', async () => {
    const exchange = makeExchange({ caller: CALLER, attempts: [makeAttempt(1), makeAttempt(2)] })
    const { rows } = await settle(exchange, DONE, {
      async account(_exchange, attempt) {
        await Promise.resolve()
        attempt.costNanoUsd = attempt.number
        attempt.estimated = true
      },
    })
    expect(rows.map(({ costNanoUsd, estimated }) => [costNanoUsd, estimated])).toEqual([
      [1, true],
      [2, true],
    ])
  })

  it('books what is known where an attempt cannot be accounted, and tells of the defect', async () => {
    const defect = new TypeError('x is undefined')
    const exchange = makeExchange({ caller: CALLER, attempts: [makeAttempt(1), makeAttempt(2)] })
    const { rows, settled, thrown } = await settle(exchange, DONE, {
      async account(_exchange, attempt) {
        if (attempt.number === 1) throw defect
        attempt.costNanoUsd = 9
      },
    })
    expect(rows.map(({ costNanoUsd }) => costNanoUsd)).toEqual([0, 9])
    expect(settled).toHaveLength(1)
    expect(thrown).toBe(defect)
  })

  it('keeps tags of any name apart from the objects of the language', async () => {
    const tags = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>
    const incoming = makeIncoming()
    const exchange = makeExchange({
      caller: CALLER,
      incoming: { ...incoming, hints: { ...incoming.hints, tags } },
    })
    const { rows } = await settle(exchange, DONE)
    expect(JSON.stringify(rows[0]?.tags)).toBe('{"__proto__":"x","constructor":"y"}')
  })
})
