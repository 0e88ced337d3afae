import { mkdir, truncate, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Journal, LedgerRow } from '../ledger/ports.ts'
import { lockDataDirectory } from './data-directory-lock.ts'
import {
  listSegments,
  loadPosition,
  type OpenSegmentFile,
  openSegmentFile,
  readSegment,
  syncDirectory,
} from './file-journal-files.ts'
import { createBacklogReader } from './file-journal-reader.ts'
import { createRelease } from './file-journal-release.ts'
import { createSegmentWriter, type Place } from './file-journal-writer.ts'
import { createGroupSync } from './group-sync.ts'
import { createJournalBuffer, type JournalEntry, type Write } from './journal-buffer.ts'
import { createDrainWaiters, journalClosed } from './journal-ends.ts'
import { createRecordWriter, scanRecords } from './journal-record.ts'
import { encodeRow } from './journal-row.ts'
import type { StorageLogger } from './storage-logger.ts'
import { openUnfinishedFile } from './unfinished-file.ts'

export interface FileJournalOptions {
  /** Made where it is missing. One process at a time has it. */
  readonly directory: string
  readonly logger: StorageLogger
  readonly clock?: Clock
  /** Of all files together; past it new calls are refused. Default: 1 GiB, a million rows of plain calls. */
  readonly bytesMax?: number
  /** A file is removed once all of it is in the ledger. */
  readonly segmentBytesMax?: number
  /** Between the beginnings of two syncs. */
  readonly gapMs?: number
  /** Rows of which the ledger gets the object itself; more wait on the disk alone. */
  readonly windowRowsMax?: number
  /** Rows that the disk has not, because it fails; past it new calls are refused. */
  readonly unwrittenRowsMax?: number
  /**
   * The ledger is the embedded database, which calls no fsync: a power cut may cost its last seconds. Rows of the last
   * minute stay on the disk then, to be delivered again at the next start.
   */
  readonly embedded?: boolean
  /** In place of the file system, for tests. */
  readonly openFile?: OpenSegmentFile
}

const BYTES_MAX = 1024 ** 3
const SEGMENT_BYTES_MAX = 16 * 1024 ** 2
/** A full journal has to get room by drained segments, so there must be several. */
const SEGMENTS_MIN = 4
/** With the sync itself a row is durable after 10 ms at most, and a disk has some 130 syncs a second to do. */
const GAP_MS = 8
const COMMIT_ROWS_MAX = 1000
const WINDOW_ROWS_MAX = 4000
const UNWRITTEN_ROWS_MAX = 10_000
/** Linux writes dirty pages that are 30 s old every 5 s (`dirty_expire_centisecs` and `dirty_writeback_centisecs`). */
const EMBEDDED_RELEASE_MS = 60_000

/**
 * Opens the journal in a directory of this machine. What `handedOver` has confirmed lies in the page cache of the system
 * and survives the process; what `appended` has confirmed survives the loss of power.
 *
 * @throws GatewayError `conflict` where another process has the directory
 */
