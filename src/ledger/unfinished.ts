import { GatewayError } from '../core/errors.ts'
import { estimateTokens } from '../core/tokens.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import { toRows } from './ledger-row.ts'
import type { Journal, LedgerRow, UnfinishedStore } from './ports.ts'

export interface UnfinishedOptions {
  readonly store: UnfinishedStore
  /** Prices what an attempt has come to so far, in nano-dollars. */
  readonly costOf: (attempt: Attempt) => number
  readonly monotonicMs: () => number
  readonly onError: (error: unknown) => void
}

/**
 * Calls that have left and are not settled yet, written down so that they are charged also where this process is
 * killed: by our own count of what they had come to, marked as estimated.
 */
export interface Unfinished {
  began(exchange: Exchange): void
  ended(exchange: Exchange): void
  close(): Promise<void>
}

/** A call that ends sooner is not written down: of those a killed process owes, it forgets this much. */
const NOTED_AFTER_MS = 250
/** Far above what one process has under way; beyond it the newest are not written down. */
const NOTED_MAX = 10_000

const NOTHING: Unfinished = { began() {}, ended() {}, close: () => Promise.resolve() }

/**
 * Books what an earlier process left unfinished, and writes down from now on what this one has under way.
 *
 * @param record takes rows of which the ledger may have some already
 */
export async function openUnfinished(
  { unfinished: store, appended }: Pick<Journal, 'unfinished' | 'appended'>,
  record: (row: LedgerRow) => void,
  options: Omit<UnfinishedOptions, 'store'>,
): Promise<Unfinished> {
  if (store === undefined) return NOTHING
  try {
    const left = await store.load()
    for (const row of left) record(row)
    if (left.length > 0) {
      await appended()
      await store.save([])
    }
  } catch (error) {
    // They are there at the next start.
    options.onError(error)
  }
  return createUnfinished({ ...options, store })
}

export function createUnfinished(options: UnfinishedOptions): Unfinished {
  const { store, monotonicMs } = options
  /** In the order of their beginning. */
  const underWay = new Set<Exchange>()
  let noted = 0
  let timer: NodeJS.Timeout | undefined
  let saving: Promise<void> = Promise.resolve()
  let closed = false

  function schedule(): void {
    if (timer !== undefined || closed) return
    timer = setTimeout(note, NOTED_AFTER_MS)
    timer.unref()
  }

  function note(): void {
    timer = undefined
    const beforeMs = monotonicMs() - NOTED_AFTER_MS
    const rows: LedgerRow[] = []
    for (const exchange of underWay) {
      if (exchange.startedMs > beforeMs || rows.length >= NOTED_MAX) break
      rows.push(...rowsOf(exchange))
    }
    if (rows.length > 0 || noted > 0) {
      noted = rows.length
      saving = store.save(rows).catch(options.onError)
    }
    // One at a time: the next look begins once this one is written.
    if (underWay.size > 0 || noted > 0) void saving.then(schedule)
  }

  function rowsOf(exchange: Exchange): LedgerRow[] {
    const { caller } = exchange
    if (caller === undefined) return []
    const attempts = exchange.attempts.map((attempt) =>
      attempt.dispatched ? soFar(exchange, attempt) : attempt,
    )
    const outcome = { kind: 'failed', status: 500, error: killed(), endedMs: monotonicMs() } as const
    return toRows({ ...exchange, attempts }, outcome, caller)
  }

  function soFar(exchange: Exchange, attempt: Attempt): Attempt {
    const { usage, outputText } = attempt
    const counted: Attempt = {
      ...attempt,
      estimated: true,
      usage: {
        ...usage,
        inputTokens: usage.inputTokens ?? estimateTokens(exchange.incoming.body?.length ?? 0),
        outputTokens: usage.outputTokens ?? estimateTokens(outputText.length),
      },
    }
    return { ...counted, costNanoUsd: options.costOf(counted) }
  }

  return {
    began(exchange) {
      underWay.add(exchange)
      schedule()
    },
    ended(exchange) {
      underWay.delete(exchange)
    },
    async close() {
      closed = true
      clearTimeout(timer)
      await saving
      // What is still under way is left to the next start; the ledger knows what it has of it.
      const rows = [...underWay].flatMap(rowsOf)
      if (noted > 0 || rows.length > 0) await store.save(rows).catch(options.onError)
    },
  }
}

function killed(): GatewayError {
  return new GatewayError('internal_error', {
    message: 'The gateway was killed while this call was under way.',
  })
}
