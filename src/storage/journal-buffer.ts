import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { LedgerRow } from '../ledger/ports.ts'

/** A row on its way, with its place in the order of the journal. */
export interface JournalEntry {
  /** Rising from one row to the next. */
  readonly number: number
  readonly row: LedgerRow
}

export interface JournalBufferOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Makes entries durable, all or none. Called again only once it has ended. */
  readonly write: (entries: readonly JournalEntry[]) => Promise<void>
  /** Between the beginnings of two writes, so that rows share them. A row that comes after a pause does not wait. */
  readonly gapMs: number
  /** Rows of one write; where more wait, the next follows at once. */
  readonly commitRowsMax: number
  readonly onError: (error: unknown, waitingRows: number) => void
}

/** Rows that are not durable yet. Writes them in groups (group commit), and again and again where that fails. */
export interface JournalBuffer {
  append(entry: JournalEntry): void
  /** Puts entries back that have turned out not to be durable. They are older than all that wait. */
  restore(entries: readonly JournalEntry[]): void
  /** @returns once no entry up to this number waits here; rejects when a write fails */
  written(through: number): Promise<void>
  /** Takes the oldest entries out, up to a number: they need not be written any more. */
  dropThrough(number: number): void
  /** @returns the oldest entries, which stay */
  peek(rowsMax: number): readonly JournalEntry[]
  readonly rows: number
  /** @returns whether no entry up to this number waits here */
  isClear(through: number): boolean
  /** The last write failed and will be tried again, or one has lasted for a second. */
  readonly failing: boolean
  /** Writes what waits, once. @throws GatewayError `storage_unavailable` where that fails */
  close(): Promise<void>
}

interface Waiter {
  readonly through: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5000
/** A disk that takes this long is as good as away. */
const STALLED_MS = 1000

export function createJournalBuffer(options: JournalBufferOptions): JournalBuffer {
  const { clock, gapMs, commitRowsMax } = options
  let inFlight: readonly JournalEntry[] = []
  /** Newer than all of `inFlight`. */
  let pending: JournalEntry[] = []
  let dropped = -1
  let waiters: Waiter[] = []
  let lastStartMs = Number.NEGATIVE_INFINITY
  let retryMs = RETRY_FIRST_MS
  let failure: GatewayError | undefined
  let scheduled: (() => void) | undefined
  let running: Promise<void> | undefined
  let closing = false

  function schedule(): void {
    if (scheduled !== undefined || running !== undefined || closing || pending.length === 0) return
    const delayMs = failure === undefined ? gapLeftMs() : retryMs
    if (delayMs > 0) {
      const handle = setTimeout(start, delayMs)
      scheduled = () => clearTimeout(handle)
    } else {
      // At the end of this turn of the loop, so that the rows of one turn go together.
      const handle = setImmediate(start)
      scheduled = () => clearImmediate(handle)
    }
  }

  function gapLeftMs(): number {
    return pending.length >= commitRowsMax ? 0 : lastStartMs + gapMs - clock.monotonicMs()
  }

  function start(): void {
    scheduled = undefined
    running = commit().finally(() => {
      running = undefined
      schedule()
    })
  }

  async function commit(): Promise<void> {
    lastStartMs = clock.monotonicMs()
    inFlight = pending.length <= commitRowsMax ? pending : pending.slice(0, commitRowsMax)
    pending = pending.slice(inFlight.length)
    try {
      await options.write(inFlight)
      inFlight = []
      failure = undefined
      retryMs = RETRY_FIRST_MS
    } catch (error) {
      if (failure !== undefined) retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
      pending = inOrder(live(inFlight).concat(pending))
      inFlight = []
      failure = unwritten(error)
      options.onError(error, pending.length)
      for (const waiter of waiters) waiter.reject(failure)
      waiters = []
    }
    tellWaiters()
  }

  function live(entries: readonly JournalEntry[]): JournalEntry[] {
    return entries.filter(({ number }) => number > dropped)
  }

  function oldest(): number {
    if (inFlight.length + pending.length === 0) return Number.POSITIVE_INFINITY
    return (live(inFlight)[0] ?? pending[0])?.number ?? Number.POSITIVE_INFINITY
  }

  function isStalled(): boolean {
    return inFlight.length > 0 && clock.monotonicMs() - lastStartMs > STALLED_MS
  }

  function tellWaiters(): void {
    if (waiters.length === 0) return
    const first = oldest()
    for (const waiter of waiters) if (waiter.through < first) waiter.resolve()
    waiters = waiters.filter(({ through }) => through >= first)
  }

  return {
    append(entry) {
      pending.push(entry)
      schedule()
    },
    restore(entries) {
      pending = inOrder(live(entries).concat(pending))
      schedule()
    },
    isClear: (through) => through < oldest(),
    written(through) {
      if (through < oldest()) return Promise.resolve()
      if (failure !== undefined) return Promise.reject(failure)
      return new Promise((resolve, reject) => waiters.push({ through, resolve, reject }))
    },
    dropThrough(number) {
      dropped = Math.max(dropped, number)
      const kept = pending.findIndex((entry) => entry.number > number)
      pending = kept < 0 ? [] : pending.slice(kept)
      tellWaiters()
    },
    peek: (rowsMax) => live(inFlight).concat(pending).slice(0, rowsMax),
    get rows() {
      return inFlight.length + pending.length
    },
    get failing() {
      return failure !== undefined || isStalled()
    },
    async close() {
      closing = true
      scheduled?.()
      scheduled = undefined
      await running
      failure = undefined
      while (pending.length > 0 && failure === undefined) await commit()
      if (failure !== undefined) throw failure
    },
  }
}

function inOrder(entries: JournalEntry[]): JournalEntry[] {
  return entries.sort((first, second) => first.number - second.number)
}

function unwritten(cause: unknown): GatewayError {
  return new GatewayError('storage_unavailable', {
    message: 'The journal cannot be written at the moment.',
    retryAfterSeconds: 1,
    cause,
  })
}
