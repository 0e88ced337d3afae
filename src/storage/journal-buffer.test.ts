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

/**
 * A disk that keeps what it is given, and does as told before that. What it is given leaves the process at once, or as
 * `leaves` says.
 */
function open(
  before: (writes: number) => Promise<void>,
  changes: Partial<JournalBufferOptions> = {},
  leaves?: (writes: number) => Promise<void> | undefined,
) {
  const writes: number[][] = []
  const durable: number[] = []
  const buffer = createJournalBuffer({
    clock: { monotonicMs: () => Date.now() },
    write(entries) {
      const numbers = entries.map(({ number }) => number)
      writes.push(numbers)
      const handedOver = leaves?.(writes.length)
      return { handedOver, durable: before(writes.length).then(() => void durable.push(...numbers)) }
    },
    commitRowsMax: 1000,
    onError: (error) => errors.push(error),
    ...changes,
  })
  return { buffer, writes, numbers: () => durable }
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
  it('append() leaves the process with the others of its turn', async () => {
    const { buffer, writes } = open(WORKS)
    for (const number of range(1, 5)) buffer.append(entry(number))
    expect(buffer.rows).toBe(5)
    await vi.advanceTimersByTimeAsync(0)
    expect(writes).toEqual([[1, 2, 3, 4, 5]])
    expect(buffer.rows).toBe(0)
  })

  it('append() of more rows than one write takes makes the next follow at once', async () => {
    const { buffer, writes } = open(WORKS, { commitRowsMax: 3 })
    for (const number of range(1, 10)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(4)
    expect(writes.map(({ length }) => length)).toEqual([3, 3, 3, 1])
  })

  it('append() does not wait until what was written before is durable', async () => {
    const gate = Promise.withResolvers<void>()
    const { buffer, writes, numbers } = open((call) => (call === 1 ? gate.promise : WORKS()))
    buffer.append(entry(1))
    await vi.advanceTimersByTimeAsync(10)
    for (const number of range(2, 4)) buffer.append(entry(number))
    await vi.advanceTimersByTimeAsync(10)
    expect(writes).toEqual([[1], [2, 3, 4]])
    expect(numbers()).toEqual([2, 3, 4])
    expect(buffer.rows).toBe(1)
    gate.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(buffer.rows).toBe(0)
  })

  it('append() waits until what was written before has left the process', async () => {
    const gate = Promise.withResolvers<void>()
    const { buffer, writes } = open(WORKS, {}, (call) => (call === 1 ? gate.promise : undefined))
    buffer.append(entry(1))
    await vi.advanceTimersByTimeAsync(0)
    buffer.append(entry(2))
    buffer.append(entry(3))
    await vi.advanceTimersByTimeAsync(10)
    expect(writes).toEqual([[1]])
    gate.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(writes).toEqual([[1], [2, 3]])
  })
})

/** @returns whether a wait is over */
function watch(wait: Promise<void> | undefined): { over: boolean } {
  if (wait === undefined) throw new Error('Nothing is waited for.')
  const watched = { over: false }
  void wait.then(() => {
    watched.over = true
  })
  return watched
}

