import type { Config } from '../config/schema/config-schema.ts'
import type { Clock } from '../core/clock.ts'
import { requireModel } from '../identity/access.ts'
import { createAccountant } from '../ledger/accountant.ts'
import { createBatchBooks, createBatchPrices } from '../ledger/batch-books.ts'
import { costOfCall } from '../ledger/call-cost.ts'
import type { PricesInForce, PriceTarget } from '../ledger/price-desk/report.ts'
import { createPriceBook, isUnknownPrice, type ResolvedPrice } from '../ledger/prices.ts'
import { createQuotes } from '../ledger/quote.ts'
import { createTokenCounter } from '../ledger/token-counter.ts'
import type { Quoted, QuoteOf } from '../limits/admission.ts'
import { BatchDemand } from '../limits/batch-demand.ts'
import type { Attempt, Exchange, Incoming, TargetName } from '../pipeline/exchange.ts'
import type { Call } from '../pipeline/run.ts'
import type { Stage } from '../pipeline/stage.ts'
import { countUnderWay, type UnderWay } from '../pipeline/under-way.ts'
import type { Catalogue } from '../providers/catalogue.ts'
import { DIALECTS } from '../providers/dialects.ts'
import { KINDS } from '../providers/kinds.ts'
import { listModels, type ModelList } from '../providers/model-list.ts'
import type { Provider } from '../providers/provider-set.ts'
import { buildProviders, withSimulator } from '../providers/provider-table.ts'
import type { BatchMeans } from '../resources/batch-watch.ts'
import { createResourceCall } from '../resources/resource-call.ts'
import type { Breakers } from '../routing/breakers/breakers.ts'
import { createCall } from '../routing/call.ts'
import { countUnits } from '../routing/forward-units.ts'
import { ProviderGate } from '../routing/provider-gate.ts'
import { createProviderObjects } from '../routing/provider-objects.ts'
import { createResolver, type Resolver } from '../routing/resolve.ts'
import type { RetryBudget } from '../routing/retry-budget.ts'
import type { Affinity } from '../routing/strategy/affinity.ts'
import type { OrganizationRoutes } from '../routing/strategy/organization-routes.ts'
import type { Pace } from '../routing/strategy/pace.ts'
import { createTargetFacts } from '../routing/strategy/target-facts.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Books } from './books.ts'
import type { Control } from './control.ts'
import type { Stores } from './stores.ts'

/** What outlives every configuration. */
export interface PlaneParts {
  readonly stores: Stores
  readonly books: Books
  readonly control: Control
  readonly catalogue: Catalogue
  readonly clock: Clock
  readonly logger: Logger
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** @returns where the simulator listens; it is started when a configuration first leads to it */
  readonly simulatorUrl: () => Promise<string>
  readonly onAttempt: (exchange: Exchange, attempt: Attempt) => void
  /** Is called when the exchange is over, at the latest. */
  readonly onLeave: (exchange: Exchange, leave: () => void) => void
  /** Of the further tries of all calls together. */
  readonly retries: RetryBudget
  readonly breakers: Breakers
  /** How fast targets are, and how busy. */
  readonly pace: Pace
  /** Where sessions are. */
  readonly affinity: Affinity
  readonly organizationRoutes: OrganizationRoutes
  /** The way of a call, in order. */
  readonly stagesOf: (means: StageMeans) => readonly Stage[]
}

/** What the stages need of one configuration. */
export interface StageMeans {
  readonly config: Config
  readonly accountant: Pricing['accountant']
  readonly resolver: Resolver
  readonly quoteOf: QuoteOf
}

/** What one configuration makes of a call. */
export interface Plane {
  readonly config: Config
  readonly providers: ReadonlyMap<string, Provider>
  readonly stages: readonly Stage[]
  readonly call: Call
  readonly models: ModelList
  readonly resolver: Resolver
  readonly prices: PricesInForce
  readonly batches: BatchMeans
  /** Calls that keep this configuration. */
  readonly underWay: UnderWay
}

/** @param earlier providers of the configuration before: those that did not change stay as they are */
export async function buildPlane(
  parts: PlaneParts,
  config: Config,
  earlier: ReadonlyMap<string, Provider>,
): Promise<Plane> {
  const settings = await withSimulator(config.providers, parts.simulatorUrl)
  const providers = buildProviders(settings, KINDS, earlier)
  const models = listModels(config.models, providers, parts.catalogue)
  const pricing = createPricing(parts, config, providers)
  const { accountant, quoteOf, batches, prices } = pricing
  const resolver = createResolver({
    routes: new Map(Object.entries(config.models)),
    tasks: routesByTask(config),
    providers: new Map([...providers].map(([name, { settings }]) => [name, settings.models ?? {}])),
    serves: models.serves,
    suggestions: models.suggestions,
    random: parts.random,
    pace: parts.pace,
    affinity: parts.affinity,
    routesOf: parts.organizationRoutes.settingsOf,
    factsOf: createTargetFacts(providers, parts.catalogue),
    costOf: pricing.costOf,
    monotonicMs: () => parts.clock.monotonicMs(),
  })
  const forward = createCall({
    clock: parts.clock,
    providers,
    dialects: DIALECTS,
    accountant,
    onAttempt: parts.onAttempt,
    onLeave: parts.onLeave,
    random: parts.random,
    breakers: parts.breakers.board,
    gates: gatesOf(providers),
    retries: parts.retries,
    cover: (exchange, target) => parts.control.limits.admission.cover(exchange, target, quoteOf),
  })
  return {
    config,
    providers,
    stages: parts.stagesOf({ config, accountant, resolver, quoteOf }),
    call: withResources(parts, providers, pricing, forward),
    models,
    resolver,
    prices,
    batches,
    underWay: countUnderWay(),
  }
}

