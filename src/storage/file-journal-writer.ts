import type { Clock } from '../core/clock.ts'
import {
  type OpenSegmentFile,
  removeSegment,
  type Segment,
  type SegmentFile,
  segmentPath,
} from './file-journal-files.ts'

export interface SegmentWriterOptions {
  readonly directory: string
  readonly segmentBytesMax: number
  readonly openFile: OpenSegmentFile
  /** All segments, oldest first; a new one is added at the end. */
  readonly segments: Segment[]
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** Where bytes begin. */
export interface Place {
  readonly segment: Segment
  readonly offset: number
}

/** Appends to the newest segment, and begins another when that is full or could not be written. */
export interface SegmentWriter {
  /**
   * Hands bytes to the system: they survive this process from now on. At once, but while the disk is slow or has failed:
   * then a write might hold up the process, and waits in a thread of its own.
   *
   * @param firstNumber of the records in `bytes`
   * @throws the system's error; then nothing of it counts
   */
  append(bytes: Buffer, firstNumber: number): Place | Promise<Place>
  /**
   * Makes durable what was appended before.
   *
   * @throws the system's error; then nothing counts that was appended since the last time this did not throw
   */
  sync(): Promise<void>
  /** What is not durable yet. */
  readonly unsyncedBytes: number
  close(): Promise<void>
}

interface Open {
  readonly segment: Segment
  readonly file: SegmentFile
  /** Bytes that the system has; the segment itself counts those that are durable. */
  written: number
}

/** A sync of a healthy disk takes a hundredth of this; that of a busy machine, a tenth. */
const SLOW_SYNC_MS = 250

export function createSegmentWriter(options: SegmentWriterOptions): SegmentWriter {
  const { directory, segmentBytesMax, openFile, segments, clock } = options
  let active: Open | undefined
  /** All that are open, oldest first. */
  let open: Open[] = []
  /** Written to in vain: behind what the system has of them may be a part of what it has not. */
  let torn: Open[] = []
  let syncStartedMs: number | undefined
  /** Syncs that failed. */
  let failures = 0
  /** Why the last one did, until that is dealt with. */
  let broken: { readonly error: unknown } | undefined

  function begin(firstNumber: number): Open {
    const path = segmentPath(directory, firstNumber)
    const segment: Segment = { path, firstNumber, bytes: 0 }
    const begun: Open = { segment, file: openFile(path), written: 0 }
    segments.push(segment)
    open.push(begun)
    active = begun
    return begun
  }

  /** After an error nobody knows what lies behind what was written: nothing is written there. */
  function tear(at: Open): void {
    if (active === at) active = undefined
    torn.push(at)
  }

  async function mendTorn(): Promise<void> {
    for (const each of torn.splice(0)) {
      try {
        await each.file.truncate(each.written)
      } catch {
        // What is left there is stepped over when it is read.
      }
      if (each.written > 0) continue
      open = open.filter((other) => other !== each)
      await discard(each)
    }
  }

  /** Lets go of a segment, and of its file where nothing in it is durable. */
  async function discard({ segment, file }: Open): Promise<void> {
    if (segment.bytes === 0 && segments.includes(segment)) segments.splice(segments.indexOf(segment), 1)
    try {
      await file.close()
      if (segment.bytes === 0) await removeSegment(segment)
    } catch {
      // What is left there is stepped over when it is read.
    }
  }

  /** What a failed sync leaves behind may be gone from the cache too: a later one would not notice. */
  async function abandonAll(): Promise<void> {
    const abandoned = open
    open = []
    torn = []
    active = undefined
    for (const each of abandoned) {
      await each.file.truncate(each.segment.bytes).catch(() => undefined)
      await discard(each)
    }
  }

  async function appendSlowly(bytes: Buffer, firstNumber: number): Promise<Place> {
    const failuresBefore = failures
    await mendTorn()
    const current = active ?? begin(firstNumber)
    try {
      await current.file.write(bytes, current.written)
      // What was before it has to be written again, and comes first.
      if (failures !== failuresBefore) throw new Error('A sync failed meanwhile.')
    } catch (error) {
      if (open.includes(current)) tear(current)
      throw error
    }
    return advance(current, bytes.length)
  }

  function advance(current: Open, length: number): Place {
    const offset = current.written
    current.written += length
    return { segment: current.segment, offset }
  }

  return {
    append(bytes, firstNumber) {
      if (broken !== undefined) throw broken.error
      const isSlow = syncStartedMs !== undefined && clock.monotonicMs() - syncStartedMs > SLOW_SYNC_MS
      if (isSlow || torn.length > 0) return appendSlowly(bytes, firstNumber)
      if (active !== undefined && active.written >= segmentBytesMax) active = undefined
      const current = active ?? begin(firstNumber)
      try {
        current.file.writeNow(bytes, current.written)
      } catch (error) {
        tear(current)
        throw error
      }
      return advance(current, bytes.length)
    },
    async sync() {
      const through = open.map((each) => ({ each, written: each.written }))
      syncStartedMs = clock.monotonicMs()
      try {
        for (const { each, written } of through) {
          await each.file.sync()
          each.segment.bytes = written
        }
      } catch (error) {
        failures++
        broken = { error }
        await abandonAll()
        broken = undefined
        throw error
      } finally {
        syncStartedMs = undefined
      }
      for (const { each } of through) {
        if (each === active || each.written > each.segment.bytes || torn.includes(each)) continue
        open = open.filter((other) => other !== each)
        await each.file.close()
      }
    },
    get unsyncedBytes() {
      return open.reduce((sum, { written, segment }) => sum + written - segment.bytes, 0)
    },
    async close() {
      await mendTorn()
      active = undefined
      for (const { file } of open.splice(0)) await file.close()
    },
  }
}