export async function openFileJournal(options: FileJournalOptions): Promise<Journal> {
  const { directory, logger, clock = systemClock } = options
  const bytesMax = options.bytesMax ?? BYTES_MAX
  const windowRowsMax = options.windowRowsMax ?? WINDOW_ROWS_MAX
  const unwrittenRowsMax = options.unwrittenRowsMax ?? UNWRITTEN_ROWS_MAX
  await mkdir(directory, { recursive: true, mode: 0o700 })
  await syncDirectory(dirname(directory))
  const lock = await lockDataDirectory(join(directory, 'journal.lock'))
  const recovered = await recover(directory, logger).catch((error: unknown) => {
    lock.release()
    throw error
  })
  const { segments } = recovered

  let { drained, lastNumber } = recovered
  /** The oldest rows that are durable and not in the ledger. */
  let window: JournalEntry[] = []
  let closed: Promise<void> | undefined
  let draining = false
  const waiters = createDrainWaiters((through) => through <= drained)
  const records = createRecordWriter()
  const writer = createSegmentWriter({
    directory,
    segmentBytesMax: Math.min(
      options.segmentBytesMax ?? SEGMENT_BYTES_MAX,
      Math.floor(bytesMax / SEGMENTS_MIN),
    ),
    openFile: options.openFile ?? openSegmentFile,
    segments,
    clock,
  })
  const release = createRelease({
    directory,
    segments,
    clock,
    logger,
    drained,
    releaseMs: options.embedded === true ? EMBEDDED_RELEASE_MS : 0,
    // Rows that wait need the room more.
    bytesMax: Math.floor(bytesMax / 2),
  })
  const backlog = createBacklogReader({ directory, segments, logger })
  const syncs = createGroupSync({ clock, sync: writer.sync, gapMs: options.gapMs ?? GAP_MS })
  const buffer = createJournalBuffer({
    clock,
    write,
    commitRowsMax: COMMIT_ROWS_MAX,
    onError: (error, waitingRows) =>
      logger.error({ error, waitingRows, directory }, 'the journal cannot be written, trying again'),
  })
  const [oldest] = segments
  if (oldest !== undefined) backlog.begin(oldest, 0)

  function write(entries: readonly JournalEntry[]): Write {
    records.reset()
    for (const { number, row } of entries) if (number > drained) records.add(number, encodeRow(row))
    const bytes = records.bytes()
    if (bytes.length === 0) return { durable: Promise.resolve() }
    const place = writer.append(bytes, entries[0]?.number ?? 0)
    if (!(place instanceof Promise)) return { durable: settle(entries, place) }
    return { handedOver: place, durable: place.then((found) => settle(entries, found)) }
  }

  /** Takes entries that are durable: older than all of the buffer, and newer than what the files had before. */
  async function settle(entries: readonly JournalEntry[], { segment, offset }: Place): Promise<void> {
    await syncs.request()
    if (backlog.hasMore) return
    if (window.length + entries.length > windowRowsMax) backlog.begin(segment, offset)
    else for (const entry of entries) if (entry.number > drained) window.push(entry)
  }

  async function next(rowsMax: number): Promise<readonly JournalEntry[]> {
    if (window.length === 0 && backlog.hasMore) {
      // Rows that were written meanwhile are newer.
      window = (await backlog.read(rowsMax, drained)).concat(window)
    }
    if (window.length > 0) return window.slice(0, rowsMax)
    // A ledger that has the row is as good as a disk that has it.
    if (buffer.failing) return buffer.peek(rowsMax)
    // Rows that were damaged at the end of the last file come no more.
    if (buffer.rows === 0 && drained < lastNumber) acknowledge(lastNumber)
    return []
  }

  function acknowledge(through: number): void {
    drained = Math.max(drained, through)
    const kept = window.findIndex(({ number }) => number > drained)
    window = kept < 0 ? [] : window.slice(kept)
    if (buffer.failing) buffer.dropThrough(drained)
    release.note(drained)
    waiters.tell()
  }

  async function closeAll(): Promise<void> {
    try {
      await buffer.close()
    } finally {
      try {
        await writer.close()
        await release.close(lastNumber)
      } finally {
        lock.release()
      }
    }
  }

  return {
    append(row) {
      if (closed !== undefined) throw journalClosed()
      buffer.append({ number: ++lastNumber, row })
    },
    handedOver: () => buffer.handedOver(),
    appended: () => buffer.written(lastNumber),
    get hasRoom() {
      return (
        closed === undefined &&
        release.bytes + writer.unsyncedBytes < bytesMax &&
        buffer.rows < unwrittenRowsMax
      )
    },
    async drain(handler, rowsMax) {
      if (draining) throw new Error('The journal is being drained already.')
      if (closed !== undefined) throw journalClosed()
      draining = true
      try {
        const entries = await next(rowsMax)
        const last = entries.at(-1)
        if (last === undefined) return 0
        await handler(entries.map(({ row }) => row))
        // Without the lock the files are another's.
        if (closed === undefined) acknowledge(last.number)
        return entries.length
      } finally {
        draining = false
      }
    },
    drained: () => waiters.wait(lastNumber),
    async setAside(row: LedgerRow, reason: string) {
      const path = join(directory, 'refused.jsonl')
      const line = JSON.stringify({ reason, row: JSON.parse(encodeRow(row)) as unknown })
      await writeFile(path, `${line}\n`, { flag: 'a', mode: 0o600, flush: true })
    },
    isShared: false,
    get waitingRows() {
      return lastNumber - drained
    },
    get bytes() {
      return release.bytes
    },
    unfinished: openUnfinishedFile(directory),
    close: () => (closed ??= closeAll()),
  }
}

/** Finds out where the earlier process stopped, and cuts off what it did not finish. */
async function recover(directory: string, logger: StorageLogger) {
  const drained = await loadPosition(directory)
  const segments = await listSegments(directory)
  let lastNumber = drained
  const last = segments.at(-1)
  if (last !== undefined) {
    const { records, damage } = scanRecords(
      await readSegment(last, 0, last.bytes),
      0,
      Number.POSITIVE_INFINITY,
    )
    lastNumber = Math.max(lastNumber, records.at(-1)?.number ?? last.firstNumber - 1)
    const torn = damage.at(-1)
    if (torn?.torn === true) {
      logger.warn(
        { path: last.path, bytes: torn.end - torn.start },
        'the last write to the journal was cut off; nobody was told that it is durable',
      )
      await truncate(last.path, torn.start)
      last.bytes = torn.start
    }
  }
  return { drained, lastNumber, segments }
}
