import type { EventEmitter } from 'node:events'
import { type Alerts, openAlerts } from './alerts/alerts.ts'
import { createBudgetSource } from './alerts/budget-source.ts'
import type { Config } from './config/schema/config-schema.ts'
import { type Clock, systemClock } from './core/clock.ts'
import type { GatewayError } from './core/errors.ts'
import { uuidV7 } from './core/ids.ts'
import { isModelAllowed, requireModel } from './identity/access.ts'
import { type AdminKey, openAdminKey } from './identity/admin-key.ts'
import { type Directory, openDirectory } from './identity/directory.ts'
import { createIdentifyStage } from './identity/identify-stage.ts'
import { createOrganizations, type Organizations } from './identity/organizations.ts'
import type { IdentityStore } from './identity/ports.ts'
import { toAbandonedRow } from './ledger/abandoned-row.ts'
import { createAccountant } from './ledger/accountant.ts'
import { createBatchBooks, createBatchPrices } from './ledger/batch-books.ts'
import { costOfCall } from './ledger/call-cost.ts'
import { createDrainer } from './ledger/journal-drainer.ts'
import { requireRoom } from './ledger/journal-room.ts'
import { createLedgerStage } from './ledger/ledger-stage.ts'
import { keepPartitions } from './ledger/partition-keeper.ts'
import type { Journal, LedgerRow, LedgerStore } from './ledger/ports.ts'
import { createPrices, type Prices } from './ledger/price-desk/desk.ts'
import { openPriceDirectory } from './ledger/price-desk/directory.ts'
import type { PricesInForce, PriceTarget } from './ledger/price-desk/report.ts'
import { createPriceBook, type ResolvedPrice } from './ledger/prices.ts'
import { createQuotes } from './ledger/quote.ts'
import { createStatements, type Statements } from './ledger/statements/statements.ts'
import { createTokenCounter } from './ledger/token-counter.ts'
import { openUnfinished } from './ledger/unfinished.ts'
import type { QuoteOf } from './limits/admission.ts'
import { createAdmitStage } from './limits/admit-stage.ts'
import { BatchDemand } from './limits/batch-demand.ts'
import { toBudget, toLimits } from './limits/defaults.ts'
import { type CountersHooks, type OpenedCounters, openLimits } from './limits/limits.ts'
import { MemoryCounters } from './limits/memory-counters.ts'
import { budgetMeter } from './limits/meters.ts'
import type { PolicyBook } from './limits/policy-book.ts'
import type { Counters, PolicyStore, SpentStore } from './limits/ports.ts'
import type { Reconciler } from './limits/reconcile/reconciler.ts'
import { createSharedCounters } from './limits/shared-counters.ts'
import type { Caller, Exchange, Incoming } from './pipeline/exchange.ts'
import { type Call, type Running, run } from './pipeline/run.ts'
import type { Outcome, Stage } from './pipeline/stage.ts'
import { createSwitchStage } from './pipeline/switch-stage.ts'
import { countUnderWay, type UnderWay } from './pipeline/under-way.ts'
import { createCatalogue } from './providers/catalogue.ts'
import { DIALECTS } from './providers/dialects.ts'
import { KINDS } from './providers/kinds.ts'
import { listModels, type ModelList } from './providers/model-list.ts'
import type { Provider } from './providers/provider-set.ts'
import { buildProviders, withSimulator } from './providers/provider-table.ts'
import { type BatchMeans, type BatchWatch, createBatchWatch } from './resources/batch-watch.ts'
import { toHeld } from './resources/batch-work.ts'
import { createReferenceStage } from './resources/reference-stage.ts'
import { createResourceCall } from './resources/resource-call.ts'
import { createSettlements } from './resources/settlements.ts'
import { createCall } from './routing/call.ts'
import { countUnits } from './routing/forward-units.ts'
import { reportedUsage } from './routing/forward-usage.ts'
import { HealthBook } from './routing/provider-health.ts'
import { createProviderObjects } from './routing/provider-objects.ts'
import { createResolver } from './routing/resolve.ts'
import { createRouteStage } from './routing/route-stage.ts'
import { createSimulator, type Simulator } from './simulator/server.ts'
import { createAlertStore } from './storage/alert-store.ts'
import type { Database } from './storage/database.ts'
import { createIdentityStore } from './storage/identity-store.ts'
import { createLeaseStore } from './storage/lease-store.ts'
import { createLedgerStore } from './storage/ledger-store.ts'
import { createMemoryJournal } from './storage/memory-journal.ts'
import { beginPolicies, createPolicyStore, type PolicyRemoval } from './storage/policy-store.ts'
import { createPriceStore } from './storage/price-store.ts'
import { createReconcileStore } from './storage/reconcile-store.ts'
import { createResourceStore } from './storage/resource-store.ts'
import { createSpendStore } from './storage/spend-store.ts'
import { createSpentStore } from './storage/spent-store.ts'
import { createStatementStore } from './storage/statement-store.ts'
import { createEvents, type GatewayEvents } from './telemetry/events.ts'
import { type HealthReport, type ProviderReport, reportHealth, reportProviders } from './telemetry/health.ts'
import { type Logger, SILENT_LOGGER } from './telemetry/logger.ts'
import { VERSION } from './version.ts'

