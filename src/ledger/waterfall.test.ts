import { describe, expect, it } from 'vitest'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../routing/attempt.ts'
import { ledgerRow } from '../storage/ledger-row-fixture.ts'
import { overheadMs, readWaterfall, toStoredWaterfall } from './waterfall.ts'

const PRICE = { version: 'v1', known: true }

function attempt(number: number, startedMs: number, endedMs: number | undefined) {
  return {
    ...newAttempt(`a-${number}`, number, { provider: 'p', model: 'm', reason: 'r' }, PRICE, startedMs),
    endedMs,
  }
}

describe('overheadMs()', () => {
  it('is the time that no provider took', () => {
    const exchange = makeExchange({ startedMs: 10, attempts: [attempt(1, 12, 20), attempt(2, 21, 30)] })
    expect(overheadMs(exchange, { endedMs: 31.5 })).toBe(4.5)
    expect(overheadMs(makeExchange({ startedMs: 10 }), { endedMs: 11 })).toBe(1)
  })

  it('takes an attempt that has no end yet for one that lasts to the end of the call', () => {
    expect(overheadMs(makeExchange({ attempts: [attempt(1, 2, undefined)] }), { endedMs: 9 })).toBe(2)
  })

  it('is never less than nothing', () => {
    const exchange = makeExchange({ attempts: [attempt(1, 0, 10), attempt(2, 0, 10)] })
    expect(overheadMs(exchange, { endedMs: 10 })).toBe(0)
  })
})

describe('readWaterfall()', () => {
  it('tells times from the start of the call, to the microsecond', () => {
    const exchange = makeExchange({
      startedMs: 1000,
      stageTimes: [{ stage: 'identify', startedMs: 1000, endedMs: 1000.12345 }],
      plan: { route: 'chat', targets: [{ provider: 'p', model: 'm', reason: 'r' }] },
      attempts: [{ ...attempt(1, 1000.5, 1010.25), headersMs: 1005, firstTokenMs: 1006, status: 200 }],
      warnings: [{ param: 'seed', message: 'left out' }],
    })
    const outcome = { kind: 'completed', status: 200, error: undefined, endedMs: 1011 } as const
    const row = ledgerRow({
      id: 'a-1',
      attempt: 1,
      final: true,
      waterfall: toStoredWaterfall(exchange, outcome),
      costNanoUsd: 7,
    })
    expect(readWaterfall([row])).toMatchObject({
      outcome: 'completed',
      route: 'chat',
      stages: [{ name: 'identify', startMs: 0, durationMs: 0.123 }],
      attempts: [
        {
          startMs: 0.5,
          headersMs: 5,
          firstTokenMs: 6,
          endMs: 10.25,
          status: 200,
          errorCode: null,
          costNanoUsd: 7,
        },
      ],
      warnings: [{ param: 'seed', message: 'left out' }],
    })
  })

  it('holds nothing of what was said', () => {
    const exchange = makeExchange({ attempts: [{ ...attempt(1, 0, 1), outputText: 'a secret answer' }] })
    const outcome = { kind: 'completed', status: 200, error: undefined, endedMs: 1 } as const
    expect(JSON.stringify(toStoredWaterfall(exchange, outcome))).not.toContain('secret')
  })
})
