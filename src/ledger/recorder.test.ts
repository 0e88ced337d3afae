import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { LedgerRow } from './ports.ts'
import { createRecorder, type Recorder, type RecorderOptions } from './recorder.ts'

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
let lost: number[] = []
let refused: string[] = []

function open(store: RecorderOptions['store'], changes: Partial<RecorderOptions> = {}): Recorder {
  return createRecorder({
    store,
    batchRowsMax: 3,
    lingerMs: 100,
    queueRowsMax: 10,
    closeMs: 1000,
    onError: (error, waitingRows) => errors.push([error, waitingRows]),
    onLost: (rows) => lost.push(rows),
    onRefused: ({ id }) => refused.push(id),
    ...changes,
  })
}

function record(recorder: Recorder, from: number, to: number): void {
  for (let id = from; id <= to; id++) recorder.record(row(id))
}

function range(from: number, to: number): string[] {
  return Array.from({ length: to - from + 1 }, (_, index) => String(from + index))
}

beforeEach(() => {
  vi.useFakeTimers()
  errors = []
  lost = []
  refused = []
})
afterEach(() => {
  vi.useRealTimers()
})

describe('record()', () => {
  it('brings rows to the store in order, in batches, after the linger', async () => {
    const store = fakeStore()
    const recorder = open(store, { batchRowsMax: 4 })
    record(recorder, 1, 2)
    await vi.advanceTimersByTimeAsync(99)
    expect(store.batches).toEqual([])
    await vi.advanceTimersByTimeAsync(1)
    expect(store.batches).toEqual([['1', '2']])
    expect(recorder.waitingRows).toBe(0)
  })

  it('does not wait for company once a batch is full', async () => {
    const store = fakeStore()
    const recorder = open(store)
    record(recorder, 1, 3)
    await vi.advanceTimersByTimeAsync(0)
    expect(store.batches).toEqual([['1', '2', '3']])
    record(recorder, 4, 10)
    await vi.advanceTimersByTimeAsync(0)
    expect(store.batches.slice(1)).toEqual([['4', '5', '6'], ['7', '8', '9'], ['10']])
  })

  it('forgets no row that comes in the moment in which a write ends', async () => {
    const store = fakeStore()
    const recorder = open(store)
    // Settlements come between any two steps of the writer: one row after each of its turns.
    record(recorder, 1, 1)
    let next = 2
    const feed = async () => {
      while (next <= 60) {
        recorder.record(row(next++))
        await Promise.resolve()
      }
    }
    vi.advanceTimersByTime(100)
    await feed()
    await vi.advanceTimersByTimeAsync(100)
    expect(store.ids()).toEqual(range(1, 60))
  })

  it('tries again, later each time, until the store is back, and keeps the order', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const recorder = open(store)
    record(recorder, 1, 2)
    await vi.advanceTimersByTimeAsync(100)
    record(recorder, 3, 5)
    for (let i = 0; i < 10; i++) await vi.advanceTimersByTimeAsync(1000)
    // At 100, 200, 400, 800, 1600, 3200, 6400 milliseconds.
    expect(errors.length).toBe(7)
    expect(errors.at(-1)).toEqual([AWAY, 5])
    away = false
    await vi.advanceTimersByTimeAsync(5000)
    expect(store.ids()).toEqual(range(1, 5))
    // The next failure begins with a short wait again.
    away = true
    record(recorder, 6, 6)
    await vi.advanceTimersByTimeAsync(100)
    away = false
    await vi.advanceTimersByTimeAsync(100)
    expect(store.ids()).toEqual(range(1, 6))
    expect(lost).toEqual([])
  })

  it('does not try more often because rows come in while the store is away', async () => {
    const store = fakeStore(async () => {
      throw AWAY
    })
    const recorder = open(store, { queueRowsMax: 1000 })
    for (let i = 0; i < 100; i++) {
      recorder.record(row(i))
      await vi.advanceTimersByTimeAsync(10)
    }
    // In one second: after 30, then 130, 330 and 730 milliseconds or a little later.
    expect(errors.length).toBeLessThanOrEqual(5)
  })

  it('gives up the oldest rows, and says how many, once more wait than may', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const recorder = open(store)
    record(recorder, 1, 25)
    expect(recorder.waitingRows).toBeLessThanOrEqual(10)
    const gone = lost.reduce((sum, rows) => sum + rows, 0)
    expect(gone + recorder.waitingRows).toBe(25)
    await vi.advanceTimersByTimeAsync(0)
    away = false
    await vi.advanceTimersByTimeAsync(5000)
    expect(store.ids()).toEqual(range(gone + 1, 25))
  })

  it('gives up many at a time, so that a full queue costs a call next to nothing', () => {
    const store = fakeStore(() => new Promise(() => undefined))
    const recorder = open(store, { batchRowsMax: 500, queueRowsMax: 100_000 })
    record(recorder, 1, 150_000)
    expect(lost.length).toBeLessThanOrEqual(101)
    expect(recorder.waitingRows).toBeGreaterThan(99_000)
  })

  it('gives up none of the rows that are on their way', async () => {
    let finish: () => void = () => undefined
    const store = fakeStore(
      () =>
        new Promise((resolve) => {
          finish = resolve
        }),
    )
    const recorder = open(store)
    record(recorder, 1, 3)
    await vi.advanceTimersByTimeAsync(0)
    record(recorder, 4, 14)
    expect(lost).toEqual([3])
    for (let i = 0; i < 10; i++) {
      finish()
      await vi.advanceTimersByTimeAsync(0)
    }
    expect(store.ids()).toEqual([...range(1, 3), ...range(7, 14)])
    expect(recorder.waitingRows).toBe(0)
  })

  it('counts a row that comes after the end as lost', async () => {
    const recorder = open(fakeStore())
    await recorder.close()
    record(recorder, 1, 1)
    expect(lost).toEqual([1])
  })

  it('keeps every row of a store that takes none, whatever it says', async () => {
    let broken = true
    const store = fakeStore(async () => {
      if (broken) throw new Error('relation "ledger" does not exist')
    })
    const recorder = open(store)
    record(recorder, 1, 7)
    await vi.advanceTimersByTimeAsync(600_000)
    expect(recorder.waitingRows).toBe(7)
    broken = false
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.ids().sort()).toEqual(range(1, 7))
    expect(refused).toEqual([])
  })

  it('sets aside a row that no store will ever take, and writes all others', async () => {
    const store = fakeStore(async (rows) => {
      if (rows.some(({ id }) => id === '2')) throw new Error('invalid byte sequence')
    })
    const recorder = open(store)
    record(recorder, 1, 7)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.ids()).toEqual(['1', '3', '4', '5', '6', '7'])
    expect(refused).toEqual(['2'])
    expect(lost).toEqual([])
  })

  it('survives a store that throws at once', async () => {
    const recorder = open({
      write() {
        throw AWAY
      },
    })
    record(recorder, 1, 1)
    await vi.advanceTimersByTimeAsync(100)
    expect(errors).toEqual([[AWAY, 1]])
    expect(recorder.waitingRows).toBe(1)
  })
})

