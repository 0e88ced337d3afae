import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Journal, LedgerRow } from '../ledger/ports.ts'
import { type FileJournalOptions, openFileJournal } from './file-journal.ts'
import { openSegmentFile, type SegmentFile } from './file-journal-files.ts'
import { scanRecords } from './journal-record.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import type { StorageLogger } from './storage-logger.ts'

let folder = ''
let copies = 0
let opened: Journal[] = []
let logged: string[] = []
const logger: StorageLogger = {
  info: (_, message) => void logged.push(message),
  warn: (_, message) => void logged.push(message),
  error: (_, message) => void logged.push(message),
}

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'))
  copies = 0
  opened = []
  logged = []
})
afterEach(async () => {
  await Promise.allSettled(opened.map((journal) => journal.close()))
  rmSync(folder, { recursive: true, force: true })
})

async function open(directory: string, options: Partial<FileJournalOptions> = {}): Promise<Journal> {
  const journal = await openFileJournal({ directory, logger, gapMs: 1, ...options })
  opened.push(journal)
  return journal
}

/** @returns a directory as the death of a process would leave it */
function crashed(directory: string): string {
  const copy = join(folder, `copy-${++copies}`)
  cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('.lock') })
  return copy
}

function append(journal: Journal, from: number, to: number): string[] {
  const ids = Array.from({ length: to - from + 1 }, (_, index) => `row-${from + index}`)
  for (const id of ids) journal.append(ledgerRow({ id }))
  return ids
}

async function takeIds(journal: Journal, rowsMax = 100): Promise<string[]> {
  const ids: string[] = []
  while ((await journal.drain(async (rows) => void ids.push(...rows.map(({ id }) => id)), rowsMax)) > 0);
  return ids
}

function segments(directory: string): string[] {
  return readdirSync(directory).filter((name) => name.endsWith('.journal'))
}

describe('openFileJournal() after a crash', () => {
  it('cuts off a last record that ends at any byte, and loses no other', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory)
    const ids = append(journal, 1, 4)
    await journal.appended()
    const [name = ''] = segments(directory)
    const bytes = readFileSync(join(directory, name))
    const last = scanRecords(bytes, 0, 10).records.at(-1)
    expect(last?.number).toBe(4)
    for (let length = last?.start ?? 0; length < bytes.length; length++) {
      const copy = crashed(directory)
      truncateSync(join(copy, name), length)
      const next = await open(copy)
      expect(next.waitingRows).toBe(3)
      // What comes later must not end up behind what was cut off.
      const more = append(next, 5, 6)
      await next.appended()
      expect(await takeIds(next)).toEqual([...ids.slice(0, 3), ...more])
      await next.close()
      rmSync(copy, { recursive: true })
    }
    expect(logged.every((message) => message.includes('cut off'))).toBe(true)
    expect(logged.length).toBe(bytes.length - (last?.start ?? 0) - 1)
  }, 60_000)

  it('steps over a damaged record, keeps it aside and says so', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory)
    const ids = append(journal, 1, 5)
    await journal.appended()
    const [name = ''] = segments(directory)
    const bytes = readFileSync(join(directory, name))
    const { start, end } = scanRecords(bytes, 0, 10).records[2] ?? { start: 0, end: 0 }
    bytes[end - 10] = (bytes[end - 10] ?? 0) ^ 1
    writeFileSync(join(directory, name), bytes)
    const copy = crashed(directory)
    const next = await open(copy)
    expect(await takeIds(next)).toEqual(ids.filter((_, index) => index !== 2))
    expect(logged).toEqual(['a part of the journal is damaged: rows in it are not in the ledger'])
    const [kept = ''] = readdirSync(join(copy, 'damaged'))
    expect(readFileSync(join(copy, 'damaged', kept))).toEqual(bytes.subarray(start, end))
    expect(next.waitingRows).toBe(0)
  })

  it('waits for no row that was damaged at the very end', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory, { segmentBytesMax: 1 })
    for (let number = 1; number <= 3; number++) {
      append(journal, number, number)
      await journal.appended()
    }
    const copy = crashed(directory)
    for (const name of segments(copy).slice(1)) {
      const bytes = readFileSync(join(copy, name))
      bytes[bytes.length - 1] = 0
      writeFileSync(join(copy, name), bytes)
    }
    const next = await open(copy)
    expect(await takeIds(next)).toEqual(['row-1'])
    await next.drained()
    expect(next.waitingRows).toBe(0)
  })

  it('delivers again what it had delivered where its position is lost', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory)
    const ids = append(journal, 1, 10)
    await journal.appended()
    await journal.drain(async () => undefined, 4)
    for (const damage of ['', '{"drained":"x"}', undefined]) {
      const copy = crashed(directory)
      if (damage !== undefined) writeFileSync(join(copy, 'drained.json'), damage)
      expect(await takeIds(await open(copy))).toEqual(ids)
    }
  })

  it('goes on counting where it stopped, though no file is left', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory)
    append(journal, 1, 10)
    await journal.appended()
    await takeIds(journal)
    await journal.close()
    expect(segments(directory)).toEqual([])
    const next = await open(directory)
    const ids = append(next, 11, 12)
    await next.appended()
    expect(segments(directory)).toEqual(['0000000000000011.journal'])
    expect(await takeIds(await open(crashed(directory)))).toEqual(ids)
  })

  it('refuses a directory that is open', async () => {
    const directory = join(folder, 'journal')
    await open(directory)
    await expect(open(directory)).rejects.toMatchObject({ code: 'conflict' })
  })
})

