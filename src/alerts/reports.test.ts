import { describe, expect, it } from 'vitest'
import type { AlertEvent } from './alert.ts'
import { someAlert } from './fixtures/alert.ts'
import { createReports } from './reports.ts'

function event(dedupeKey: string): AlertEvent {
  const { kind, severity, organizationId, title, detail } = someAlert()
  return { kind, severity, organizationId, title, detail, dedupeKey }
}

function open() {
  const state = { raised: [] as string[], errors: 0, away: false }
  const reports = createReports({
    store: {
      async raise(_id, { dedupeKey }) {
        if (state.away) throw new Error('away')
        state.raised.push(dedupeKey)
        return undefined
      },
    },
    newId: () => 'id',
    now: () => 0,
    channels: () => ['log'],
    onError: () => state.errors++,
  })
  return { reports, state }
}

describe('createReports()', () => {
  it('asks the store once for each key', async () => {
    const { reports, state } = open()
    reports.add(event('a'))
    reports.add(event('a'))
    await reports.flush()
    reports.add(event('a'))
    reports.add(event('b'))
    await reports.flush()
    expect(state.raised).toEqual(['a', 'b'])
    expect([reports.has('a'), reports.has('c')]).toEqual([true, false])
  })

  it('keeps what cannot be stored for the next time', async () => {
    const { reports, state } = open()
    state.away = true
    reports.add(event('a'))
    reports.add(event('b'))
    await reports.flush()
    expect([state.raised, state.errors]).toEqual([[], 1])
    state.away = false
    await reports.flush()
    expect(state.raised).toEqual(['a', 'b'])
  })

  it('waits with a bounded number', async () => {
    const { reports, state } = open()
    for (let n = 0; n < 5000; n++) reports.add(event(`${n}`))
    await reports.flush()
    expect(state.raised).toHaveLength(1000)
    expect(reports.has('4999')).toBe(false)
  })

  it('shortens keys that no index takes, and keeps them apart', async () => {
    const { reports, state } = open()
    const long = 'x'.repeat(5000)
    reports.add(event(`${long}1`))
    reports.add(event(`${long}2`))
    expect([reports.has(`${long}1`), reports.has(`${long}3`)]).toEqual([true, false])
    await reports.flush()
    expect(new Set(state.raised).size).toBe(2)
    expect(state.raised.map((key) => key.length)).toEqual([600, 600])
  })
})