export { VERSION }

export interface GatewayOptions {
  readonly config: Config
  /** Open and migrated. The gateway closes what it started, and this was not. */
  readonly database: Database
  /** Open; to be closed after the gateway. Left out: in memory, for a database that does not outlive the process. */
  readonly journal?: Journal
  /** To be closed after the gateway. Left out: in memory, for a database that does not outlive the process. */
  readonly counters?: Counters
  readonly clock?: Clock
  /** Uniform in [0, 1). */
  readonly random?: () => number
  readonly logger?: Logger
}

/** The house: everything behind the edge. The HTTP server and the embedded library are two doors to it. */
export interface Gateway {
  /** The configuration in force. */
  readonly config: Config
  readonly version: string
  readonly clock: Clock
  readonly events: EventEmitter<GatewayEvents>
  readonly identityStore: IdentityStore
  readonly ledgerStore: LedgerStore
  readonly policyStore: PolicyStore & PolicyRemoval
  readonly spentStore: SpentStore
  readonly counters: Counters
  /** Limits and budgets in force. */
  readonly book: PolicyBook
  readonly prices: Prices
  readonly statements: Statements
  readonly alerts: Alerts
  readonly reconciler: Reconciler
  /** Looks after batches that are not booked. */
  readonly batchWatch: BatchWatch
  readonly organizations: Organizations
  readonly directory: Directory
  readonly adminKey: AdminKey

  newRequestId(): string
  newExchange(id: string, incoming: Incoming, signal: AbortSignal, caller?: Caller): Exchange
  /**
   * Takes a call through the stages of the configuration in force; it keeps that configuration to its end.
   *
   * @throws GatewayError where it was refused or failed; then it is settled already
   */
  run(exchange: Exchange): Promise<Running>
  /** @returns once every call that has ended so far stands in the ledger */
  flushLedger(): Promise<void>
  models(): ModelList
  providerStates(): ProviderReport[]
  health(): Promise<HealthReport>
  /** @param requestId where there is no exchange: what the caller was given to ask with */
  logError(exchange: Exchange | undefined, error: GatewayError, requestId?: string): void
  /** Puts another configuration in force. Calls in flight keep the one they began with. */
  configure(config: Config): Promise<void>
  /** Writes what is not yet in the ledger, then lets go of everything the gateway started. */
  close(): Promise<void>
}

/** What one configuration makes of a call. */
interface Plane {
  readonly config: Config
  readonly providers: ReadonlyMap<string, Provider>
  readonly stages: readonly Stage[]
  readonly call: Call
  readonly models: ModelList
  readonly prices: PricesInForce
  readonly batches: BatchMeans
  /** Calls that keep this configuration. */
  readonly underWay: UnderWay
}

// Rows reach the ledger in batches, up to a second apart: a row costs half as much in a thousand as in a hundred, and
// whoever reads the books through the API has them written first.
const UNDER_WAY_CLOSE_MS = 5000
/** What becomes of a call that is broken off is known soon. */
const BROKEN_OFF_MS = 1000
/** By then a call has been sent, and what was sent is not broken off. */
const RETIRE_MS = 60_000
const LEDGER_LINGER_MS = 1000
/** A replica that leads and dies is followed by another after this long. */
const LEAD_MS = 60_000
const LEDGER_BATCH_ROWS_MAX = 1000
const LEDGER_CLOSE_MS = 10_000

