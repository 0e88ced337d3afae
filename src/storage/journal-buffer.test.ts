import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createJournalBuffer, type JournalBufferOptions, type JournalEntry } from './journal-buffer.ts'
import { ledgerRow } from './ledger-row-fixture.ts'

function entry(number: number): JournalEntry {
  return { number, row: ledgerRow({ id: String(number) }) }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, index) => from + index)
}

let errors: unknown[] = []

/** A disk that keeps what it is given, and does as told before that. */
function open(before: (writes: number) => Promise<void>, changes: Partial<JournalBufferOptions> = {}) {
  const writes: { readonly atMs: number; readonly numbers: number[] }[] = []
  let calls = 0
  const buffer = createJournalBuffer({
    clock: { monotonicMs: () => Date.now() },
    async write(entries) {
      const atMs = Date.now()
      await before(++calls)
      writes.push({ atMs, numbers: entries.map(({ number }) => number) })
    },
    gapMs: 8,
    commitRowsMax: 1000,
    onError: (error) => errors.push(error),
    ...changes,
  })
  return { buffer, writes, numbers: () => writes.flatMap(({ numbers }) => numbers) }
}

const WORKS = () => Promise.resolve()

beforeEach(() => {
  vi.useFakeTimers()
  errors = []
})
afterEach(() => {
  vi.useRealTimers()
})

