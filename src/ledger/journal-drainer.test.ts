import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { createMemoryJournal } from '../storage/memory-journal.ts'
import { createDrainer, type Drainer, type DrainerOptions } from './journal-drainer.ts'
import type { Journal, LedgerRow } from './ports.ts'

const AWAY = new GatewayError('storage_unavailable', { message: 'away' })

function row(id: number): LedgerRow {
  return { id: String(id) } as LedgerRow
}

/** A store that keeps what it is given, and does as told before that. */
function fakeStore(before: (rows: readonly LedgerRow[]) => Promise<void> = async () => undefined) {
  const batches: string[][] = []
  return {
    batches,
    ids: () => batches.flat(),
    async write(rows: readonly LedgerRow[]) {
      await before(rows)
      batches.push(rows.map(({ id }) => id))
    },
  }
}

let errors: [unknown, number][] = []
let refused: string[] = []
let setAside: string[] = []
let journal: Journal = createMemoryJournal()

function open(store: DrainerOptions['store'], changes: Partial<DrainerOptions> = {}): Drainer {
  return createDrainer({
    journal,
    store,
    batchRowsMax: 3,
    lingerMs: 100,
    closeMs: 1000,
    onError: (error, waitingRows) => errors.push([error, waitingRows]),
    onRefused: ({ id }) => refused.push(id),
    ...changes,
  })
}

function record(drainer: Drainer, from: number, to: number): void {
  for (let id = from; id <= to; id++) drainer.record(row(id))
}

function range(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index))
}

