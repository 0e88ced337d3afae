import type { Journal, LedgerRow } from '../ledger/ports.ts'
import { createDrainWaiters, journalClosed } from './journal-ends.ts'

export interface MemoryJournalOptions {
  /** Past it new calls are refused. */
  readonly rowsMax?: number
  /** What is still there on `close` goes with it. */
  readonly onLost?: (rows: number) => void
  readonly onSetAside?: (row: LedgerRow, reason: string) => void
}

const ROWS_MAX = 200_000

/** A journal for a ledger that is in memory too: nothing survives the process. */
export function createMemoryJournal(options: MemoryJournalOptions = {}): Journal {
  const { rowsMax = ROWS_MAX } = options
  let rows: LedgerRow[] = []
  let appended = 0
  let closed = false
  let draining = false
  const waiters = createDrainWaiters((through) => through <= appended - rows.length)
  return {
    append(row) {
      if (closed) throw journalClosed()
      rows.push(row)
      appended++
    },
    // It goes with the process whatever anybody waits for.
    handedOver: () => undefined,
    appended: () => Promise.resolve(),
    get hasRoom() {
      return !closed && rows.length < rowsMax
    },
    async drain(handler, batchRowsMax) {
      if (draining) throw new Error('The journal is being drained already.')
      if (closed) throw journalClosed()
      const batch = rows.slice(0, batchRowsMax)
      if (batch.length === 0) return 0
      draining = true
      try {
        await handler(batch)
        rows = rows.slice(batch.length)
        waiters.tell()
        return batch.length
      } finally {
        draining = false
      }
    },
    drained: () => waiters.wait(appended),
    async setAside(row, reason) {
      options.onSetAside?.(row, reason)
    },
    isShared: false,
    get waitingRows() {
      return rows.length
    },
    get bytes() {
      return 0
    },
    async close() {
      if (closed) return
      closed = true
      if (rows.length > 0) options.onLost?.(rows.length)
      rows = []
    },
  }
}