describe('openFileJournal() for a ledger that a power cut may set back', () => {
  it('delivers rows of the last while again, and older ones not', async () => {
    const directory = join(folder, 'journal')
    let nowMs = 0
    const clock = { now: () => nowMs, monotonicMs: () => nowMs }
    const journal = await open(directory, { clock, embedded: true, segmentBytesMax: 1 })
    const ids: string[] = []
    for (let minute = 0; minute < 3; minute++) {
      ids.push(...append(journal, ids.length + 1, ids.length + 3))
      await journal.appended()
      expect(await takeIds(journal)).toEqual(ids.slice(-3))
      nowMs += 40_000
    }
    expect(journal.waitingRows).toBe(0)
    await journal.close()
    // Taken by the ledger at 0, 40 and 80 seconds; the first are gone since 60.
    expect(segments(directory).length).toBe(2)
    const next = await open(directory)
    expect(next.waitingRows).toBe(6)
    expect(await takeIds(next)).toEqual(ids.slice(3))
  })

  it('lets rows go sooner where the room is needed', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory, { embedded: true, bytesMax: 20_000 })
    for (let n = 0; n < 50; n++) {
      append(journal, 10 * n, 10 * n + 9)
      await journal.appended()
      await takeIds(journal)
      expect(journal.hasRoom).toBe(true)
    }
  })
})

describe('openFileJournal() while the ledger is away', () => {
  it('keeps a bounded number of rows in memory, and the rest on the disk in order', async () => {
    const directory = join(folder, 'journal')
    const journal = await open(directory, { windowRowsMax: 50, segmentBytesMax: 20_000 })
    const rows = new Set<LedgerRow>()
    const ids: string[] = []
    for (let commit = 0; commit < 40; commit++) {
      for (let n = 0; n < 25; n++) {
        const row = ledgerRow({ id: `row-${commit}-${n}` })
        rows.add(row)
        ids.push(row.id)
        journal.append(row)
      }
      await journal.appended()
      if (commit % 10 === 0)
        await expect(journal.drain(() => Promise.reject(new Error('away')), 10)).rejects.toThrow('away')
    }
    expect(journal.waitingRows).toBe(1000)
    expect(segments(directory).length).toBeGreaterThan(5)
    const got: string[] = []
    let same = 0
    const take = async (batch: readonly LedgerRow[]) => {
      for (const row of batch) {
        got.push(row.id)
        if (rows.has(row)) same++
      }
    }
    while ((await journal.drain(take, 30)) > 0) {
      // Rows that come while it catches up have to wait for their turn.
      if (got.length >= 300 || got.length % 90 !== 0) continue
      ids.push(...append(journal, ids.length, ids.length + 9))
      await journal.appended()
    }
    expect(got).toEqual(ids)
    expect(same).toBe(50)
    expect(journal.bytes).toBeLessThan(40_000)
    // Caught up: rows go straight from memory again.
    const row = ledgerRow({ id: 'straight' })
    journal.append(row)
    await journal.appended()
    await journal.drain(async ([first]) => expect(first).toBe(row), 1)
  })
})

/** A disk that fails: when it is written to, in the middle of that, or when it has to make sure of it. */
function brittleDisk() {
  const disk = {
    mode: 'works' as 'works' | 'full' | 'half' | 'lossy' | 'stuck',
    syncs: 0,
    /** Writes that held the process up, and writes that did not. */
    writes: { now: 0, slow: 0 },
    release: () => {},
  }
  const full = () => Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
  const broken = () => Object.assign(new Error('i/o error'), { code: 'EIO' })
  const openFile = (path: string): SegmentFile => {
    if (disk.mode === 'full') throw full()
    const file = openSegmentFile(path)
    return {
      ...file,
      writeNow(bytes, position) {
        disk.writes.now++
        if (disk.mode === 'full') throw full()
        if (disk.mode === 'half') {
          file.writeNow(bytes.subarray(0, Math.floor(bytes.length / 2)), position)
          throw broken()
        }
        file.writeNow(bytes, position)
      },
      async write(bytes, position) {
        disk.writes.slow++
        if (disk.mode === 'full') throw full()
        await file.write(bytes, position)
      },
      async sync() {
        disk.syncs++
        if (disk.mode === 'stuck') await new Promise<void>((resolve) => (disk.release = resolve))
        if (disk.mode === 'lossy') throw broken()
        await file.sync()
      },
    }
  }
  return { disk, openFile }
}