type Pricing = ReturnType<typeof createPricing>

/** What things cost under one configuration: before a call, after it, and in a batch. */
function createPricing(
  { stores, books, clock }: PlaneParts,
  config: Config,
  providers: ReadonlyMap<string, Provider>,
) {
  const live = { ...config.prices, live: books.livePrices, now: () => clock.now() }
  const book = createPriceBook(live)
  const pricing = (name: string) => pricingOf(providers.get(name))
  const accountant = createAccountant({
    prices: {
      priceOf: (name, model, organizationId) =>
        book.priceOf({
          organizationId,
          providerName: name,
          model,
          ...(model === '' ? NOTHING_SOLD : pricing(name)),
        }),
      costOf: costOfCall,
    },
    tokens: createTokenCounter(),
  })
  /** What a call is expected to cost at a target; `undefined` where nobody knows. */
  const costOf = (
    target: Pick<TargetName, 'provider' | 'model'>,
    organizationId: string | undefined,
    input: number,
    output: number,
  ) => {
    try {
      const price = accountant.priceOf(target.provider, target.model, organizationId)
      return costOfCall({ inputTokens: input, outputTokens: output }, {}, price)
    } catch (error) {
      if (isUnknownPrice(error)) return undefined
      throw error
    }
  }
  const quotes = createQuotes()
  const quoted = (price: ResolvedPrice, incoming: Incoming): Quoted => {
    const quote = quotes(price)
    return {
      quote,
      priceVersion: price.version,
      unitsNanoUsd: quote.costOfUnits(countUnits(incoming, undefined)),
    }
  }
  const quoteOf: QuoteOf = ({ incoming, caller }, { provider, model }) =>
    quoted(accountant.priceOf(provider, model, caller?.organizationId), incoming)
  const batches: BatchMeans = {
    objects: createProviderObjects(providers),
    books: createBatchBooks({
      store: stores.ledger,
      prices: createPriceBook({ ...live, unknown: 'ceiling' }),
      pricing,
    }),
    offers: (name) => providersWith(providers, 'batch').includes(name),
  }
  const prices: PricesInForce = {
    book,
    overrides: config.prices.overrides,
    targets: targetsOf(config, providers),
    providers: [...providers.keys()],
    facts: pricing,
  }
  return {
    accountant,
    costOf,
    quotes,
    quoteOf,
    batches,
    batchPriceOf: createBatchPrices({ prices: book, pricing }),
    prices,
  }
}

/** Calls about files and batches, which belong to organizations, and all others. */
function withResources(
  { stores, control, clock, logger }: PlaneParts,
  providers: ReadonlyMap<string, Provider>,
  { batches, batchPriceOf, quotes }: Pricing,
  forward: Call,
): Call {
  const { limits, settlements } = control
  return createResourceCall({
    clock,
    store: stores.resources,
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
    forward,
  })
}

/** One for each provider whose calls under way are bounded. */
function gatesOf(providers: ReadonlyMap<string, Provider>): Map<string, ProviderGate> {
  return new Map(
    [...providers].flatMap(
      ([
        name,
        {
          settings: { concurrencyMax },
        },
      ]) => (concurrencyMax === undefined ? [] : [[name, new ProviderGate(name, concurrencyMax)]]),
    ),
  )
}

/** @returns names of the providers that have it in OpenAI's shape */
function providersWith(providers: ReadonlyMap<string, Provider>, endpoint: 'file' | 'batch'): string[] {
  return [...providers.values()]
    .filter(({ kind }) => kind.dialect === 'compatible' && kind.endpoints[endpoint] !== undefined)
    .map(({ name }) => name)
}

/** Where no model works, as with files, nothing is sold. */
const NOTHING_SOLD = { pricesId: undefined, free: true }

function pricingOf(provider: Provider | undefined) {
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

function routesByTask(config: Config): Map<string, string> {
  return new Map(
    Object.entries(config.tasks).flatMap(([task, { model } = {}]) =>
      model === undefined ? [] : [[task, model]],
    ),
  )
}
