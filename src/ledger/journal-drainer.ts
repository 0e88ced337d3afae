import { GatewayError } from '../core/errors.ts'
import type { Journal, LedgerRow, LedgerStore } from './ports.ts'

export interface DrainerOptions {
  readonly journal: Journal
  readonly store: Pick<LedgerStore, 'write'>
  /** Rows of one write. */
  readonly batchRowsMax: number
  /** How long a row may wait for company. */
  readonly lingerMs: number
  /** How often to look for rows of others, where the journal is shared. Left out: never. */
  readonly pollMs?: number | undefined
  /** How long `close` may try. */
  readonly closeMs: number
  readonly onError: (error: unknown, waitingRows: number) => void
  /** A row that the store takes on no account, while it takes others: a defect, and not in the books. */
  readonly onRefused: (row: LedgerRow, error: unknown) => void
}

/** Brings rows from the journal to the ledger in batches, in order. */
export interface Drainer {
  record(row: LedgerRow): void
  /** @returns once every row recorded before is in the ledger; rejects where the ledger refuses */
  flush(): Promise<void>
  /** Tries for `closeMs` to bring what waits. What remains stays in the journal, which is not closed. */
  close(): Promise<void>
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5000
/** Between two looks while somebody waits for a row that is not ready. */
const IMPATIENT_MS = 5
/** How often a row has to fail alone, while others are taken, before it is set aside. */
const STRIKES_MAX = 2

export function createDrainer(options: DrainerOptions): Drainer {
  const { journal, store, batchRowsMax, lingerMs } = options
  /** Rows of the next write: halved while the store refuses one of them for what it is. */
  let size = batchRowsMax
  let takenSinceStrike = false
  /** By the id of a row that failed alone. */
  const strikes = new Map<string, number>()
  /** Rejects the flushes that wait. */
  const impatient = new Set<(error: unknown) => void>()
  let recordedSinceDrain = 0
  let timer: { readonly handle: NodeJS.Timeout; readonly kind: 'linger' | 'poll' | 'retry' } | undefined
  let running: Promise<void> | undefined
  let retryMs = RETRY_FIRST_MS
  let closing: Promise<void> | undefined
  let closed = false

  function schedule(delayMs: number, kind: 'linger' | 'poll' | 'retry'): void {
    if (closed) return
    timer = { handle: setTimeout(start, delayMs), kind }
    if (kind === 'poll') timer.handle.unref()
  }

  function unschedule(): void {
    clearTimeout(timer?.handle)
    timer = undefined
  }

  /** One at a time, so that order is kept. */
  function start(): void {
    unschedule()
    if (closed) return
    running ??= drainAll().finally(() => {
      running = undefined
      // A row that came between the last look and now found a drainer at work that did not see it.
      if (timer === undefined && journal.waitingRows > 0) schedule(lingerMs, 'linger')
    })
  }

  async function drainAll(): Promise<void> {
    try {
      while (!closed && (await drainOnce())) retryMs = RETRY_FIRST_MS
    } catch (error) {
      options.onError(error, journal.waitingRows)
      for (const reject of impatient) reject(error)
      impatient.clear()
      schedule(retryMs, 'retry')
      retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
      return
    }
    // What waits now is not ready: not durable yet, or another process has it in hand.
    if (journal.waitingRows > 0) schedule(impatient.size > 0 ? IMPATIENT_MS : lingerMs, 'linger')
    else if (options.pollMs !== undefined) schedule(options.pollMs, 'poll')
  }

  /** @returns whether there may be more */
  async function drainOnce(): Promise<boolean> {
    recordedSinceDrain = 0
    let struck: { readonly error: unknown } | undefined
    let narrowed = false
    try {
      const rows = await journal.drain(async (batch) => {
        try {
          await store.write(batch)
        } catch (error) {
          const [row] = batch
          if (isAway(error) || row === undefined) throw error
          if (batch.length > 1) {
            // One of them is refused for what it is. The others need not wait for it.
            size = Math.ceil(batch.length / 2)
            narrowed = true
            throw error
          }
          if (!(await strike(row, error))) struck = { error }
          return
        }
        takenSinceStrike = true
        size = Math.min(size * 2, batchRowsMax)
        if (strikes.size > 0) for (const { id } of batch) strikes.delete(id)
      }, size)
      if (struck !== undefined) throw struck.error
      return rows > 0
    } catch (error) {
      if (narrowed) return true
      throw error
    }
  }

  /**
   * A row that fails alone goes to the end of the journal; it is set aside only where others were taken in between,
   * because a store that takes none has a defect that somebody will mend.
   *
   * @returns whether others were taken
   */
  async function strike(row: LedgerRow, error: unknown): Promise<boolean> {
    const proven = takenSinceStrike
    const count = (strikes.get(row.id) ?? 0) + (proven ? 1 : 0)
    takenSinceStrike = false
    if (count >= STRIKES_MAX) {
      strikes.delete(row.id)
      await journal.setAside(row, String(error))
      options.onRefused(row, error)
    } else {
      if (count > 0) strikes.set(row.id, count)
      journal.append(row)
      await journal.appended()
    }
    return proven
  }

  async function flush(): Promise<void> {
    if (journal.waitingRows === 0) return
    // Where it fails, rows reach the ledger from memory.
    await journal.appended().catch(() => undefined)
    await new Promise<void>((resolve, reject) => {
      impatient.add(reject)
      void journal.drained().then(() => {
        impatient.delete(reject)
        resolve()
      })
      start()
    })
  }

  async function drainBeforeClosing(): Promise<void> {
    const deadline = Promise.withResolvers<void>()
    const handle = setTimeout(deadline.resolve, options.closeMs)
    try {
      start()
      await Promise.race([journal.drained(), deadline.promise])
    } finally {
      clearTimeout(handle)
      closed = true
      unschedule()
    }
    await Promise.race([running, deadline.promise])
  }

  if (journal.waitingRows > 0 || options.pollMs !== undefined) schedule(0, 'linger')

  return {
    record(row) {
      journal.append(row)
      recordedSinceDrain++
      if (running !== undefined || timer?.kind === 'retry') return
      if (recordedSinceDrain === batchRowsMax) start()
      else if (timer?.kind !== 'linger') {
        unschedule()
        schedule(lingerMs, 'linger')
      }
    },
    flush,
    close: () => (closing ??= drainBeforeClosing()),
  }
}

/** @returns whether the store said that it could not be reached, and not that a row is wrong */
function isAway(error: unknown): boolean {
  return error instanceof GatewayError && error.code === 'storage_unavailable'
}