describe('openFileJournal() on a disk that fails', () => {
  it('hands rows to the ledger from memory, and refuses calls only when both are away', async () => {
    const { disk, openFile } = brittleDisk()
    const directory = join(folder, 'journal')
    const journal = await open(directory, { openFile, unwrittenRowsMax: 20 })
    const ids = append(journal, 1, 5)
    await journal.appended()
    disk.mode = 'full'
    ids.push(...append(journal, 6, 15))
    await expect(journal.appended()).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(journal.hasRoom).toBe(true)
    const got = await takeIds(journal, 3)
    expect(got).toEqual(ids)
    await journal.drained()
    await journal.appended()

    ids.push(...append(journal, 16, 40))
    expect(journal.hasRoom).toBe(false)
    await expect(journal.drain(() => Promise.reject(new Error('away')), 10)).rejects.toThrow('away')
    await journal.drain(async (rows) => void got.push(...rows.map(({ id }) => id)), 10)
    expect(journal.hasRoom).toBe(true)
    disk.mode = 'works'
    await journal.close()
    const next = await open(directory)
    expect(next.waitingRows).toBe(15)
    expect(got.concat(await takeIds(next))).toEqual(ids)
  })

  it('loses nothing to a write that broke off in the middle', async () => {
    const { disk, openFile } = brittleDisk()
    const directory = join(folder, 'journal')
    const journal = await open(directory, { openFile })
    const ids = append(journal, 1, 5)
    await journal.appended()
    disk.mode = 'half'
    ids.push(...append(journal, 6, 10))
    await expect(journal.appended()).rejects.toMatchObject({ code: 'storage_unavailable' })
    const early = crashed(directory)
    const [name = ''] = segments(early)
    const whole = scanRecords(readFileSync(join(early, name)), 0, 100).records.length
    expect(whole).toBeLessThan(10)
    disk.mode = 'works'
    ids.push(...append(journal, 11, 12))
    await untilWritten(journal)
    expect(await takeIds(await open(crashed(directory)))).toEqual(ids)
    expect(await takeIds(await open(early))).toEqual(ids.slice(0, whole))
    expect(await takeIds(journal)).toEqual(ids)
  })

  it('loses nothing of what was written since a sync that failed', async () => {
    const { disk, openFile } = brittleDisk()
    const directory = join(folder, 'journal')
    const journal = await open(directory, { openFile, segmentBytesMax: 1500 })
    const ids = append(journal, 1, 5)
    await journal.appended()
    disk.mode = 'stuck'
    for (let number = 6; number <= 15; number++) {
      ids.push(...append(journal, number, number))
      await journal.handedOver()
    }
    expect(segments(directory).length).toBeGreaterThan(1)
    expect(await takeIds(await open(crashed(directory)))).toEqual(ids)
    disk.mode = 'lossy'
    disk.release()
    await expect(journal.appended()).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(await takeIds(await open(crashed(directory)))).toEqual(ids.slice(0, 5))
    disk.mode = 'works'
    ids.push(...append(journal, 16, 17))
    await untilWritten(journal)
    expect(await takeIds(await open(crashed(directory)))).toEqual(ids)
    expect(await takeIds(journal)).toEqual(ids)
    expect(logged.every((message) => message.includes('cannot be written'))).toBe(true)
  })

  it('is not held up by a disk whose sync takes long', async () => {
    const { disk, openFile } = brittleDisk()
    let nowMs = 0
    const clock = { now: () => nowMs, monotonicMs: () => nowMs }
    const journal = await open(join(folder, 'journal'), { openFile, clock })
    append(journal, 1, 1)
    await journal.appended()
    expect(disk.writes).toEqual({ now: 1, slow: 0 })
    disk.mode = 'stuck'
    const step = async (number: number, ms: number) => {
      nowMs += ms
      append(journal, number, number)
      await journal.handedOver()
    }
    await step(2, 10)
    await step(3, 250)
    expect(disk.writes).toEqual({ now: 3, slow: 0 })
    await step(4, 1)
    expect(disk.writes).toEqual({ now: 3, slow: 1 })
    disk.mode = 'works'
    disk.release()
    await untilSynced(journal, () => (nowMs += 10))
    await step(5, 10)
    expect(disk.writes).toEqual({ now: 4, slow: 1 })
  })

  it('does not wait for a write that is stuck', async () => {
    const { disk, openFile } = brittleDisk()
    let nowMs = 0
    const journal = await open(join(folder, 'journal'), {
      openFile,
      clock: { now: () => nowMs, monotonicMs: () => nowMs },
    })
    disk.mode = 'stuck'
    const ids = append(journal, 1, 5)
    while (disk.syncs === 0) await new Promise(setImmediate)
    expect(await takeIds(journal)).toEqual([])
    nowMs = 1001
    expect(await takeIds(journal)).toEqual(ids)
    await journal.drained()
    disk.mode = 'works'
    disk.release()
    await journal.appended()
    expect(await takeIds(journal)).toEqual([])
  })
})

async function untilSynced(journal: Journal, tick: () => void): Promise<void> {
  let done = false
  void journal.appended().then(() => {
    done = true
  })
  while (!done) {
    tick()
    await new Promise(setImmediate)
  }
}

async function untilWritten(journal: Journal): Promise<void> {
  while (
    !(await journal.appended().then(
      () => true,
      () => false,
    ))
  )
    await new Promise(setImmediate)
}
