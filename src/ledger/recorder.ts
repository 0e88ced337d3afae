import { GatewayError } from '../core/errors.ts'
import type { LedgerRow, LedgerStore } from './ports.ts'

export interface RecorderOptions {
  readonly store: Pick<LedgerStore, 'write'>
  /** Rows of one write. */
  readonly batchRowsMax: number
  /** How long a row may wait for company. */
  readonly lingerMs: number
  /** Rows held while the store is away; past it the oldest are given up, a batch at a time, loudly. */
  readonly queueRowsMax: number
  /** How long `close` may try. */
  readonly closeMs: number
  readonly onError: (error: unknown, waitingRows: number) => void
  readonly onLost: (rows: number) => void
  /** A row that the store takes on no account, while it takes others: a defect, and not in the books. */
  readonly onRefused: (row: LedgerRow, error: unknown) => void
}

/** Takes rows off the way of a call and brings them to the store in batches, in order. */
export interface Recorder {
  record(row: LedgerRow): void
  /** @returns once every row recorded before is out of the queue; rejects where the store refuses */
  flush(): Promise<void>
  readonly waitingRows: number
  /** Writes what waits. Rejects, with those rows lost, where the store does not take them in `closeMs`. */
  close(): Promise<void>
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5000
/** How often a row has to fail alone, while others are taken, before it is set aside. */
const STRIKES_MAX = 2

/** Waits until all rows up to a number have left the queue. */
interface Waiter {
  readonly upTo: number
  /** Goes on waiting when a write fails. */
  readonly patient: boolean
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export function createRecorder(options: RecorderOptions): Recorder {
  const { store, batchRowsMax, queueRowsMax } = options
  /** The batch that is being written, or that failed and is tried again. Older than all of `queue`. */
  let batch: LedgerRow[] = []
  let queue: LedgerRow[] = []
  /** Rows that ever entered the queue: the number of its last row. */
  let entered = 0
  /** Number of the first row of `batch`. */
  let batchStart = 1
  /** Rows of the next write: halved while the store refuses one of them for what it is. */
  let size = batchRowsMax
  let takenSinceStrike = false
  const strikes = new WeakMap<LedgerRow, number>()
  let waiters: Waiter[] = []
  let writing = false
  let timer: { readonly handle: NodeJS.Timeout; readonly isRetry: boolean } | undefined
  let retryMs = RETRY_FIRST_MS
  let lastError: unknown
  let closing: Promise<void> | undefined
  let closed = false

  function waiting(): number {
    return batch.length + queue.length
  }

  function schedule(delayMs: number, isRetry: boolean): void {
    timer = { handle: setTimeout(start, delayMs), isRetry }
  }

  function unschedule(): void {
    clearTimeout(timer?.handle)
    timer = undefined
  }

  /** One writer at a time, so that order is kept; it goes on until nothing waits. */
  function start(): void {
    unschedule()
    if (!writing && !closed) void writeAll()
  }

  async function writeAll(): Promise<void> {
    writing = true
    try {
      while (waiting() > 0 && !closed) await writeOne()
      retryMs = RETRY_FIRST_MS
    } catch (error) {
      lastError = error
      options.onError(error, waiting())
      for (const waiter of waiters) if (!waiter.patient) waiter.reject(error)
      waiters = waiters.filter(({ patient }) => patient)
      if (!closed) schedule(retryMs, true)
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
    } finally {
      writing = false
    }
  }

  async function writeOne(): Promise<void> {
    if (batch.length === 0) {
      batchStart = entered - queue.length + 1
      batch = queue.splice(0, batchRowsMax)
    }
    const rows = batch.slice(0, size)
    try {
      await store.write(rows)
    } catch (error) {
      if (isAway(error)) throw error
      narrow(rows, error)
      return
    }
    retryMs = RETRY_FIRST_MS
    takenSinceStrike = true
    size = Math.min(size * 2, batchRowsMax)
    leave(rows.length)
  }

  /**
   * Looks for the row that the store refuses for what it is, so that the others need not wait for it. A row that
   * fails alone goes to the end of the queue; it is set aside only where others were taken in between, because a
   * store that takes none has a defect that somebody will mend.
   */
  function narrow(rows: readonly LedgerRow[], error: unknown): void {
    const [row] = rows
    if (row === undefined) return
    if (rows.length > 1) {
      size = Math.ceil(rows.length / 2)
      return
    }
    const proven = takenSinceStrike
    const count = (strikes.get(row) ?? 0) + (proven ? 1 : 0)
    takenSinceStrike = false
    leave(1)
    if (count >= STRIKES_MAX) {
      options.onRefused(row, error)
      return
    }
    strikes.set(row, count)
    queue.push(row)
    entered++
    if (!proven) throw error
  }

  /** Takes the first rows of the batch out, and tells those who waited for them. */
  function leave(rows: number): void {
    batch = batch.slice(rows)
    batchStart += rows
    tellWaiters()
  }

  function tellWaiters(): void {
    if (waiters.length === 0) return
    const oldest = batch.length > 0 ? batchStart : entered - queue.length + 1
    for (const waiter of waiters) if (waiter.upTo < oldest) waiter.resolve()
    waiters = waiters.filter(({ upTo }) => upTo >= oldest)
  }

  function wait(patient: boolean): Promise<void> {
    if (waiting() === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      waiters.push({ upTo: entered, patient, resolve, reject })
      start()
    })
  }

  async function writeBeforeClosing(): Promise<void> {
    const deadline = Promise.withResolvers<never>()
    const handle = setTimeout(() => deadline.reject(lastError ?? tooLate()), options.closeMs)
    try {
      await Promise.race([wait(true), deadline.promise])
    } finally {
      clearTimeout(handle)
      unschedule()
      closed = true
      const rows = waiting()
      batch = []
      queue = []
      if (rows > 0) options.onLost(rows)
    }
  }

  return {
    record(row) {
      if (closed) {
        options.onLost(1)
        return
      }
      queue.push(row)
      entered++
      if (queue.length > queueRowsMax) {
        options.onLost(queue.splice(0, batchRowsMax).length)
        tellWaiters()
      }
      if (writing || timer?.isRetry) return
      if (queue.length === batchRowsMax) unschedule()
      if (timer === undefined) schedule(queue.length < batchRowsMax ? options.lingerMs : 0, false)
    },
    flush: () => wait(false),
    get waitingRows() {
      return waiting()
    },
    close: () => (closing ??= writeBeforeClosing()),
  }
}

/** @returns whether the store said that it could not be reached, and not that a row is wrong */
function isAway(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'storage_unavailable'
}

function tooLate(): GatewayError {
  return new GatewayError('storage_unavailable', { message: 'The ledger could not be written in time.' })
}
