import { mkdir, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { readSegment, type Segment } from './file-journal-files.ts'
import type { JournalEntry } from './journal-buffer.ts'
import { scanRecords } from './journal-record.ts'
import { decodeRow } from './journal-row.ts'
import type { StorageLogger } from './storage-logger.ts'

export interface BacklogReaderOptions {
  readonly directory: string
  /** Oldest first. They come and go while this reads. */
  readonly segments: readonly Segment[]
  readonly logger: StorageLogger
}

/** Reads rows that are in the files only, in order: those of an earlier process, and those that memory had no room for. */
export interface BacklogReader {
  /** Rows from here on are to be read. */
  begin(segment: Segment, offset: number): void
  readonly hasMore: boolean
  /**
   * @param after numbers up to this one are left out
   * @returns entries, `rowsMax` at most; none only at the end
   */
  read(rowsMax: number, after: number): Promise<JournalEntry[]>
}

export function createBacklogReader(options: BacklogReaderOptions): BacklogReader {
  const { directory, segments, logger } = options
  let place: { readonly segment: Segment; readonly offset: number } | undefined
  /** Bytes of the segment from `start` on, so that a segment is read from the disk once. */
  let cached: { readonly segment: Segment; readonly start: number; readonly bytes: Buffer } | undefined

  /** @returns all bytes of the segment from the offset on */
  async function bytesAt(segment: Segment, offset: number): Promise<Buffer> {
    if (cached?.segment === segment && cached.start <= offset && offset < cached.start + cached.bytes.length)
      return cached.bytes.subarray(offset - cached.start)
    const bytes = await readSegment(segment, offset, segment.bytes)
    cached = { segment, start: offset, bytes }
    return bytes
  }

  function moveTo(segment: Segment, offset: number): void {
    place = { segment, offset }
    if (offset < segment.bytes) return
    // One of which nothing is durable yet is newer than what this one may still get.
    const next = segments.slice(segments.indexOf(segment) + 1).find(({ bytes }) => bytes > 0)
    place = next === undefined ? undefined : { segment: next, offset: 0 }
    cached = undefined
  }

  async function readSome(rowsMax: number, after: number): Promise<JournalEntry[]> {
    const { segment, offset } = place ?? {}
    if (segment === undefined || offset === undefined) return []
    const first = segments[0]
    if (!segments.includes(segment)) {
      // All of it is in the ledger.
      if (first === undefined) place = undefined
      else moveTo(first, 0)
      return []
    }
    let bytes: Buffer
    try {
      bytes = await bytesAt(segment, offset)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      logger.error({ path: segment.path }, 'a file of the journal is gone, and with it rows that nobody has')
      moveTo(segment, segment.bytes)
      return []
    }
    const { records, damage, end } = scanRecords(bytes, 0, rowsMax)
    const entries: JournalEntry[] = []
    for (const { number, textStart, start, end } of records) {
      if (number <= after) continue
      try {
        entries.push({ number, row: decodeRow(bytes.toString('utf8', textStart, end)) })
      } catch {
        await keepAside(segment, offset + start, bytes.subarray(start, end))
      }
    }
    for (const { start, end } of damage) await keepAside(segment, offset + start, bytes.subarray(start, end))
    // A file that has become shorter ends where it ends.
    moveTo(segment, end === 0 ? segment.bytes : offset + end)
    return entries
  }

  async function keepAside(segment: Segment, offset: number, bytes: Buffer): Promise<void> {
    const folder = join(directory, 'damaged')
    const keptIn = join(folder, `${basename(segment.path)}.${offset}`)
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await writeFile(keptIn, bytes, { mode: 0o600 })
    logger.error(
      { path: segment.path, offset, bytes: bytes.length, keptIn },
      'a part of the journal is damaged: rows in it are not in the ledger',
    )
  }

  return {
    begin(segment, offset) {
      moveTo(segment, offset)
    },
    get hasMore() {
      return place !== undefined
    },
    async read(rowsMax, after) {
      while (place !== undefined) {
        const entries = await readSome(rowsMax, after)
        if (entries.length > 0) return entries
      }
      return []
    },
  }
}