describe('handedOver()', () => {
  const NEVER = new Promise<void>(() => {})

  it('handedOver() waits for the end of the turn, and not for the disk', async () => {
    const { buffer } = open(() => NEVER)
    expect(buffer.handedOver()).toBeUndefined()
    buffer.append(entry(1))
    const first = buffer.handedOver()
    buffer.append(entry(2))
    expect(buffer.handedOver()).toBe(first)
    const wait = watch(first)
    await vi.advanceTimersByTimeAsync(0)
    expect(wait.over).toBe(true)
    expect(buffer.handedOver()).toBeUndefined()
    expect(vi.getTimerCount()).toBe(0)
  })

  it('handedOver() waits for a handover that takes its time, and for the next one apart from it', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { buffer } = open(WORKS, {}, (call) => gates[call - 1]?.promise)
    buffer.append(entry(1))
    await vi.advanceTimersByTimeAsync(0)
    const first = watch(buffer.handedOver())
    buffer.append(entry(2))
    const second = watch(buffer.handedOver())
    gates[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect([first.over, second.over]).toEqual([true, false])
    gates[1]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(second.over).toBe(true)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('handedOver() waits for rows of one turn that go in several writes', async () => {
    const gates = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const { buffer } = open(WORKS, { commitRowsMax: 2 }, (call) => gates[call - 1]?.promise)
    for (const number of range(1, 4)) buffer.append(entry(number))
    const wait = watch(buffer.handedOver())
    await vi.advanceTimersByTimeAsync(0)
    gates[0]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(wait.over).toBe(false)
    gates[1]?.resolve()
    await vi.advanceTimersByTimeAsync(0)
    expect(wait.over).toBe(true)
  })

  it('handedOver() ends after 250 ms whatever happens, and nobody waits until it is over', async () => {
    const gate = Promise.withResolvers<void>()
    const { buffer } = open(WORKS, {}, (call) => (call === 1 ? gate.promise : undefined))
    buffer.append(entry(1))
    const first = watch(buffer.handedOver())
    await vi.advanceTimersByTimeAsync(100)
    buffer.append(entry(2))
    const second = watch(buffer.handedOver())
    await vi.advanceTimersByTimeAsync(149)
    expect([first.over, second.over]).toEqual([false, false])
    await vi.advanceTimersByTimeAsync(2)
    expect([first.over, second.over]).toEqual([true, true])
    expect(buffer.handedOver()).toBeUndefined()
    gate.resolve()
    await vi.advanceTimersByTimeAsync(0)
    buffer.append(entry(3))
    expect(buffer.handedOver()).toBeInstanceOf(Promise)
  })

  it('handedOver() waits for nothing while the disk fails, or has too much to do', async () => {
    for (const how of ['throws', 'rejects', 'lasts'] as const) {
      const { buffer, writes } = open(
        () => (how === 'rejects' ? Promise.reject(new Error('EIO')) : NEVER),
        {},
        () => {
          if (how === 'throws') throw new Error('ENOSPC')
          return undefined
        },
      )
      const rows = how === 'lasts' ? 10_000 : 1
      for (const number of range(1, rows)) buffer.append(entry(number))
      const wait = watch(buffer.handedOver())
      await vi.advanceTimersByTimeAsync(how === 'lasts' ? 1001 : 0)
      expect(wait.over).toBe(true)
      // Somebody has taken them out, and they are in memory nevertheless.
      if (how === 'lasts') buffer.dropThrough(rows - 1)
      const before = writes.length
      buffer.append(entry(rows + 1))
      expect(buffer.handedOver()).toBeUndefined()
      await vi.advanceTimersByTimeAsync(10)
      expect(writes.length).toBe(before)
      expect(buffer.peek(10).map(({ number }) => number)).toEqual([rows, rows + 1])
      vi.clearAllTimers()
    }
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
    expect(buffer.failing).toBe(false)
    await vi.advanceTimersByTimeAsync(1)
    expect(buffer.failing).toBe(true)
    buffer.append(entry(5))
    buffer.dropThrough(2)
    expect(buffer.peek(10).map(({ number }) => number)).toEqual([3, 4, 5])
    await buffer.written(2)
    gate.reject(new Error('EIO'))
    await vi.advanceTimersByTimeAsync(100)
    expect(numbers()).toEqual([3, 4, 5])
    expect(buffer.failing).toBe(false)
  })
})

describe('writes that turn out not to be durable', () => {
  it('are done again, in order, however many there were', async () => {
    let works = false
    const gate = Promise.withResolvers<void>()
    const { buffer, numbers } = open(() =>
      works ? WORKS() : gate.promise.then(() => Promise.reject(new Error('EIO'))),
    )
    for (const number of range(1, 3)) {
      buffer.append(entry(number))
      await vi.advanceTimersByTimeAsync(0)
    }
    buffer.append(entry(4))
    gate.resolve()
    await vi.advanceTimersByTimeAsync(0)
    // One disk that failed once.
    expect(errors.length).toBe(1)
    expect(buffer.peek(10).map(({ number }) => number)).toEqual([1, 2, 3, 4])
    works = true
    await vi.advanceTimersByTimeAsync(100)
    expect(numbers()).toEqual([1, 2, 3, 4])
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
