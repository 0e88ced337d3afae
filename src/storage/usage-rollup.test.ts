import { describe, expect, it } from 'vitest'
import { ledgerRow } from './ledger-row-fixture.ts'
import { toRollups } from './usage-rollup.ts'

describe('toRollups()', () => {
  it('toRollups() counts a call in its final row, and tokens and cost in every row', () => {
    const { daily } = toRollups([
      ledgerRow({ id: 'a', final: false, status: 500, cache: 'miss', latencyMs: 5 }),
      ledgerRow({ id: 'b', status: 429, cache: 'exact', estimated: true, latencyMs: 7 }),
    ])
    expect(daily).toHaveLength(1)
    expect(daily[0]).toMatchObject({
      requests: 1,
      errors: 1,
      cache_hits: 1,
      estimated: 1,
      tokens_input: 400,
      tokens_output: 100,
      cost_nano_usd: 2_000_000,
      latency_ms_sum: 7,
    })
    expect(daily[0]?.latency_histogram.reduce((sum, count) => sum + count, 0)).toBe(1)
  })

  it('toRollups() tells a missing dimension from an empty one', () => {
    const { daily } = toRollups([
      ledgerRow({ id: 'a', teamId: null, keyId: '' }),
      ledgerRow({ id: 'b', teamId: '', keyId: null }),
      ledgerRow({ id: 'c', teamId: '-', keyId: '' }),
    ])
    expect(new Set(daily.map((row) => row.dimension_key)).size).toBe(3)
  })

  it('toRollups() ends an hour and a day at their last millisecond, also before 1970', () => {
    const rows = ['1969-12-31T23:59:59.999Z', '1970-01-01T00:00:00.000Z'].map((at) =>
      ledgerRow({ id: at, createdAt: new Date(at) }),
    )
    const { hourly, daily } = toRollups(rows)
    expect(hourly.map((row) => row.period_start)).toEqual([-3_600_000, 0])
    expect(daily.map((row) => row.period_start)).toEqual([-86_400_000, 0])
  })

  it('toRollups() gives every writer the same order', () => {
    const rows = Array.from({ length: 20 }, (_, n) => ledgerRow({ id: `${n}`, keyId: `key-${n}` }))
    const keys = (some: typeof rows) => toRollups(some).hourly.map((row) => row.dimension_key)
    expect(keys(rows)).toEqual(keys([...rows].reverse()))
  })
})
