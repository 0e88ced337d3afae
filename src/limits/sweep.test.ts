import { describe, expect, it, vi } from 'vitest'
import { type HoldNote, toNote } from './hold-note.ts'
import { MemoryCounters } from './memory-counters.ts'
import type { Amounts, Hold, Meter } from './ports.ts'
import { FakeBooks } from './reconcile/fixtures/fake-books.ts'
import { createSweeper } from './sweep.ts'

const NOW = Date.UTC(2026, 1, 10, 12)
// Leases are looked at by the second.
const LAPSED_MS = 31_000
const CLAIMED_MS = 11_000
const METER: Meter = {
  id: 'organization/budget',
  quantity: 'costNanoUsd',
  limit: 1_000_000,
  window: { kind: 'period', startMs: Date.UTC(2026, 1), endMs: Date.UTC(2026, 2) },
}
const NOTE: HoldNote = {
  attemptId: 'attempt',
  attempt: 1,
  teamId: null,
  keyId: 'K1',
  userId: null,
  sessionId: null,
  tags: {},
  provider: 'openai',
  model: 'gpt-4o',
  operation: 'chat',
  task: null,
  format: 'chat',
  stream: false,
  requestedModel: null,
  tokensInput: 3,
  costInputNanoUsd: 30,
  priceVersion: null,
  receivedAtMs: NOW,
}

function setUp() {
  const time = { nowMs: NOW }
  const counters = new MemoryCounters({
    clock: { now: () => time.nowMs, monotonicMs: () => time.nowMs },
    newId: () => 'g1',
    unknown: 'begin',
  })
  const books = new FakeBooks()
  const booked: [HoldNote, Hold][] = []
  const errors: unknown[] = []
  const sweeper = createSweeper({
    counters,
    spent: books,
    flush: books.flush,
    book: async (note, hold): Promise<Amounts> => {
      booked.push([note, hold])
      return { requests: 1, tokens: note.tokensInput, costNanoUsd: note.costInputNanoUsd }
    },
    onError: (error) => errors.push(error),
  })
  const take = (holdId: string, note?: string) =>
    counters.take({
      organizationId: 'acme',
      holdId,
      meters: [METER],
      amounts: { requests: 1, tokens: 10, costNanoUsd: 100 },
      leaseMs: 30_000,
      note,
    })
  const state = () => {
    const [{ used, held } = { used: -1, held: -1 }] = counters.read('acme', [METER])
    return { used, held }
  }
  return { time, counters, books, booked, errors, sweeper, take, state }
}

