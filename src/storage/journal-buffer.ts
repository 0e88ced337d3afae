import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { LedgerRow } from '../ledger/ports.ts'
import { createHandoverWaits } from './journal-handover.ts'

/** A row on its way, with its place in the order of the journal. */
export interface JournalEntry {
  /** Rising from one row to the next. */
  readonly number: number
  readonly row: LedgerRow
}

/** What becomes of entries that are being written. */
export interface Write {
  /** Resolves once they have left this process; `undefined` = they have. */
  readonly handedOver?: Promise<unknown> | undefined
  /** Resolves once all of them are durable; rejects where none is. */
  readonly durable: Promise<unknown>
}

export interface JournalBufferOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /**
   * Takes entries out of this process. Called again once the last ones have left it, durable or not.
   *
   * @throws where that fails at once
   */
  readonly write: (entries: readonly JournalEntry[]) => Write
  /** Rows of one write; where more wait, the next follows at once. */
  readonly commitRowsMax: number
  /** Called when entries have become durable, and are no longer here. */
  readonly onWritten?: () => void
  readonly onError: (error: unknown, waitingRows: number) => void
}

/**
 * Rows that are not durable yet. Those of one turn of the event loop leave the process together at its end. Where that
 * fails, or they turn out not to be durable, they are written again and again.
 */
export interface JournalBuffer {
  append(entry: JournalEntry): void
  /** Puts entries back that have turned out not to be durable. They are older than all that wait. */
  restore(entries: readonly JournalEntry[]): void
  /** @returns once all entries have left this process, or too long has gone by; `undefined` where nothing waits */
  handedOver(): Promise<void> | undefined
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

interface Batch {
  entries: readonly JournalEntry[]
  readonly rows: number
  readonly startedMs: number
  /** Resolves once its fate is known, and drawn into the buffer. */
  ended: Promise<void>
}

interface Waiter {
  readonly through: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5000
/** A disk that takes this long is as good as away: the ledger gets rows from memory. */
const STALLED_MS = 1000
/** Written and not durable; past it rows stay in memory. */
const IN_FLIGHT_ROWS_MAX = 10_000

export function createJournalBuffer(options: JournalBufferOptions): JournalBuffer {
  const { clock, commitRowsMax } = options
  /** Being written, or written and not durable; in the order in which they were begun. */
  let inFlight: Batch[] = []
  let pending: JournalEntry[] = []
  let dropped = -1
  let waiters: Waiter[] = []
  let retryMs = RETRY_FIRST_MS
  let failure: GatewayError | undefined
  let scheduled: { readonly kind: 'turn' | 'retry'; readonly cancel: () => void } | undefined
  let handing: Promise<void> | undefined
  let closing = false
  const waits = createHandoverWaits()

  function schedule(): void {
    if (scheduled !== undefined || handing !== undefined || closing || pending.length === 0) return
    if (failure !== undefined) {
      const handle = setTimeout(flush, retryMs)
      scheduled = { kind: 'retry', cancel: () => clearTimeout(handle) }
    } else if (!isFull()) {
      const handle = setImmediate(flush)
      scheduled = { kind: 'turn', cancel: () => clearImmediate(handle) }
    }
  }

  function unschedule(): void {
    scheduled?.cancel()
    scheduled = undefined
  }

  function flush(): void {
    scheduled = undefined
    const entries = pending.length <= commitRowsMax ? pending : pending.slice(0, commitRowsMax)
    pending = pending.slice(entries.length)
    const startedMs = clock.monotonicMs()
    const batch: Batch = { entries, rows: entries.length, startedMs, ended: Promise.resolve() }
    inFlight.push(batch)
    waits.begin(pending.length > 0)
    let write: Write
    try {
      write = options.write(entries)
    } catch (error) {
      fail(batch, error)
      waits.end()
      schedule()
      return
    }
    batch.ended = write.durable.then(
      () => confirm(batch),
      (error: unknown) => fail(batch, error),
    )
    if (write.handedOver === undefined) end()
    else {
      waits.limit()
      handing = write.handedOver.then(end, end)
    }
  }

  /** The rows have left the process, or did not get so far. */
  function end(): void {
    handing = undefined
    waits.end()
    schedule()
  }

  function confirm(batch: Batch): void {
    leave(batch)
    if (failure !== undefined) {
      failure = undefined
      if (scheduled?.kind === 'retry') unschedule()
    }
    retryMs = RETRY_FIRST_MS
    schedule()
    tellWaiters()
    options.onWritten?.()
  }

  function fail(batch: Batch, error: unknown): void {
    leave(batch)
    pending = inOrder(batch.entries.concat(pending))
    if (failure !== undefined && scheduled?.kind === 'retry') return
    if (failure !== undefined) retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
    failure = unwritten(error)
    options.onError(error, pending.length)
    for (const waiter of waiters) waiter.reject(failure)
    waiters = []
    waits.giveUp()
    unschedule()
    schedule()
  }

  function leave(batch: Batch): void {
    inFlight = inFlight.filter((other) => other !== batch)
  }

  function after(entries: readonly JournalEntry[], number: number): readonly JournalEntry[] {
    const kept = entries.findIndex((entry) => entry.number > number)
    return kept < 0 ? [] : entries.slice(kept)
  }

  function oldest(): number {
    let number = pending[0]?.number ?? Number.POSITIVE_INFINITY
    for (const { entries } of inFlight) number = Math.min(number, entries[0]?.number ?? number)
    return number
  }

  /** What was written is kept until it is durable, also where somebody has taken it out meanwhile. */
  function isFull(): boolean {
    return inFlight.reduce((sum, { rows }) => sum + rows, 0) >= IN_FLIGHT_ROWS_MAX
  }

  function isStalled(): boolean {
    const [first] = inFlight
    return first !== undefined && clock.monotonicMs() - first.startedMs > STALLED_MS
  }

  function tellWaiters(): void {
    if (waiters.length === 0) return
    const first = oldest()
    for (const waiter of waiters) if (waiter.through < first) waiter.resolve()
    waiters = waiters.filter(({ through }) => through >= first)
  }

  /** @returns once nothing is in flight any more */
  async function landed(): Promise<void> {
    await handing
    await Promise.all(inFlight.map(({ ended }) => ended))
  }

  return {
    append(entry) {
      pending.push(entry)
      schedule()
    },
    restore(entries) {
      pending = inOrder(after(entries, dropped).concat(pending))
      schedule()
    },
    handedOver() {
      if (failure !== undefined || (pending.length === 0 && handing === undefined)) return undefined
      return handing === undefined && isFull() ? undefined : waits.wait(pending.length > 0)
    },
    isClear: (through) => through < oldest(),
    written(through) {
      if (through < oldest()) return Promise.resolve()
      if (failure !== undefined) return Promise.reject(failure)
      return new Promise((resolve, reject) => waiters.push({ through, resolve, reject }))
    },
    dropThrough(number) {
      dropped = Math.max(dropped, number)
      pending = [...after(pending, number)]
      for (const batch of inFlight) batch.entries = after(batch.entries, number)
      tellWaiters()
    },
    peek: (rowsMax) => inOrder(inFlight.flatMap(({ entries }) => entries).concat(pending)).slice(0, rowsMax),
    get rows() {
      return inFlight.reduce((sum, { entries }) => sum + entries.length, pending.length)
    },
    get failing() {
      return failure !== undefined || isStalled()
    },
    async close() {
      closing = true
      unschedule()
      await landed()
      failure = undefined
      while (pending.length > 0 && failure === undefined) {
        flush()
        await landed()
      }
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