describe('append()', () => {
  it('append() after a pause is written at once, with the others of its turn', async () => {
    const { buffer, writes } = open(WORKS)
    for (const number of range(1, 5)) buffer.append(entry(number))
    expect(buffer.rows).toBe(5)
    await vi.advanceTimersByTimeAsync(0)
    expect(writes.map(({ numbers }) => numbers)).toEqual([[1, 2, 3, 4, 5]])
    expect(buffer.rows).toBe(0)
  })

  it('append() waits for no longer than the gap, and the disk has one write for each', async () => {
    const { buffer, writes, numbers } = open(WORKS)
    const startMs = Date.now()
    for (const number of range(0, 999)) {
      buffer.append(entry(number))
      await vi.advanceTimersByTimeAsync(1)
    }
    await vi.advanceTimersByTimeAsync(8)
    expect(numbers()).toEqual(range(0, 999))
    expect(writes.length).toBeLessThanOrEqual(1000 / 8 + 1)
    for (const { atMs, numbers } of writes) expect(atMs - startMs - (numbers[0] ?? 0)).toBeLessThanOrEqual(8)
  })

  it('append() of more rows than one write takes makes the next follow at once', async () => {
    const { buffer, writes } = open(WORKS, { commitRowsMax: 3 })
    for (const number of range(1, 10)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(4)
    expect(writes.map(({ numbers }) => numbers.length)).toEqual([3, 3, 3])
    await vi.advanceTimersByTimeAsync(8)
    expect(writes.at(-1)?.numbers).toEqual([10])
  })

  it('append() during a write goes into the next one', async () => {
    const gate = Promise.withResolvers<void>()
    const { buffer, numbers, writes } = open((call) => (call === 1 ? gate.promise : WORKS()))
    buffer.append(entry(1))
    await vi.advanceTimersByTimeAsync(100)
    for (const number of range(2, 4)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(100)
    expect(writes).toEqual([])
    expect(buffer.rows).toBe(4)
    gate.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(writes.map(({ numbers }) => numbers)).toEqual([[1], [2, 3, 4]])
    expect(numbers()).toEqual(range(1, 4))
  })
})

describe('written()', () => {
  it('written() waits for its rows only', async () => {
    const gate = Promise.withResolvers<void>()
    const { buffer } = open((call) => (call === 2 ? gate.promise : WORKS()))
    await buffer.written(0)
    buffer.append(entry(1))
    const first = buffer.written(1)
    await vi.advanceTimersByTimeAsync(0)
    await first
    buffer.append(entry(2))
    let done = false
    const second = buffer.written(2).then(() => {
      done = true
    })
    await buffer.written(1)
    await vi.advanceTimersByTimeAsync(1000)
    expect(done).toBe(false)
    gate.resolve()
    await second
  })

  it('written() rejects when the write fails, and while the last one has', async () => {
    const full = new Error('ENOSPC')
    let works = false
    const { buffer, numbers } = open(() => (works ? WORKS() : Promise.reject(full)))
    buffer.append(entry(1))
    const refused = expect(buffer.written(1)).rejects.toMatchObject({
      code: 'storage_unavailable',
      cause: full,
    })
    await vi.advanceTimersByTimeAsync(0)
    await refused
    buffer.append(entry(2))
    await expect(buffer.written(2)).rejects.toMatchObject({ code: 'storage_unavailable' })
    works = true
    await vi.advanceTimersByTimeAsync(200)
    await buffer.written(2)
    expect(numbers()).toEqual([1, 2])
  })
})

describe('a disk that fails', () => {
  it('is tried again, later each time, and gets every row in order', async () => {
    let works = false
    const { buffer, numbers } = open(() => (works ? WORKS() : Promise.reject(new Error('EIO'))))
    for (const number of range(1, 100)) {
      buffer.append(entry(number))
      await vi.advanceTimersByTimeAsync(100)
    }
    // After 0, 100, 300, 700, 1500, 3100, 6300 milliseconds.
    expect(errors.length).toBe(7)
    expect(buffer.failing).toBe(true)
    expect(buffer.rows).toBe(100)
    works = true
    await vi.advanceTimersByTimeAsync(5000)
    expect(buffer.failing).toBe(false)
    expect(numbers()).toEqual(range(1, 100))
  })

  it('does not get rows that were taken out meanwhile', async () => {
    let works = false
    const { buffer, numbers } = open(() => (works ? WORKS() : Promise.reject(new Error('EIO'))))
    for (const number of range(1, 10)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(0)
    expect(buffer.peek(3).map(({ number }) => number)).toEqual([1, 2, 3])
    const waiting = expect(buffer.written(10)).rejects.toMatchObject({ code: 'storage_unavailable' })
    buffer.dropThrough(4)
    expect(buffer.rows).toBe(6)
    await buffer.written(4)
    await waiting
    works = true
    await vi.advanceTimersByTimeAsync(100)
    expect(numbers()).toEqual(range(5, 10))
  })

  it('counts as failing when a write lasts for more than a second; rows in it can be taken out', async () => {
    const gate = Promise.withResolvers<void>()
    const { buffer, numbers } = open((call) => (call === 1 ? gate.promise : WORKS()))
    for (const number of range(1, 4)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(1000)
    buffer.append(entry(5))
    expect(buffer.failing).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(buffer.failing).toBe(true)
    buffer.dropThrough(2)
    expect(buffer.peek(10).map(({ number }) => number)).toEqual([3, 4, 5])
    await buffer.written(2)
    gate.reject(new Error('EIO'))
    await vi.advanceTimersByTimeAsync(100)
    expect(numbers()).toEqual([3, 4, 5])
    expect(buffer.failing).toBe(false)
  })
})

describe('restore()', () => {
  it('restore() writes entries again, before newer ones', async () => {
    const { buffer, numbers } = open(WORKS)
    for (const number of range(1, 3)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(0)
    buffer.append(entry(4))
    buffer.restore(range(2, 3).map(entry))
    await vi.advanceTimersByTimeAsync(8)
    expect(numbers()).toEqual([1, 2, 3, 2, 3, 4])
  })
})

describe('close()', () => {
  it('close() writes what waits without a pause', async () => {
    const { buffer, writes, numbers } = open(WORKS, { commitRowsMax: 4 })
    for (const number of range(1, 10)) buffer.append(entry(number))
    await buffer.close()
    expect(numbers()).toEqual(range(1, 10))
    expect(writes.length).toBe(3)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('close() tries once more, and says so where that fails', async () => {
    const { buffer } = open(() => Promise.reject(new Error('EIO')))
    buffer.append(entry(1))
    await vi.advanceTimersByTimeAsync(0)
    await expect(buffer.close()).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(errors.length).toBe(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})
