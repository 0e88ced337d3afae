import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Channel } from './channels/channel.ts'
import { createDeliveries, pauseMsAfter } from './deliveries.ts'
import { someAlert } from './fixtures/alert.ts'
import type { AlertStore } from './ports.ts'

interface Row {
  readonly alertId: string
  readonly channel: string
  attempts: number
  dueMs: number | null
  deliveredMs: number | null
  error: string | null
}

/** An outbox in memory. */
function openOutbox(...names: readonly (readonly [alertId: string, channel: string])[]) {
  const rows: Row[] = names.map(([alertId, channel]) => ({
    alertId,
    channel,
    attempts: 0,
    dueMs: 0,
    deliveredMs: null,
    error: null,
  }))
  const find = (alertId: string, channel: string) => {
    const row = rows.find((each) => each.alertId === alertId && each.channel === channel)
    if (row === undefined) throw new Error('There is no such row.')
    return row
  }
  const store: Pick<AlertStore, 'claimDeliveries' | 'markDelivered' | 'markFailed'> = {
    async claimDeliveries(now, claimMs, without, max) {
      const due = rows
        .filter(
          ({ dueMs, channel }) => dueMs !== null && dueMs <= now.getTime() && !without.includes(channel),
        )
        .slice(0, max)
      return due.map((row) => {
        row.attempts++
        row.dueMs = now.getTime() + claimMs
        return {
          alert: someAlert({ id: row.alertId }),
          moment: 'raised',
          channel: row.channel,
          attempts: row.attempts,
        }
      })
    },
    async markDelivered({ alertId, channel }, at) {
      Object.assign(find(alertId, channel), { dueMs: null, deliveredMs: at.getTime(), error: null })
    },
    async markFailed({ alertId, channel }, error, retryAt) {
      Object.assign(find(alertId, channel), { dueMs: retryAt?.getTime() ?? null, error })
    },
  }
  return { rows, store, find }
}

function channelOf(name: string, send: Channel['send']): Channel {
  return { name, kind: 'webhook', send }
}

function open(outbox: ReturnType<typeof openOutbox>, ...channels: readonly Channel[]) {
  const state = { nowMs: 0, errors: [] as unknown[], failures: [] as string[] }
  const closing = new AbortController()
  const deliveries = createDeliveries({
    store: outbox.store,
    channels: () => new Map(channels.map((channel) => [channel.name, channel])),
    now: () => state.nowMs,
    signal: closing.signal,
    onFailed: ({ channel }, reason) => state.failures.push(`${channel}: ${reason}`),
    onError: (error) => state.errors.push(error),
  })
  return { deliveries, state, closing }
}

const refused = () => Promise.reject(new GatewayError('upstream_error', { message: 'status 500' }))

describe('pauseMsAfter()', () => {
  it('doubles up to a quarter of an hour, and ends about an hour after the first attempt', () => {
    const pauses: number[] = []
    for (let attempts = 1; ; attempts++) {
      const pause = pauseMsAfter(attempts)
      if (pause === undefined) break
      pauses.push(pause)
    }
    expect(pauses.slice(0, 4)).toEqual([2000, 4000, 8000, 16_000])
    expect(Math.max(...pauses)).toBe(900_000)
    expect(pauses).toHaveLength(13)
    expect(pauses.reduce((sum, pause) => sum + pause, 0) / 3_600_000).toBeCloseTo(1.28, 1)
  })
})

