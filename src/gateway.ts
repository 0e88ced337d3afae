import type { EventEmitter } from 'node:events'
import type { Alerts } from './alerts/alerts.ts'
import type { Config } from './config/schema/config-schema.ts'
import { routeSchema } from './config/schema/models.ts'
import { type Clock, systemClock } from './core/clock.ts'
import type { GatewayError } from './core/errors.ts'
import { uuidV7 } from './core/ids.ts'
import { isModelAllowed, requireModel } from './identity/access.ts'
import { type AdminKey, openAdminKey } from './identity/admin-key.ts'
import { type Directory, openDirectory } from './identity/directory.ts'
import { createIdentifyStage } from './identity/identify-stage.ts'
import { createOrganizations, type Organizations } from './identity/organizations.ts'
import type { IdentityStore } from './identity/ports.ts'
import { requireRoom } from './ledger/journal-room.ts'
import { createLedgerStage } from './ledger/ledger-stage.ts'
import type { Journal, LedgerRow, LedgerStore } from './ledger/ports.ts'
import type { Prices } from './ledger/price-desk/desk.ts'
import type { Statements } from './ledger/statements/statements.ts'
import { createAdmitStage } from './limits/admit-stage.ts'
import type { PolicyBook } from './limits/policy-book.ts'
import type { Counters, PolicyStore, SpentStore } from './limits/ports.ts'
import type { Reconciler } from './limits/reconcile/reconciler.ts'
import type { Caller, Exchange, Incoming } from './pipeline/exchange.ts'
import { type Running, run } from './pipeline/run.ts'
import type { Outcome, Stage } from './pipeline/stage.ts'
import { createSwitchStage } from './pipeline/switch-stage.ts'
import { createCatalogue } from './providers/catalogue.ts'
import type { ModelList } from './providers/model-list.ts'
import type { Provider } from './providers/provider-set.ts'
import type { BatchWatch } from './resources/batch-watch.ts'
import { createReferenceStage } from './resources/reference-stage.ts'
import type { Breakers } from './routing/breakers/breakers.ts'
import type { BreakerFeed } from './routing/breakers/ports.ts'
import { RetryBudget } from './routing/retry-budget.ts'
import { createRouteStage } from './routing/route-stage.ts'
import { Affinity } from './routing/strategy/affinity.ts'
import { openOrganizationRoutes } from './routing/strategy/organization-routes.ts'
import { Pace } from './routing/strategy/pace.ts'
import { createRouteDesk, type RouteDesk } from './routing/strategy/route-desk.ts'
import { createSimulator, type Simulator } from './simulator/server.ts'
import type { Database } from './storage/database.ts'
import type { PolicyRemoval } from './storage/policy-store.ts'
import { createEvents, type GatewayEvents } from './telemetry/events.ts'
import { type HealthReport, type ProviderReport, reportHealth, reportProviders } from './telemetry/health.ts'
import { type Logger, SILENT_LOGGER } from './telemetry/logger.ts'
import { VERSION } from './version.ts'
import { openBooks } from './wiring/books.ts'
import { Closers } from './wiring/closers.ts'
import { openControl } from './wiring/control.ts'
import { buildPlane, type Plane, type PlaneParts, type StageMeans } from './wiring/plane.ts'
import { watchProviders } from './wiring/providers-watch.ts'
import { createStores } from './wiring/stores.ts'

export { VERSION }