describe('Sweeper.sweep()', () => {
  it('settles what the ledger has, also what is on its way to it, with what it says', async () => {
    const { time, books, sweeper, take, state, booked } = setUp()
    take('call', toNote(NOTE))
    books.record({
      id: 'attempt',
      requestId: 'call',
      organizationId: 'acme',
      keyId: 'K1',
      atMs: NOW,
      tokens: 7,
      costNanoUsd: 70,
    })
    expect(await sweeper.sweep()).toEqual({ settled: 0, booked: 0, released: 0, failed: 0 })
    expect(state()).toEqual({ used: 0, held: 100 })
    time.nowMs += LAPSED_MS
    expect(await sweeper.sweep()).toEqual({ settled: 1, booked: 0, released: 0, failed: 0 })
    expect(state()).toEqual({ used: 70, held: 0 })
    expect(booked).toEqual([])
  })

  it('books a call that left, by its note, and settles with what was booked', async () => {
    const { time, sweeper, take, state, booked } = setUp()
    take('call', toNote(NOTE))
    time.nowMs += LAPSED_MS
    expect(await sweeper.sweep()).toMatchObject({ booked: 1 })
    expect(booked).toEqual([[NOTE, expect.objectContaining({ organizationId: 'acme', holdId: 'call' })]])
    expect(state()).toEqual({ used: 30, held: 0 })
    time.nowMs += LAPSED_MS
    expect(await sweeper.sweep()).toMatchObject({ booked: 0 })
  })

  it('settles with the row of the dead process where that reached the ledger first', async () => {
    const { time, counters, books, errors, state, take } = setUp()
    take('call', toNote(NOTE))
    time.nowMs += LAPSED_MS
    const sweeper = createSweeper({
      counters,
      spent: books,
      flush: books.flush,
      book: async ({ attemptId, receivedAtMs }, { holdId }) => {
        const row = {
          id: attemptId,
          requestId: holdId,
          organizationId: 'acme',
          keyId: 'K1',
          atMs: receivedAtMs,
        }
        books.record({ ...row, tokens: 7, costNanoUsd: 70 })
        await books.flush()
        return { requests: 1, tokens: 3, costNanoUsd: 30 }
      },
      onError: (error) => errors.push(error),
    })
    expect(await sweeper.sweep()).toMatchObject({ booked: 1 })
    expect(errors).toEqual([])
    expect(state()).toEqual({ used: 70, held: 0 })
  })

  it('gives back what never left, or has a note that nobody can read', async () => {
    const { time, sweeper, take, state, booked } = setUp()
    take('one')
    take('two', 'rubbish')
    time.nowMs += LAPSED_MS
    expect(await sweeper.sweep()).toEqual({ settled: 0, booked: 0, released: 2, failed: 0 })
    expect(state()).toEqual({ used: 0, held: 0 })
    expect(booked).toEqual([])
  })

  it('leaves everything as it is while the ledger is away, and ends it later', async () => {
    const { time, books, sweeper, take, state, errors, booked } = setUp()
    take('one')
    take('two', toNote(NOTE))
    time.nowMs += LAPSED_MS
    books.away = true
    expect(await sweeper.sweep()).toMatchObject({ failed: 2, released: 0, booked: 0 })
    expect(errors).toHaveLength(1)
    expect(booked).toEqual([])
    expect(state()).toEqual({ used: 0, held: 200 })
    books.away = false
    time.nowMs += CLAIMED_MS
    expect(await sweeper.sweep()).toEqual({ settled: 0, booked: 1, released: 1, failed: 0 })
  })

  it('goes on with the others where one cannot be booked', async () => {
    const { time, counters, books, errors, state, take } = setUp()
    take('bad', toNote({ ...NOTE, attemptId: 'bad' }))
    take('good', toNote(NOTE))
    time.nowMs += LAPSED_MS
    const sweeper = createSweeper({
      counters,
      spent: books,
      flush: books.flush,
      book: async (note) => {
        if (note.attemptId === 'bad') throw new Error('not this one')
        return { requests: 1, tokens: 3, costNanoUsd: 30 }
      },
      onError: (error, hold) => errors.push([error, hold?.holdId]),
    })
    expect(await sweeper.sweep()).toMatchObject({ booked: 1, failed: 1 })
    expect(errors).toEqual([[new Error('not this one'), 'bad']])
    expect(state()).toEqual({ used: 30, held: 100 })
  })

  it('ends more holds than one round takes', async () => {
    const { time, sweeper, take, state } = setUp()
    for (let index = 0; index < 250; index++) take(`call ${index}`)
    time.nowMs += LAPSED_MS
    expect(await sweeper.sweep()).toMatchObject({ released: 250 })
    expect(state()).toEqual({ used: 0, held: 0 })
  })
})

describe('Sweeper.start()', () => {
  it('sweeps each second until it is closed', async () => {
    vi.useFakeTimers()
    try {
      const { time, sweeper, take, state } = setUp()
      take('one')
      sweeper.start()
      time.nowMs += LAPSED_MS
      await vi.advanceTimersByTimeAsync(1000)
      expect(state()).toEqual({ used: 0, held: 0 })
      await sweeper.close()
      take('two')
      time.nowMs += LAPSED_MS
      await vi.advanceTimersByTimeAsync(5000)
      expect(state()).toEqual({ used: 0, held: 100 })
    } finally {
      vi.useRealTimers()
    }
  })
})