beforeEach(() => {
  vi.useFakeTimers()
  errors = []
  refused = []
  setAside = []
  journal = createMemoryJournal({ onSetAside: ({ id }) => setAside.push(id) })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('record()', () => {
  it('record() brings rows to the store in order, in batches, after the linger', async () => {
    const store = fakeStore()
    const drainer = open(store, { batchRowsMax: 4 })
    record(drainer, 1, 2)
    await vi.advanceTimersByTimeAsync(99)
    expect(store.batches).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(store.batches).toEqual([['1', '2']])
    expect(journal.waitingRows).toBe(0)
  })

  it('record() does not wait for company once a batch is full', async () => {
    const store = fakeStore()
    const drainer = open(store)
    record(drainer, 1, 3)
    await vi.advanceTimersByTimeAsync(0)
    expect(store.batches).toEqual([['1', '2', '3']])
    record(drainer, 4, 10)
    await vi.advanceTimersByTimeAsync(0)
    expect(store.batches.slice(1)).toEqual([['4', '5', '6'], ['7', '8', '9'], ['10']])
  })

  it('record() forgets no row that comes in the moment in which a write ends', async () => {
    const store = fakeStore()
    const drainer = open(store)
    // Settlements come between any two steps of the writer: one row after each of its turns.
    record(drainer, 1, 1)
    let next = 2
    const feed = async () => {
      while (next <= 60) {
        drainer.record(row(next++))
        await Promise.resolve()
      }
    }
    vi.advanceTimersByTime(100)
    await feed()
    await vi.advanceTimersByTimeAsync(100)
    expect(store.ids()).toEqual(range(1, 60))
  })

  it('record() forgets no row that comes at any step between the last look and the end', async () => {
    for (let steps = 0; steps < 40; steps++) {
      journal = createMemoryJournal()
      const store = fakeStore()
      const drainer = open(store)
      record(drainer, 1, 1)
      vi.advanceTimersByTime(100)
      for (let step = 0; step < steps; step++) await Promise.resolve()
      record(drainer, 2, 2)
      await vi.advanceTimersByTimeAsync(10_000)
      expect([steps, store.ids()]).toEqual([steps, ['1', '2']])
    }
  })

  it('record() does not try more often because rows come in while the store is away', async () => {
    const store = fakeStore(async () => {
      throw AWAY
    })
    const drainer = open(store)
    for (let i = 0; i < 100; i++) {
      drainer.record(row(i))
      await vi.advanceTimersByTimeAsync(10)
    }
    // In one second: after 30, then 130, 330 and 730 milliseconds or a little later.
    expect(errors.length).toBeLessThanOrEqual(5)
  })
})

describe('createDrainer()', () => {
  it('brings what an earlier process left without being asked', async () => {
    for (const id of [1, 2]) journal.append(row(id))
    const store = fakeStore()
    open(store)
    await vi.advanceTimersByTimeAsync(0)
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('tries again, later each time, until the store is back, and keeps the order', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const drainer = open(store)
    record(drainer, 1, 2)
    await vi.advanceTimersByTimeAsync(100)
    record(drainer, 3, 5)
    for (let i = 0; i < 10; i++) await vi.advanceTimersByTimeAsync(1000)
    // At 100, 200, 400, 800, 1600, 3200, 6400 milliseconds.
    expect(errors.length).toBe(7)
    expect(errors.at(-1)).toEqual([AWAY, 5])
    away = false
    await vi.advanceTimersByTimeAsync(5000)
    expect(store.ids()).toEqual(range(1, 5))
    // The next failure begins with a short wait again.
    away = true
    record(drainer, 6, 6)
    await vi.advanceTimersByTimeAsync(100)
    away = false
    await vi.advanceTimersByTimeAsync(100)
    expect(store.ids()).toEqual(range(1, 6))
  })

  it('brings rows that become ready later, and those of others where it is told to look', async () => {
    const store = fakeStore()
    let ready = false
    const slow: Journal = {
      ...journal,
      get waitingRows() {
        return journal.waitingRows
      },
      append: journal.append,
      drain: async (handler, rowsMax) => (ready ? journal.drain(handler, rowsMax) : 0),
    }
    const drainer = open(store, { journal: slow, pollMs: 5000 })
    record(drainer, 1, 1)
    await vi.advanceTimersByTimeAsync(500)
    expect(store.ids()).toEqual([])
    ready = true
    await vi.advanceTimersByTimeAsync(100)
    expect(store.ids()).toEqual(['1'])
    journal.append(row(2))
    await vi.advanceTimersByTimeAsync(5000)
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('keeps every row of a store that takes none, whatever it says', async () => {
    let broken = true
    const store = fakeStore(async () => {
      if (broken) throw new Error('relation "ledger" does not exist')
    })
    const drainer = open(store)
    record(drainer, 1, 7)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(journal.waitingRows).toBe(7)
    broken = false
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.ids().sort()).toEqual(range(1, 7))
    expect(refused).toEqual([])
  })

  it('sets aside a row that no store will ever take, and writes all others', async () => {
    const store = fakeStore(async (rows) => {
      if (rows.some(({ id }) => id === '2')) throw new Error('invalid byte sequence')
    })
    const drainer = open(store)
    record(drainer, 1, 7)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.ids()).toEqual(['1', '3', '4', '5', '6', '7'])
    expect(refused).toEqual(['2'])
    expect(setAside).toEqual(['2'])
  })

  it('survives a store that throws at once', async () => {
    const drainer = open({
      write() {
        throw AWAY
      },
    })
    record(drainer, 1, 1)
    await vi.advanceTimersByTimeAsync(100)
    expect(errors).toEqual([[AWAY, 1]])
    expect(journal.waitingRows).toBe(1)
  })
})

describe('flush()', () => {
  it('flush() resolves once every row recorded before is written, at once', async () => {
    const store = fakeStore()
    const drainer = open(store)
    record(drainer, 1, 7)
    await drainer.flush()
    expect(store.ids()).toEqual(range(1, 7))
    await drainer.flush()
    expect(store.batches.length).toBe(3)
  })

  it('flush() waits for a batch that is under way, and for rows that came after it was cut', async () => {
    const gates: (() => void)[] = []
    const store = fakeStore(() => new Promise((resolve) => gates.push(resolve)))
    const drainer = open(store)
    record(drainer, 1, 1)
    await vi.advanceTimersByTimeAsync(100)
    record(drainer, 2, 2)
    let done = false
    const flushed = drainer.flush().then(() => {
      done = true
    })
    gates[0]?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(done).toBe(false)
    gates[1]?.()
    await flushed
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('flush() does not wait for rows that are recorded after it was asked', async () => {
    let next = 100
    const store = fakeStore(async () => {
      // A busy gateway: before each write ends, more rows are there.
      await Promise.resolve()
      if (next < 400) drainer.record(row(next++))
    })
    const drainer: Drainer = open(store)
    record(drainer, 1, 3)
    await drainer.flush()
    expect(store.ids().slice(0, 3)).toEqual(['1', '2', '3'])
    expect(next).toBeLessThan(110)
  })

  it('flush() rejects where the store refuses, once, and loses nothing', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const drainer = open(store)
    record(drainer, 1, 2)
    await expect(drainer.flush()).rejects.toBe(AWAY)
    expect(journal.waitingRows).toBe(2)
    away = false
    await drainer.flush()
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('flush() serves many at once with one write', async () => {
    const store = fakeStore()
    const drainer = open(store)
    record(drainer, 1, 2)
    await Promise.all([drainer.flush(), drainer.flush(), drainer.flush()])
    expect(store.batches).toEqual([['1', '2']])
  })

  it('flush() is content with rows that cannot become durable, once the ledger has them', async () => {
    const store = fakeStore()
    const drainer = open(store, {
      journal: { ...journal, waitingRows: 1, appended: () => Promise.reject(AWAY) },
    })
    record(drainer, 1, 1)
    await drainer.flush()
    expect(store.ids()).toEqual(['1'])
  })
})

describe('close()', () => {
  it('close() writes everything first and leaves no timer behind', async () => {
    const store = fakeStore()
    const drainer = open(store, { pollMs: 1000 })
    record(drainer, 1, 5)
    await drainer.close()
    expect(store.ids()).toEqual(range(1, 5))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('close() tries for a while where the store is away, then leaves the rows to the journal', async () => {
    let writes = 0
    const drainer = open(
      fakeStore(async () => {
        writes++
        throw AWAY
      }),
    )
    record(drainer, 1, 5)
    const closed = drainer.close()
    await vi.advanceTimersByTimeAsync(1000)
    await closed
    expect(writes).toBeGreaterThan(2)
    expect(journal.waitingRows).toBe(5)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('close() brings all where the store comes back in time', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const drainer = open(store)
    record(drainer, 1, 2)
    const closed = drainer.close()
    await vi.advanceTimersByTimeAsync(250)
    away = false
    await vi.advanceTimersByTimeAsync(500)
    await closed
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('close() does not hang on a write that never ends', async () => {
    const drainer = open(fakeStore(() => new Promise(() => undefined)))
    record(drainer, 1, 4)
    const closed = drainer.close()
    await vi.advanceTimersByTimeAsync(1000)
    await closed
    expect(journal.waitingRows).toBe(4)
  })

  it('close() may be asked twice', async () => {
    const store = fakeStore()
    const drainer = open(store)
    record(drainer, 1, 1)
    await Promise.all([drainer.close(), drainer.close()])
    expect(store.ids()).toEqual(['1'])
  })
})
