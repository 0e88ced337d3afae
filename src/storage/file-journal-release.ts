import type { Clock } from '../core/clock.ts'
import { removeSegment, type Segment, savePosition } from './file-journal-files.ts'
import type { StorageLogger } from './storage-logger.ts'

export interface ReleaseOptions {
  readonly directory: string
  /** Oldest first. Those that nobody needs any more are taken out. */
  readonly segments: Segment[]
  readonly clock: Pick<Clock, 'monotonicMs'>
  readonly logger: StorageLogger
  /** The ledger had rows up to this number at the start. */
  readonly drained: number
  /** How long rows stay after the ledger took them. */
  readonly releaseMs: number
  /** Past it they go at once. */
  readonly bytesMax: number
}

/** Lets go of rows that the ledger has had for long enough, and remembers where delivery has to begin after a crash. */
export interface Release {
  /** The ledger has rows up to this number now. */
  note(drained: number): void
  readonly bytes: number
  /** @param lastNumber of all rows: where nothing is left of them, neither are files */
  close(lastNumber: number): Promise<void>
}

/** So many rows of one second are delivered again after a crash, which changes nothing. */
const POSITION_MS = 1000

export function createRelease(options: ReleaseOptions): Release {
  const { directory, segments, clock, logger, releaseMs, bytesMax } = options
  let { drained } = options
  /** Up to here nothing is needed any more. */
  let released = drained
  /** What the ledger had when, one for each second. */
  let notes: { readonly atMs: number; through: number }[] = []
  let timer: NodeJS.Timeout | undefined
  /** File by file, in order. */
  let working = Promise.resolve()

  function bytes(): number {
    return segments.reduce((sum, segment) => sum + segment.bytes, 0)
  }

  function release(nowMs: number): void {
    const kept = bytes() >= bytesMax ? -1 : notes.findIndex(({ atMs }) => nowMs - atMs < releaseMs)
    released = (kept < 0 ? drained : notes[kept - 1]?.through) ?? released
    notes = kept < 0 ? [] : notes.slice(kept)
    let second = segments[1]
    while (second !== undefined && second.firstNumber <= released + 1) {
      const first = segments.shift()
      if (first !== undefined) remove(first)
      second = segments[1]
    }
  }

  function remove(segment: Segment): void {
    working = working.then(() =>
      removeSegment(segment).catch((error: unknown) =>
        logger.warn({ error }, 'a file of the journal that is in the ledger could not be removed'),
      ),
    )
  }

  function save(): void {
    working = working.then(() =>
      savePosition(directory, released).catch((error: unknown) =>
        logger.warn(
          { error },
          'the position of the journal could not be saved: rows will be delivered again',
        ),
      ),
    )
  }

  function tick(): void {
    timer = undefined
    release(clock.monotonicMs())
    save()
    if (notes.length > 0) wait()
  }

  function wait(): void {
    timer ??= setTimeout(tick, POSITION_MS).unref()
  }

  return {
    note(through) {
      drained = through
      const nowMs = clock.monotonicMs()
      const latest = notes.at(-1)
      if (latest !== undefined && nowMs - latest.atMs < POSITION_MS) latest.through = through
      else notes.push({ atMs: nowMs, through })
      release(nowMs)
      wait()
    },
    get bytes() {
      return bytes()
    },
    async close(lastNumber) {
      clearTimeout(timer)
      if (released >= lastNumber) {
        for (const segment of segments.splice(0)) remove(segment)
      }
      save()
      await working
    },
  }
}