describe('createDeliveries()', () => {
  it('sends everything that is due, to each channel in order', async () => {
    const names = Array.from({ length: 25 }, (_, n) => [String(n), 'hook'] as const)
    const outbox = openOutbox(...names)
    const sent: string[] = []
    const { deliveries } = open(
      outbox,
      channelOf('hook', async ({ alert }) => void sent.push(alert.id)),
    )
    await deliveries.run()
    expect(sent).toEqual(names.map(([id]) => id))
    expect(outbox.rows.every(({ attempts, deliveredMs }) => attempts === 1 && deliveredMs === 0)).toBe(true)
    await deliveries.run()
    expect(sent).toHaveLength(25)
  })

  it('tries again after a pause, and gives up in the end', async () => {
    const outbox = openOutbox(['a', 'hook'])
    const { deliveries, state } = open(outbox, channelOf('hook', refused))
    await deliveries.run()
    expect(outbox.rows[0]).toMatchObject({ attempts: 1, dueMs: 2000, error: 'status 500' })
    state.nowMs = 1999
    await deliveries.run()
    expect(outbox.rows[0]?.attempts).toBe(1)
    for (let row = outbox.rows[0]; row !== undefined && row.dueMs !== null; ) {
      state.nowMs = row.dueMs
      await deliveries.run()
    }
    expect(outbox.rows[0]).toMatchObject({ attempts: 14, dueMs: null, deliveredMs: null })
    expect(state.failures).toHaveLength(14)
  })

  it('lets no channel wait for one that does not answer', async () => {
    const names = Array.from({ length: 30 }, (_, n) => [String(n), 'dead'] as const)
    const outbox = openOutbox(...names, ['a', 'hook'], ['b', 'hook'])
    const answer = Promise.withResolvers<void>()
    const told = Promise.withResolvers<void>()
    const { deliveries } = open(
      outbox,
      channelOf('dead', () => answer.promise),
      channelOf('hook', async ({ alert }) => (alert.id === 'b' ? told.resolve() : undefined)),
    )
    const running = deliveries.run()
    await told.promise
    expect(outbox.find('0', 'dead').deliveredMs).toBeNull()
    answer.resolve()
    await running
    expect(outbox.rows.every(({ deliveredMs }) => deliveredMs === 0)).toBe(true)
  })

  it('sends what came while it was at work', async () => {
    const outbox = openOutbox(['a', 'hook'])
    const { deliveries } = open(
      outbox,
      channelOf('hook', async ({ alert }) => {
        if (alert.id !== 'a') return
        const more = { attempts: 0, dueMs: 0, deliveredMs: null, error: null }
        outbox.rows.push({ alertId: 'b', channel: 'hook', ...more })
        void deliveries.run()
      }),
    )
    await deliveries.run()
    expect(outbox.find('b', 'hook').deliveredMs).toBe(0)
  })

  it('says nothing of what is not ours, and of a channel that is gone', async () => {
    const outbox = openOutbox(['a', 'hook'], ['a', 'gone'])
    const { deliveries } = open(
      outbox,
      channelOf('hook', () => Promise.reject(new TypeError('http://secret'))),
    )
    await deliveries.run()
    expect(outbox.find('a', 'hook').error).toBe('The message could not be made.')
    expect(outbox.find('a', 'gone').error).toBe('This channel is not configured any more.')
  })

  it('leaves to others what it cannot end before it closes', async () => {
    const outbox = openOutbox(['a', 'hook'], ['b', 'hook'])
    const begun = Promise.withResolvers<void>()
    const { deliveries, closing, state } = open(
      outbox,
      channelOf('hook', () => {
        begun.resolve()
        return new Promise(() => {})
      }),
    )
    const running = deliveries.run()
    await begun.promise
    closing.abort()
    await running
    expect(outbox.rows.map(({ dueMs, deliveredMs }) => [dueMs, deliveredMs])).toEqual([
      [0, null],
      [0, null],
    ])
    expect(state.failures).toEqual([])
  })

  it('goes on after the store was away', async () => {
    const outbox = openOutbox(['a', 'hook'])
    let isAway = true
    const { claimDeliveries } = outbox.store
    outbox.store.claimDeliveries = (...values) =>
      isAway ? Promise.reject(new Error('away')) : claimDeliveries(...values)
    const { deliveries, state } = open(
      outbox,
      channelOf('hook', async () => {}),
    )
    await deliveries.run()
    expect(state.errors).toHaveLength(1)
    isAway = false
    await deliveries.run()
    expect(outbox.find('a', 'hook').deliveredMs).toBe(0)
  })
})
