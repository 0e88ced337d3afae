import type { Clock } from '../core/clock.ts'
import { uuidV7 } from '../core/ids.ts'
import { costOfCall } from '../ledger/call-cost.ts'
import { createDrainer, type Drainer } from '../ledger/journal-drainer.ts'
import { keepPartitions } from '../ledger/partition-keeper.ts'
import type { Journal, LedgerStore } from '../ledger/ports.ts'
import { createPrices, type Prices } from '../ledger/price-desk/desk.ts'
import { openPriceDirectory } from '../ledger/price-desk/directory.ts'
import type { PricesInForce, PriceTarget } from '../ledger/price-desk/report.ts'
import type { ResolvedPrice } from '../ledger/prices.ts'
import { createStatements, type Statements } from '../ledger/statements/statements.ts'
import { openUnfinished, type Unfinished } from '../ledger/unfinished.ts'
import { createMemoryJournal } from '../storage/memory-journal.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Closers } from './closers.ts'
import type { Stores } from './stores.ts'

export interface BooksOptions {
  readonly stores: Stores
  /** Open. Left out: in memory, for a database that does not outlive the process. */
  readonly journal: Journal | undefined
  readonly pricesInForce: () => PricesInForce
  readonly clock: Clock
  readonly logger: Logger
}

/** The ledger and the way to it, prices and statements. */
export interface Books {
  readonly journal: Journal
  readonly drainer: Drainer
  readonly unfinished: Unfinished
  /** Prices that change while the process runs. */
  readonly livePrices: Awaited<ReturnType<typeof openPriceDirectory>>
  readonly prices: Prices
  readonly statements: Statements
}

// Rows reach the ledger in batches, up to a second apart: a row costs half as much in a thousand as in a hundred, and
// whoever reads the books through the API has them written first.
const LINGER_MS = 1000
const BATCH_ROWS_MAX = 1000
const CLOSE_MS = 10_000

/** @throws GatewayError `storage_unavailable` */
export async function openBooks(options: BooksOptions, closers: Closers): Promise<Books> {
  const { stores, clock, logger } = options
  const now = () => clock.now()
  const livePrices = await openPriceDirectory({
    store: stores.prices,
    now,
    onError: (error) => logger.error({ error }, 'stored prices could not be read'),
  })
  closers.add(livePrices.close)
  const partitions = await keepPartitions(stores.ledger, now, (error) =>
    logger.error({ error }, 'partitions of the ledger could not be made'),
  )
  closers.add(partitions.close)
  const journal = options.journal ?? createMemoryJournal()
  if (options.journal === undefined) closers.add(journal.close)
  const drainer = createDrainer({
    journal,
    store: stores.ledger,
    batchRowsMax: BATCH_ROWS_MAX,
    lingerMs: LINGER_MS,
    pollMs: journal.isShared ? LINGER_MS : undefined,
    closeMs: CLOSE_MS,
    onError: (error, waitingRows) =>
      logger.error({ error, waitingRows }, 'the ledger could not be written, trying again'),
    onRefused: (row, error) => logger.error({ error, row }, 'a row of the ledger cannot be stored'),
  })
  closers.add(async () => {
    await drainer.close()
    const rows = journal.waitingRows
    if (rows > 0)
      logger.warn({ rows }, 'the ledger did not take these rows in time: they are left to the journal')
  })
  const unfinished = await openUnfinished(journal, drainer.record, {
    costOf: ({ usage, units, price }) => costOfCall(usage, units, price as ResolvedPrice),
    monotonicMs: () => clock.monotonicMs(),
    onError: (error) => logger.error({ error }, 'calls under way could not be written down'),
  })
  closers.add(unfinished.close)
  return {
    journal,
    drainer,
    unfinished,
    livePrices,
    prices: createPrices({
      store: stores.prices,
      directory: livePrices,
      inForce: options.pricesInForce,
      seen: () => targetsSeen(stores.ledger, now()),
      now,
      newId: () => uuidV7(now()),
    }),
    statements: createStatements({ store: stores.statements, now, flush: () => drainer.flush() }),
  }
}

const SEEN_MS = 30 * 86_400_000
const SEEN_MAX = 2000

/** Where calls went of late, whatever the configuration says now. */
async function targetsSeen(store: LedgerStore, nowMs: number): Promise<PriceTarget[]> {
  const rows = await store.usage({
    from: new Date(nowMs - SEEN_MS),
    to: new Date(nowMs + 1),
    groupBy: ['provider', 'model'],
    rowsMax: SEEN_MAX,
  })
  return rows.flatMap(({ groups: [provider, model] }) => (provider && model ? [{ provider, model }] : []))
}