describe('flush()', () => {
  it('resolves once every row recorded before is written, at once', async () => {
    const store = fakeStore()
    const recorder = open(store)
    record(recorder, 1, 7)
    await recorder.flush()
    expect(store.ids()).toEqual(range(1, 7))
    await recorder.flush()
    expect(store.batches.length).toBe(3)
  })

  it('waits for a batch that is under way, and for rows that came after it was cut', async () => {
    const gates: (() => void)[] = []
    const store = fakeStore(() => new Promise((resolve) => gates.push(resolve)))
    const recorder = open(store)
    record(recorder, 1, 1)
    await vi.advanceTimersByTimeAsync(100)
    record(recorder, 2, 2)
    let done = false
    const flushed = recorder.flush().then(() => {
      done = true
    })
    gates[0]?.()
    await vi.advanceTimersByTimeAsync(0)
    expect(done).toBe(false)
    gates[1]?.()
    await flushed
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('does not wait for rows that are recorded after it was asked', async () => {
    let next = 100
    const store = fakeStore(async () => {
      // A busy gateway: before each write ends, more rows are there.
      await Promise.resolve()
      if (next < 400) recorder.record(row(next++))
    })
    const recorder: Recorder = open(store)
    record(recorder, 1, 3)
    await recorder.flush()
    expect(store.ids().slice(0, 3)).toEqual(['1', '2', '3'])
    expect(next).toBeLessThan(110)
  })

  it('rejects where the store refuses, and loses nothing', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const recorder = open(store)
    record(recorder, 1, 2)
    await expect(recorder.flush()).rejects.toBe(AWAY)
    expect(recorder.waitingRows).toBe(2)
    away = false
    await recorder.flush()
    expect(store.ids()).toEqual(['1', '2'])
  })

  it('serves many at once with one write', async () => {
    const store = fakeStore()
    const recorder = open(store)
    record(recorder, 1, 2)
    await Promise.all([recorder.flush(), recorder.flush(), recorder.flush()])
    expect(store.batches).toEqual([['1', '2']])
  })

  it('resolves where the rows it waits for were given up', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const recorder = open(store, { queueRowsMax: 3 })
    record(recorder, 1, 2)
    const flushed = recorder.flush().catch((error: unknown) => error)
    record(recorder, 3, 20)
    expect(await flushed).toBe(AWAY)
    away = false
    await recorder.flush()
    expect(recorder.waitingRows).toBe(0)
  })
})

describe('close()', () => {
  it('writes everything first and leaves no timer behind', async () => {
    const store = fakeStore()
    const recorder = open(store)
    record(recorder, 1, 5)
    await recorder.close()
    expect(store.ids()).toEqual(range(1, 5))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('tries for a while where the store is away, then tells what is lost', async () => {
    let writes = 0
    const recorder = open(
      fakeStore(async () => {
        writes++
        throw AWAY
      }),
    )
    record(recorder, 1, 5)
    const closed = recorder.close().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await closed).toBe(AWAY)
    expect(writes).toBeGreaterThan(2)
    expect(lost).toEqual([5])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('succeeds where the store comes back in time', async () => {
    let away = true
    const store = fakeStore(async () => {
      if (away) throw AWAY
    })
    const recorder = open(store)
    record(recorder, 1, 2)
    const closed = recorder.close()
    await vi.advanceTimersByTimeAsync(250)
    away = false
    await vi.advanceTimersByTimeAsync(500)
    await closed
    expect(store.ids()).toEqual(['1', '2'])
    expect(lost).toEqual([])
  })

  it('does not hang on a write that never ends', async () => {
    const recorder = open(fakeStore(() => new Promise(() => undefined)))
    record(recorder, 1, 4)
    const closed = recorder.close().catch((error: unknown) => error)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await closed).toMatchObject({ code: 'storage_unavailable' })
    expect(lost).toEqual([4])
  })

  it('may be asked twice', async () => {
    const store = fakeStore()
    const recorder = open(store)
    record(recorder, 1, 1)
    await Promise.all([recorder.close(), recorder.close()])
    expect(store.ids()).toEqual(['1'])
  })
})
