import { describe, expect, it } from 'vitest'
import type { LedgerRow } from '../ledger/ports.ts'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import { createEvents } from '../telemetry/events.ts'
import { collectStats } from './stats.ts'

function row(changes: Partial<LedgerRow>): LedgerRow {
  return {
    final: true,
    status: 200,
    provider: 'p',
    model: 'm',
    tokensInput: 1,
    tokensOutput: 2,
    costNanoUsd: 3,
    ...changes,
  } as LedgerRow
}

function after(...calls: readonly (readonly LedgerRow[])[]) {
  const events = createEvents(() => undefined)
  const getStats = collectStats(events)
  for (const rows of calls) {
    events.emit(
      'settled',
      makeExchange(),
      { kind: 'completed', status: 200, error: undefined, endedMs: 0 },
      rows,
    )
  }
  return getStats()
}

describe('collectStats()', () => {
  it('begins with nothing', () => {
    expect(after()).toEqual({
      requests: 0,
      errors: 0,
      tokensInput: 0,
      tokensOutput: 0,
      costNanoUsd: 0,
      byModel: {},
    })
  })

  it('counts a call once and all of its attempts’ cost', () => {
    const stats = after([row({ final: false, status: 503 }), row({ model: 'n' })], [row({ status: 499 })])
    expect(stats).toMatchObject({ requests: 2, errors: 1, tokensInput: 3, tokensOutput: 6, costNanoUsd: 9 })
    expect(stats.byModel).toEqual({
      'p/m': { requests: 1, errors: 1, tokensInput: 2, tokensOutput: 4, costNanoUsd: 6 },
      'p/n': { requests: 1, errors: 0, tokensInput: 1, tokensOutput: 2, costNanoUsd: 3 },
    })
  })

  it('counts a call that reached nobody, and tokens that nobody reported, as none', () => {
    const stats = after([
      row({ provider: null, model: null, status: 404, tokensInput: null, tokensOutput: null }),
    ])
    expect(stats).toMatchObject({ requests: 1, errors: 1, tokensInput: 0, tokensOutput: 0, byModel: {} })
  })

  it('holds no more models than a thousand', () => {
    const many = Array.from({ length: 1500 }, (_, index) => [row({ model: `m${index}` })])
    const stats = after(...many)
    expect(stats.requests).toBe(1500)
    expect(Object.keys(stats.byModel)).toHaveLength(1000)
  })
})