/** Of one organization, held again at once after its counters were lost. */
const BATCHES_MAX = 1000

type Closer = () => unknown

/**
 * Joins stores, features, routing and providers into one gateway.
 *
 * @throws GatewayError `storage_unavailable` where the database is away at the start; then nothing stays open
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const closers: Closer[] = []
  try {
    return await openGateway(options, closers)
  } catch (error) {
    await closeAll(closers).catch(() => undefined)
    throw error
  }
}

/** Closes what was opened, the last first, and whatever happens all of it. Rejects with what went wrong first. */
async function closeAll(closers: Closer[]): Promise<void> {
  const errors: unknown[] = []
  for (const close of closers.splice(0).reverse()) {
    try {
      await close()
    } catch (error) {
      errors.push(error)
    }
  }
  if (errors.length > 0) throw errors[0]
}

/** @param closers takes what closes each thing that was opened */
async function openGateway(options: GatewayOptions, closers: Closer[]): Promise<Gateway> {
  const { database, clock = systemClock, random = Math.random, logger = SILENT_LOGGER } = options
  const now = () => clock.now()
  const events = createEvents((error) => logger.error({ error }, 'a listener failed'))
  const identityStore = createIdentityStore(database, (transaction, organizationId, isLimited) => {
    const { limits, budgets } = plane.config
    return beginPolicies(
      transaction,
      organizationId,
      isLimited ? toLimits(limits.default) : undefined,
      toBudget(budgets.default),
    )
  })
  const ledgerStore = createLedgerStore(database)
  const policyStore = createPolicyStore(database)
  const spentStore = createSpentStore(database)
  let simulator: { server: Simulator; url: Promise<string> } | undefined
  closers.push(() => simulator?.server.close())
  const directory = await openDirectory(identityStore, (error) =>
    logger.error({ error }, 'keys could not be reloaded'),
  )
  closers.push(directory.close)
  const adminKey = await openAdminKey(identityStore, options.config.server.adminKey?.reveal())
  const organizations = createOrganizations(identityStore, directory.ring, now)
  const catalogue = createCatalogue(now)
  const tokens = createTokenCounter()
  const providerHealth = new HealthBook()
  const priceStore = createPriceStore(database)
  const priceDirectory = await openPriceDirectory({
    store: priceStore,
    now,
    onError: (error) => logger.error({ error }, 'stored prices could not be read'),
  })
  closers.push(priceDirectory.close)
  const partitions = await keepPartitions(ledgerStore, now, (error) =>
    logger.error({ error }, 'partitions of the ledger could not be made'),
  )
  closers.push(partitions.close)
  const journal = options.journal ?? createMemoryJournal()
  if (options.journal === undefined) closers.push(journal.close)
  const drainer = createDrainer({
    journal,
    store: ledgerStore,
    batchRowsMax: LEDGER_BATCH_ROWS_MAX,
    lingerMs: LEDGER_LINGER_MS,
    pollMs: journal.isShared ? LEDGER_LINGER_MS : undefined,
    closeMs: LEDGER_CLOSE_MS,
    onError: (error, waitingRows) =>
      logger.error({ error, waitingRows }, 'the ledger could not be written, trying again'),
    onRefused: (row, error) => logger.error({ error, row }, 'a row of the ledger cannot be stored'),
  })
  closers.push(async () => {
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
  closers.push(unfinished.close)
  events.on('attempt', unfinished.began)
  events.on('settled', unfinished.ended)
  const statements = createStatements({
    store: createStatementStore(database),
    now,
    flush: () => drainer.flush(),
  })
  const prices = createPrices({
    store: priceStore,
    directory: priceDirectory,
    inForce: () => plane.prices,
    seen: () => targetsSeen(ledgerStore, now()),
    now,
    newId: () => uuidV7(now()),
  })
  const leases = createLeaseStore(database)
  const replica = uuidV7(now())
  const resourceStore = createResourceStore(database)
  const limits = await openLimits({
    openCounters: (hooks) => withShares(options, clock, hooks),
    policies: policyStore,
    spent: spentStore,
    reconciliation: createReconcileStore(database),
    settings: identityStore,
    clock,
    flush: () => drainer.flush(),
    countText: tokens.countText,
    async book(note, { organizationId, holdId }) {
      const row = toAbandonedRow(note, organizationId, holdId)
      drainer.record(row)
      await drainer.flush()
      return { requests: 1, tokens: row.tokensInput ?? 0, costNanoUsd: row.costNanoUsd }
    },
    openBatches: async (organizationId) =>
      (await resourceStore.listOpen(organizationId, BATCHES_MAX)).map(toHeld),
    lead: () => leases.take('reconciliation', replica, LEAD_MS),
    onDrift: (event) => alerts.report(event),
    onAway: (error) =>
      error === undefined
        ? logger.warn({}, 'the shared counters are back')
        : logger.error({ error }, 'the shared counters are away; calls go on within leased shares'),
    onError: (error, what) => logger.error({ error }, what),
  })
  closers.push(limits.close)
  const { counters } = limits
  const alerts = openAlerts({
    store: createAlertStore(database),
    leases,
    spend: createSpendStore(database),
    budgets: createBudgetSource({
      find: (organizationId, subject) => limits.book.find(organizationId, subject)?.policy,
      list: policyStore.list,
      meterOf: ({ subject, budget }, atMs) => budget && budgetMeter(subject, budget, atMs),
      read: (organizationId, meters) => counters.read(organizationId, meters),
      spent: spentStore.spent,
    }),
    settings: () => plane.config.alerts,
    clock,
    logger,
  })
  closers.push(alerts.close)
  events.on('settled', alerts.noteSettled)
  const settlements = createSettlements({
    clock,
    store: resourceStore,
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
    store: resourceStore,
    holds: limits.batches,
    settlements,
    inForce: () => plane.batches,
    onGone: ({ organizationId, provider, id }) =>
      logger.warn({ organizationId, provider, batch: id }, 'a batch could not be looked at for 30 days'),
    onError: (error, batch) =>
      logger.warn({ error, provider: batch?.provider, batch: batch?.id }, 'batches could not be looked at'),
  })
  /** Those whose calls may not be over: the one in force, and earlier ones. */
  const planes = new Set<Plane>()
  let plane = await buildPlane(options.config, new Map())
  planes.add(plane)
  const allIdle = (timeoutMs: number) =>
    Promise.all([...planes].map(({ underWay }) => underWay.idle(timeoutMs)))
  closers.push(
    async () => {
      const providers = new Set([...planes].flatMap((each) => [...each.providers.values()]))
      await Promise.all([...providers].map((provider) => provider.destroy()))
      await allIdle(BROKEN_OFF_MS)
    },
    settlements.close,
    batchWatch.close,
    // A connection that is gone may have a call whose last words are still to be booked.
    () => allIdle(UNDER_WAY_CLOSE_MS),
  )
  batchWatch.start()
  let configuring: Promise<void> = Promise.resolve()
  let retired: Promise<unknown> = Promise.resolve()

  /** Closes what a configuration leaves behind, once the calls that keep it, or an earlier one, are over. */
  function retire(before: Plane): void {
    const left = [...before.providers].filter(([name, provider]) => plane.providers.get(name) !== provider)
    retired = Promise.all([retired, before.underWay.idle(RETIRE_MS)]).then(async () => {
      for (const [, provider] of left) await provider.close().catch(() => undefined)
      planes.delete(before)
    })
  }

  async function buildPlane(config: Config, earlier: ReadonlyMap<string, Provider>): Promise<Plane> {
    const settings = await withSimulator(config.providers, simulatorUrl)
    const providers = buildProviders(settings, KINDS, earlier)
    const models = listModels(config.models, providers, catalogue)
    const live = { ...config.prices, live: priceDirectory, now }
    const prices = createPriceBook(live)
    const accountant = createAccountant({
      prices: {
        priceOf: (name, model, organizationId) =>
          prices.priceOf({
            organizationId,
            providerName: name,
            model,
            ...(model === '' ? NOTHING_SOLD : pricing(providers.get(name))),
          }),
        costOf: costOfCall,
      },
      tokens,
    })
    const resolver = createResolver({
      routes: new Map(Object.entries(config.models)),
      tasks: routesByTask(config),
      providers: new Map([...providers].map(([name, { settings }]) => [name, settings.models ?? {}])),
      serves: models.serves,
      suggestions: models.suggestions,
      random,
    })
    const quotes = createQuotes()
    const pricingOf = (name: string) => pricing(providers.get(name))
    const batchPriceOf = createBatchPrices({ prices, pricing: pricingOf })
    const batches: BatchMeans = {
      objects: createProviderObjects(providers),
      books: createBatchBooks({
        store: ledgerStore,
        prices: createPriceBook({ ...live, unknown: 'ceiling' }),
        pricing: pricingOf,
      }),
      offers: (name) => providersWith(providers, 'batch').includes(name),
    }
    const call = createResourceCall({
      clock,
      store: resourceStore,
      ...batches,
      settlements,
      holds: limits.batches,
      estimate: (batch, endpoint) =>
        new BatchDemand({
          experience: limits.experience,
          provider: batch.provider,
          endpoint,
          task: batch.task ?? undefined,
          quoteOf(model) {
            const price = batchPriceOf(batch, model)
            const quote = quotes(price)
            const unitsNanoUsd = (line: Incoming) => quote.costOfUnits(countUnits(line, undefined))
            return { quote, priceVersion: price.version, unitsNanoUsd }
          },
        }),
      onHoldError: (error) => logger.error({ error }, 'what is held for a batch could not be put right yet'),
      providersWith: (kind) => providersWith(providers, kind),
      requireModel,
      forward: createCall({
        clock,
        providers,
        dialects: DIALECTS,
        accountant,
        onAttempt: (exchange, attempt) => events.emit('attempt', exchange, attempt),
      }),
    })
    const quoteOf: QuoteOf = ({ incoming, caller }, { provider, model }) => {
      const price = accountant.priceOf(provider, model, caller?.organizationId)
      const quote = quotes(price)
      return {
        quote,
        priceVersion: price.version,
        unitsNanoUsd: quote.costOfUnits(countUnits(incoming, undefined)),
      }
    }
    // The way of a call. `enter` runs from the top, `settle` from the bottom of those that began.
    const stages: Stage[] = [
      createLedgerStage({
        account: accountant.account,
        record: drainer.record,
        handedOver: () => journal.handedOver(),
        onSettled,
      }),
      createIdentifyStage(directory.ring, clock),
      createSwitchStage(config.server.enabled),
      createRouteStage({ resolver, isModelAllowed, requireModel }),
      createAdmitStage(limits.admission, quoteOf),
      createReferenceStage({ store: resourceStore, isShared: () => directory.ring.isShared }),
    ]
    const inForce: PricesInForce = {
      book: prices,
      overrides: config.prices.overrides,
      targets: targetsOf(config, providers),
      providers: [...providers.keys()],
      facts: (name) => pricing(providers.get(name)),
    }
    return { config, providers, stages, call, models, prices: inForce, batches, underWay: countUnderWay() }
  }

  /** The simulator is started when a configuration first leads to it. */
  async function simulatorUrl(): Promise<string> {
    if (simulator === undefined) {
      const server = createSimulator()
      simulator = { server, url: server.listen(0, '127.0.0.1').then(({ url }) => url) }
    }
    return simulator.url
  }

  function onSettled(exchange: Exchange, outcome: Outcome, rows: readonly LedgerRow[]): void {
    limits.admission.settle(exchange, outcome.kind === 'completed' && outcome.error === undefined)
    providerHealth.noteAttempts(exchange.attempts, outcome.endedMs)
    events.emit('settled', exchange, outcome, rows)
  }

  return {
    get config() {
      return plane.config
    },
    version: VERSION,
    clock,
    events,
    identityStore,
    ledgerStore,
    policyStore,
    spentStore,
    counters,
    book: limits.book,
    prices,
    statements,
    alerts,
    reconciler: limits.reconciler,
    batchWatch,
    organizations,
    directory,
    adminKey,
    newRequestId: () => `req_${uuidV7(clock.now()).replaceAll('-', '')}`,
    newExchange: (id, incoming, signal, caller) => ({
      id,
      receivedAtMs: clock.now(),
      startedMs: clock.monotonicMs(),
      incoming,
      signal,
      stageTimes: [],
      caller,
      plan: undefined,
      allowance: undefined,
      attempts: [],
      warnings: [],
    }),
    async run(exchange) {
      requireRoom(journal)
      events.emit('request', exchange)
      const { stages, call, underWay } = plane
      const running = run(exchange, stages, call, {
        clock,
        onSettleError: (stage, error) =>
          logger.error({ error, stage, requestId: exchange.id }, 'a stage could not settle'),
      })
      return underWay.track(running)
    },
    flushLedger: () => drainer.flush(),
    models: () => plane.models,
    providerStates: () => reportProviders(plane.providers, providerHealth, clock.monotonicMs()),
    health: () =>
      reportHealth({
        database,
        providers: reportProviders(plane.providers, providerHealth, clock.monotonicMs()),
        totals: providerHealth.totals(clock.monotonicMs()),
        waitingRows: journal.waitingRows,
        thresholds: plane.config.alerts.thresholds,
      }),
    logError(exchange, error, requestId) {
      const { code, message, detail, spec } = error
      const { incoming, caller } = exchange ?? {}
      logger[spec.log](
        {
          requestId: exchange?.id ?? requestId,
          code,
          organizationId: caller?.organizationId,
          model: incoming?.model,
          detail,
          cause: error.cause,
        },
        message,
      )
    },
    configure(config) {
      // One after the other: each builds on the providers of the one before.
      const configured = configuring.then(async () => {
        const before = plane
        plane = await buildPlane(config, before.providers)
        planes.add(plane)
        retire(before)
      })
      configuring = configured.catch(() => undefined)
      return configured
    },
    close: () => closeAll(closers),
  }
}

/** Shared counters go on within leased shares while they do not answer; in this process alone there is nothing to share. */
function withShares(options: GatewayOptions, clock: Clock, hooks: CountersHooks): OpenedCounters {
  const newId = () => uuidV7(clock.now())
  const { counters: shared } = options
  if (shared === undefined)
    return { counters: new MemoryCounters({ clock, newId, unknown: 'begin' }), isShared: false }
  if (options.config.storage.redis === 'none') return { counters: shared, isShared: false }
  return { counters: createSharedCounters({ shared, clock, newId, ...hooks }), isShared: true }
}

/** @returns names of the providers that have it in OpenAI's shape */
function providersWith(providers: ReadonlyMap<string, Provider>, endpoint: 'file' | 'batch'): string[] {
  return [...providers.values()]
    .filter(({ kind }) => kind.dialect === 'compatible' && kind.endpoints[endpoint] !== undefined)
    .map(({ name }) => name)
}

/** Where no model works, as with files, nothing is sold. */
const NOTHING_SOLD = { pricesId: undefined, free: true }

function pricing(provider: Provider | undefined) {
  const { pricesId, free = false, listPrice } = provider?.kind ?? {}
  return { pricesId, free, listPrice }
}

/** Where calls may lead by the routes, and by the names that a provider's models have here. */
function targetsOf(config: Config, providers: ReadonlyMap<string, Provider>): PriceTarget[] {
  return [
    ...Object.values(config.models).flatMap(({ targets }) => targets),
    ...[...providers].flatMap(([provider, { settings }]) =>
      Object.values(settings.models ?? {}).map((model) => ({ provider, model })),
    ),
  ]
}

const SEEN_MS = 30 * 86_400_000
const SEEN_MAX = 2000

async function targetsSeen(store: LedgerStore, nowMs: number): Promise<PriceTarget[]> {
  const rows = await store.usage({
    from: new Date(nowMs - SEEN_MS),
    to: new Date(nowMs + 1),
    groupBy: ['provider', 'model'],
    rowsMax: SEEN_MAX,
  })
  return rows.flatMap(({ groups: [provider, model] }) => (provider && model ? [{ provider, model }] : []))
}

function routesByTask(config: Config): Map<string, string> {
  return new Map(
    Object.entries(config.tasks).flatMap(([task, { model } = {}]) =>
      model === undefined ? [] : [[task, model]],
    ),
  )
}
