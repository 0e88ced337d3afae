import { type Alerts, openAlerts } from '../alerts/alerts.ts'
import { createBudgetSource } from '../alerts/budget-source.ts'
import type { Config } from '../config/schema/config-schema.ts'
import type { Clock } from '../core/clock.ts'
import { uuidV7 } from '../core/ids.ts'
import { toAbandonedRow } from '../ledger/abandoned-row.ts'
import { createTokenCounter } from '../ledger/token-counter.ts'
import { type CountersHooks, type LimitsInForce, type OpenedCounters, openLimits } from '../limits/limits.ts'
import { MemoryCounters } from '../limits/memory-counters.ts'
import { budgetMeter } from '../limits/meters.ts'
import type { Counters } from '../limits/ports.ts'
import { createSharedCounters } from '../limits/shared-counters.ts'
import { type BatchMeans, type BatchWatch, createBatchWatch } from '../resources/batch-watch.ts'
import { toHeld } from '../resources/batch-work.ts'
import { createSettlements, type Settlements } from '../resources/settlements.ts'
import { reportedUsage } from '../routing/forward-usage.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Books } from './books.ts'
import type { Closers } from './closers.ts'
import type { Stores } from './stores.ts'

export interface ControlOptions {
  readonly stores: Stores
  readonly books: Books
  /** Open. Left out: in memory, for a database that does not outlive the process. */
  readonly counters: Counters | undefined
  readonly configOf: () => Config
  readonly batchesInForce: () => BatchMeans
  readonly clock: Clock
  readonly logger: Logger
}

/** What keeps spending within bounds, and tells people where it does not. */
export interface Control {
  readonly limits: LimitsInForce
  readonly alerts: Alerts
  readonly settlements: Settlements
  readonly batchWatch: BatchWatch
}

/** A replica that leads and dies is followed by another after this long. */
const LEAD_MS = 60_000
/** Of one organization, held again at once after its counters were lost. */
const BATCHES_MAX = 1000

/** @throws GatewayError `storage_unavailable` */
export async function openControl(options: ControlOptions, closers: Closers): Promise<Control> {
  const { stores, books, clock, logger } = options
  const { drainer } = books
  const { leases } = stores
  const replica = uuidV7(clock.now())
  const limits = await openLimits({
    openCounters: (hooks) => withShares(options, hooks),
    policies: stores.policies,
    spent: stores.spent,
    reconciliation: stores.reconciliation,
    settings: stores.identity,
    clock,
    flush: () => drainer.flush(),
    countText: createTokenCounter().countText,
    async book(note, { organizationId, holdId }) {
      const row = toAbandonedRow(note, organizationId, holdId)
      drainer.record(row)
      await drainer.flush()
      return { requests: 1, tokens: row.tokensInput ?? 0, costNanoUsd: row.costNanoUsd }
    },
    openBatches: async (organizationId) =>
      (await stores.resources.listOpen(organizationId, BATCHES_MAX)).map(toHeld),
    lead: () => leases.take('reconciliation', replica, LEAD_MS),
    onDrift: (event) => alerts.report(event),
    onAway: (error) =>
      error === undefined
        ? logger.warn({}, 'the shared counters are back')
        : logger.error({ error }, 'the shared counters are away; calls go on within leased shares'),
    onError: (error, what) => logger.error({ error }, what),
  })
  closers.add(limits.close)
  const alerts = openAlerts({
    store: stores.alerts,
    leases,
    spend: stores.spend,
    budgets: createBudgetSource({
      find: (organizationId, subject) => limits.book.find(organizationId, subject)?.policy,
      list: stores.policies.list,
      meterOf: ({ subject, budget }, atMs) => budget && budgetMeter(subject, budget, atMs),
      read: (organizationId, meters) => limits.counters.read(organizationId, meters),
      spent: stores.spent.spent,
    }),
    settings: () => options.configOf().alerts,
    clock,
    logger,
  })
  closers.add(alerts.close)
  const settlements = createSettlements({
    clock,
    store: stores.resources,
    leases,
    holder: replica,
    holds: limits.batches,
    readUsage: (body, endpoint) => reportedUsage(body, endpoint.includes('/images/') ? 'image' : 'batch'),
    onError: (error, { provider, id }) =>
      logger.error(
        { error, provider, batch: id },
        'a batch could not be booked; it will be when it is seen again',
      ),
  })
  const batchWatch = createBatchWatch({
    clock,
    store: stores.resources,
    holds: limits.batches,
    settlements,
    inForce: options.batchesInForce,
    onGone: ({ organizationId, provider, id }) =>
      logger.warn({ organizationId, provider, batch: id }, 'a batch could not be looked at for 30 days'),
    onError: (error, batch) =>
      logger.warn({ error, provider: batch?.provider, batch: batch?.id }, 'batches could not be looked at'),
  })
  return { limits, alerts, settlements, batchWatch }
}

/** Shared counters go on within leased shares while they do not answer; in this process alone there is nothing to share. */
function withShares(
  { counters: shared, configOf, clock }: ControlOptions,
  hooks: CountersHooks,
): OpenedCounters {
  const newId = () => uuidV7(clock.now())
  if (shared === undefined)
    return { counters: new MemoryCounters({ clock, newId, unknown: 'begin' }), isShared: false }
  if (configOf().storage.redis === 'none') return { counters: shared, isShared: false }
  return { counters: createSharedCounters({ shared, clock, newId, ...hooks }), isShared: true }
}