export interface GatewayOptions {
  readonly config: Config
  /** Open and migrated. The gateway closes what it started, and this was not. */
  readonly database: Database
  /** Open; to be closed after the gateway. Left out: in memory, for a database that does not outlive the process. */
  readonly journal?: Journal
  /** To be closed after the gateway. Left out: in memory, for a database that does not outlive the process. */
  readonly counters?: Counters
  /** Breakers of all replicas; to be closed after the gateway. Left out: this process is alone. */
  readonly breakers?: BreakerFeed
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
  /** Keep calls from providers that fail. */
  readonly breakers: Breakers
  /** Routes in force, and those of organizations. */
  readonly routes: RouteDesk
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

const UNDER_WAY_CLOSE_MS = 5000
/** What becomes of a call that is broken off is known soon. */
const BROKEN_OFF_MS = 1000
/** By then a call has been sent, and what was sent is not broken off. */
const RETIRE_MS = 60_000

/**
 * Joins stores, features, routing and providers into one gateway.
 *
 * @throws GatewayError `storage_unavailable` where the database is away at the start; then nothing stays open
 */
export async function createGateway(options: GatewayOptions): Promise<Gateway> {
  const closers = new Closers()
  try {
    return await openGateway(options, closers)
  } catch (error) {
    await closers.close().catch(() => undefined)
    throw error
  }
}

async function openGateway(options: GatewayOptions, closers: Closers): Promise<Gateway> {
  const { database, clock = systemClock, random = Math.random, logger = SILENT_LOGGER } = options
  const now = () => clock.now()
  const events = createEvents((error) => logger.error({ error }, 'a listener failed'))
  let { config } = options
  let providers: ReadonlyMap<string, Provider> = new Map()
  const stores = createStores(database, () => config)
  const simulatorUrl = openSimulator(closers)
  const directory = await openDirectory(stores.identity, (error) =>
    logger.error({ error }, 'keys could not be reloaded'),
  )
  closers.add(directory.close)
  const adminKey = await openAdminKey(stores.identity, options.config.server.adminKey?.reveal())
  const organizations = createOrganizations(stores.identity, directory.ring, now)
  const books = await openBooks(
    { stores, journal: options.journal, pricesInForce: () => plane.prices, clock, logger },
    closers,
  )
  const control = await openControl(
    {
      stores,
      books,
      counters: options.counters,
      configOf: () => config,
      batchesInForce: () => plane.batches,
      clock,
      logger,
    },
    closers,
  )
  const { journal, drainer, unfinished } = books
  const { limits, alerts } = control
  const { breakers, health: providerHealth } = await watchProviders(
    {
      stores,
      settings: config.breaker,
      providers: () => providers,
      feed: options.breakers,
      clock,
      random,
      logger,
    },
    closers,
  )
  /** What each call has to let go of at its end. */
  const leaving = new WeakMap<Exchange, () => void>()
  events.on('attempt', unfinished.began)
  events.on('settled', unfinished.ended)
  events.on('settled', alerts.noteSettled)

  const pace = new Pace()
  const organizationRoutes = await openOrganizationRoutes({
    store: stores.routes,
    parse: (json) => routeSchema.parse(json),
    onError: (error) => logger.error({ error }, 'routes of organizations could not be read'),
  })
  closers.add(organizationRoutes.close)
  const parts: PlaneParts = {
    stores,
    books,
    control,
    catalogue: createCatalogue(now),
    clock,
    logger,
    random,
    simulatorUrl,
    onAttempt(exchange, attempt) {
      pace.began(attempt)
      events.emit('attempt', exchange, attempt)
    },
    onLeave(exchange, leave) {
      const others = leaving.get(exchange)
      leaving.set(exchange, () => {
        others?.()
        leave()
      })
    },
    retries: new RetryBudget(() => clock.monotonicMs()),
    breakers,
    pace,
    affinity: new Affinity(),
    organizationRoutes,
    stagesOf,
  }
  /** Those whose calls may not be over: the one in force, and earlier ones. */
  const planes = new Set<Plane>()
  let plane = await buildPlane(parts, config, new Map())
  providers = plane.providers
  planes.add(plane)
  const allIdle = (timeoutMs: number) =>
    Promise.all([...planes].map(({ underWay }) => underWay.idle(timeoutMs)))
  closers.add(
    async () => {
      const open = new Set([...planes].flatMap((each) => [...each.providers.values()]))
      await Promise.all([...open].map((provider) => provider.destroy()))
      await allIdle(BROKEN_OFF_MS)
    },
    control.settlements.close,
    control.batchWatch.close,
    // A connection that is gone may have a call whose last words are still to be booked.
    () => allIdle(UNDER_WAY_CLOSE_MS),
  )
  control.batchWatch.start()
  let configuring: Promise<void> = Promise.resolve()
  let retired: Promise<unknown> = Promise.resolve()

  /** The way of a call. `enter` runs from the top, `settle` from the bottom of those that began. */
  function stagesOf({ config: { server }, accountant, resolver, quoteOf }: StageMeans): Stage[] {
    return [
      createLedgerStage({
        account: accountant.account,
        record: drainer.record,
        handedOver: () => journal.handedOver(),
        onSettled,
      }),
      createIdentifyStage(directory.ring, clock),
      createSwitchStage(server.enabled),
      createRouteStage({ resolver, isModelAllowed, requireModel }),
      createAdmitStage(limits.admission, quoteOf),
      createReferenceStage({ store: stores.resources, isShared: () => directory.ring.isShared }),
    ]
  }

  function onSettled(exchange: Exchange, outcome: Outcome, rows: readonly LedgerRow[]): void {
    leaving.get(exchange)?.()
    limits.admission.settle(exchange, outcome.kind === 'completed' && outcome.error === undefined)
    providerHealth.noteAttempts(exchange.attempts, outcome.endedMs)
    events.emit('settled', exchange, outcome, rows)
  }

  function providerStates(): ProviderReport[] {
    return reportProviders(plane.providers, providerHealth, clock.monotonicMs(), breakers.board.state)
  }

  /** Closes what a configuration leaves behind, once the calls that keep it, or an earlier one, are over. */
  function retire(before: Plane): void {
    const left = [...before.providers].filter(([name, provider]) => plane.providers.get(name) !== provider)
    retired = Promise.all([retired, before.underWay.idle(RETIRE_MS)]).then(async () => {
      for (const [, provider] of left) await provider.close().catch(() => undefined)
      planes.delete(before)
    })
  }

  return {
    get config() {
      return config
    },
    version: VERSION,
    clock,
    events,
    identityStore: stores.identity,
    ledgerStore: stores.ledger,
    policyStore: stores.policies,
    spentStore: stores.spent,
    counters: limits.counters,
    book: limits.book,
    prices: books.prices,
    statements: books.statements,
    alerts,
    reconciler: limits.reconciler,
    breakers,
    routes: createRouteDesk({
      own: organizationRoutes,
      pace,
      resolver: () => plane.resolver,
      providers: () => plane.providers.keys(),
    }),
    batchWatch: control.batchWatch,
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
    providerStates,
    health: () =>
      reportHealth({
        database,
        providers: providerStates(),
        totals: providerHealth.totals(clock.monotonicMs()),
        waitingRows: journal.waitingRows,
        hasRoom: journal.hasRoom,
        redis: () => ({
          kind: config.storage.redis === 'none' ? 'none' : 'redis',
          isReady: breakers.isShared ?? true,
        }),
        thresholds: config.alerts.thresholds,
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
    configure(next) {
      // One after the other: each builds on the providers of the one before.
      const configured = configuring.then(async () => {
        const before = plane
        plane = await buildPlane(parts, next, before.providers)
        config = next
        providers = plane.providers
        breakers.board.reconfigure(next.breaker)
        planes.add(plane)
        retire(before)
      })
      configuring = configured.catch(() => undefined)
      return configured
    },
    close: () => closers.close(),
  }
}

/** @returns where the simulator listens, which is started when a configuration first leads to it */
function openSimulator(closers: Closers): () => Promise<string> {
  let simulator: { readonly server: Simulator; readonly url: Promise<string> } | undefined
  closers.add(() => simulator?.server.close())
  return async () => {
    if (simulator === undefined) {
      const server = createSimulator()
      simulator = { server, url: server.listen(0, '127.0.0.1').then(({ url }) => url) }
    }
    return simulator.url
  }
}
