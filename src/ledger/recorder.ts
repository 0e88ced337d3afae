import type { LedgerRow, LedgerStore } from './ports.ts'

export interface RecorderOptions {
  readonly store: Pick<LedgerStore, 'write'>
  /** Rows of one write. */
  readonly batchRowsMax: number
  /** How long a row may wait for company. */
  readonly lingerMs: number
  /** Rows held while the store is away; past it the oldest are given up, loudly. */
  readonly queueRowsMax: number
  readonly onError: (error: unknown, waitingRows: number) => void
  readonly onLost: (rows: number) => void
}

/** Takes rows off the way of a call and brings them to the store in batches, in order. */
export interface Recorder {
  record(row: LedgerRow): void
  /** @returns once every row recorded before has been written; rejects where the store refuses them */
  flush(): Promise<void>
  readonly waitingRows: number
  close(): Promise<void>
}

const RETRY_FIRST_MS = 100
const RETRY_MAX_MS = 5000

export function createRecorder(options: RecorderOptions): Recorder {
  const { store, batchRowsMax, lingerMs, queueRowsMax } = options
  let queue: LedgerRow[] = []
  let timer: NodeJS.Timeout | undefined
  let writing: Promise<void> | undefined
  let retryMs = RETRY_FIRST_MS
  let closed = false

  function schedule(delayMs: number): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(() => {
      timer = undefined
      void drain().catch(() => undefined)
    }, delayMs)
  }

  /** Writes until the queue is empty; one writer at a time, so that order is kept. */
  function drain(): Promise<void> {
    writing ??= writeAll().finally(() => {
      writing = undefined
    })
    return writing
  }

  async function writeAll(): Promise<void> {
    while (queue.length > 0) {
      const batch = queue.slice(0, batchRowsMax)
      try {
        await store.write(batch)
      } catch (error) {
        options.onError(error, queue.length)
        schedule(retryMs)
        retryMs = Math.min(retryMs * 2, RETRY_MAX_MS)
        throw error
      }
      retryMs = RETRY_FIRST_MS
      // Rows may have been given up meanwhile, so drop what was written and not a count.
      const last = batch.at(-1)
      const index = last === undefined ? -1 : queue.indexOf(last)
      queue = queue.slice(index + 1)
    }
  }

  return {
    record(row) {
      queue.push(row)
      if (queue.length > queueRowsMax) {
        const lost = queue.length - queueRowsMax
        queue = queue.slice(lost)
        options.onLost(lost)
      }
      if (writing === undefined) schedule(queue.length >= batchRowsMax ? 0 : lingerMs)
    },
    async flush() {
      // A batch that is under way may have been cut before the newest row.
      while (queue.length > 0) await drain()
    },
    get waitingRows() {
      return queue.length
    },
    async close() {
      try {
        while (queue.length > 0) await drain()
      } finally {
        closed = true
        clearTimeout(timer)
      }
    },
  }
}
