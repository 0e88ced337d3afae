import { GatewayError } from '../core/errors.ts'
import { BUNDLED_MODELS, MODEL_NAME_LENGTH_MAX, type ModelData } from '../core/model-data.ts'
import { KNOWN_UNITS_VERSION, knownUnits } from './price-known-units.ts'
import { priceOfList, versionOfList } from './price-listed.ts'
import type { OverrideBook } from './price-overrides.ts'
import { FREE_RATES, type ListPrice } from './price-rates.ts'
import { priceOfRow, validityOfRow } from './price-row.ts'
import type { UnitRates } from './price-units.ts'
import type { ResolvedPrice } from './resolved-price.ts'

export type { ResolvedPrice }

export interface PriceQuery {
  /** Whose call it is: it may have prices of its own. */
  readonly organizationId?: string | undefined
  /** As the configuration names the provider. */
  readonly providerName: string
  /** The provider's id in genai-prices; `undefined` where the data cannot know it. */
  readonly pricesId: string | undefined
  /** A server of one's own: calls cost nothing, unless an override says otherwise. */
  readonly free: boolean
  /** What the kind of provider itself asks, where no override says otherwise. */
  readonly listPrice?: ListPrice | undefined
  /** The model's name at the provider. */
  readonly model: string
  /** The work of a batch: a source that knows a price for `model:batch` is asked for that one. */
  readonly batch?: boolean | undefined
  /** When the call was made; now, where left out. */
  readonly at?: Date | undefined
}

export interface PriceBook {
  /**
   * @returns the price in force: the organization's own, else the configured override for `provider name/model`, else
   *   free or what the kind asks, else the data, else the ceiling. The same object for as long as the price holds
   * @throws GatewayError `invalid_request` where no price is known and such calls are refused: `isUnknownPrice`
   */
  priceOf(query: PriceQuery): ResolvedPrice
}

/** Prices that change while the gateway runs. */
export interface LivePrices {
  /** @returns `undefined` for the many organizations without a price of their own */
  overridesOf(organizationId: string): OverrideBook | undefined
  /** Another number whenever `dataAt` may answer something else. */
  readonly generation: number
  dataAt(atMs: number): DataInForce
}

/** Data on what models cost, and the time in which calls are priced by it. */
export interface DataInForce {
  readonly data: ModelData
  readonly fromMs: number
  readonly untilMs: number
}

export interface PriceBookOptions {
  /** By `provider name/model`. */
  readonly overrides: Readonly<Record<string, ListPrice>>
  /** What happens to a call whose price nobody knows. */
  readonly unknown: 'ceiling' | 'refuse'
  /** Stands in for an unknown price; should exceed what any model in use costs. */
  readonly ceiling: ListPrice
  /** Left out: the bundled data, and nobody has prices of their own. */
  readonly live?: LivePrices | undefined
  /** Unix time in milliseconds. */
  readonly now: () => number
}

/** Models remembered per provider: more than any provider has, and a bound on names that callers invent. */
const MODELS_MAX = 2000

/** A price and the time it holds. `price` is `undefined` where calls are refused. */
interface Held {
  readonly price: ResolvedPrice | undefined
  readonly fromMs: number
  readonly untilMs: number
}

export const BUNDLED_PRICES: LivePrices = {
  overridesOf: () => undefined,
  generation: 0,
  dataAt: () => ({ data: BUNDLED_MODELS, fromMs: 0, untilMs: Number.POSITIVE_INFINITY }),
}

/**
 * @returns prices under one configuration. A provider's name must keep its `pricesId` and `free`: after a change of
 *   the configuration, make a new book
 * @throws RangeError where an override or the ceiling holds a negative price
 */
export function createPriceBook(options: PriceBookOptions): PriceBook {
  const { live = BUNDLED_PRICES } = options
  const overrides = new Map(
    Object.entries(options.overrides).map(([target, list]) => [
      target,
      priceOfList(versionOfList('override', list), list),
    ]),
  )
  const ceiling = priceOfList(versionOfList('ceiling', options.ceiling), options.ceiling, false)
  const held = new Map<string, Map<string, Held>>()
  let generation = live.generation

  const resolve = (query: PriceQuery, atMs: number): Held => {
    const configured = overrides.get(`${query.providerName}/${query.model}`)
    if (configured !== undefined) return forever(configured)
    const { listPrice } = query
    if (listPrice !== undefined) return forever(priceOfList(versionOfList('list', listPrice), listPrice))
    if (query.free) return forever(FREE)
    const unknown = options.unknown === 'ceiling' ? ceiling : undefined
    if (query.pricesId === undefined) return forever(unknown)
    const listed = ofData(query.pricesId, query.model, atMs)
    return { ...listed, price: listed.price ?? unknown }
  }

  const ofData = (pricesId: string, model: string, atMs: number): Held => {
    const { data, fromMs, untilMs } = live.dataAt(atMs)
    const match = data.find(pricesId, model, new Date(atMs))
    const price = match === undefined ? undefined : priceOfRow(match, data.version)
    if (match === undefined || price === undefined) {
      const known = knownUnits(pricesId, model)
      // Newer data may know better, so this holds no longer than the data does.
      return { price: known === undefined ? undefined : priceOfUnits(pricesId, known), fromMs, untilMs }
    }
    const row = validityOfRow(match, atMs)
    return { price, fromMs: Math.max(row.fromMs, fromMs), untilMs: Math.min(row.untilMs, untilMs) }
  }

  /** The first source that knows the model, or its batches, decides: a price that was agreed on holds for both. */
  const resolveBatch = (query: PriceQuery, atMs: number): ResolvedPrice | undefined => {
    const { providerName, model } = query
    const batch = `${model}:batch`
    const configured = overrides.get(`${providerName}/${batch}`) ?? overrides.get(`${providerName}/${model}`)
    if (configured !== undefined) return configured
    if (query.listPrice === undefined && !query.free && query.pricesId !== undefined) {
      const match = live.dataAt(atMs).data.find(query.pricesId, batch, new Date(atMs))
      // Beginnings of names match too, and then the row is not that of batches.
      const isOwn = match?.model.id.endsWith(':batch') === true && Object.keys(match.prices).length > 0
      if (isOwn) return ofData(query.pricesId, batch, atMs).price
    }
    return resolve(query, atMs).price
  }

  const remember = (query: PriceQuery, entry: Held): void => {
    if (query.model.length > MODEL_NAME_LENGTH_MAX) return
    let models = held.get(query.providerName)
    if (models === undefined) {
      models = new Map()
      held.set(query.providerName, models)
    }
    if (models.size >= MODELS_MAX && !models.has(query.model)) {
      const oldest = models.keys().next()
      if (!oldest.done) models.delete(oldest.value)
    }
    models.set(query.model, entry)
  }

  const heldPriceOf = (query: PriceQuery): ResolvedPrice | undefined => {
    if (generation !== live.generation) {
      generation = live.generation
      held.clear()
    }
    let entry = held.get(query.providerName)?.get(query.model)
    if (entry === undefined || entry.untilMs !== Number.POSITIVE_INFINITY || entry.fromMs !== 0) {
      const atMs = momentOf(query)
      if (entry === undefined || atMs < entry.fromMs || atMs >= entry.untilMs) {
        const fresh = resolve(query, atMs)
        // A late settlement asks for the past: answered, but the present stays remembered.
        if (entry === undefined || fresh.fromMs >= entry.fromMs) remember(query, fresh)
        entry = fresh
      }
    }
    return entry.price
  }

  const momentOf = ({ at }: PriceQuery): number => (at === undefined ? options.now() : at.getTime())

  /** What the organization of a query has of its own. */
  const ownPriceOf = (query: PriceQuery, organizationId: string): ResolvedPrice | undefined => {
    const own = live.overridesOf(organizationId)
    if (own === undefined) return undefined
    const atMs = momentOf(query)
    const batch =
      query.batch === true ? own.find(query.providerName, `${query.model}:batch`, atMs) : undefined
    return batch ?? own.find(query.providerName, query.model, atMs)
  }

  return {
    priceOf(query) {
      const { organizationId } = query
      const own = organizationId === undefined ? undefined : ownPriceOf(query, organizationId)
      if (own !== undefined) return own
      const price = query.batch === true ? resolveBatch(query, momentOf(query)) : heldPriceOf(query)
      if (price === undefined) throw unknownPrice(query)
      return price
    },
  }
}

const FREE: ResolvedPrice = {
  version: 'free',
  known: true,
  rates: FREE_RATES,
  tiers: [],
  requestPico: 0,
  units: {},
}

function forever(price: ResolvedPrice | undefined): Held {
  return { price, fromMs: 0, untilMs: Number.POSITIVE_INFINITY }
}

function priceOfUnits(
  pricesId: string,
  known: { readonly id: string; readonly units: UnitRates },
): ResolvedPrice {
  return { ...FREE, version: `units@${KNOWN_UNITS_VERSION}:${pricesId}/${known.id}`, units: known.units }
}

function unknownPrice({ providerName, model }: PriceQuery): GatewayError {
  const target = `${providerName}/${model.slice(0, MODEL_NAME_LENGTH_MAX)}`
  return new GatewayError('invalid_request', {
    message:
      `No price is known for the model "${target}", and calls without a known price are refused here. ` +
      `The configuration can name one under prices.overrides."${target}".`,
    param: 'model',
    detail: { reason: UNKNOWN_PRICE, providerName, model },
  })
}

/** What tells this refusal from others of its code, for those that watch. */
const UNKNOWN_PRICE = 'unknown_price'

/** @returns whether a call was refused because nobody knows what it would cost */
export function isUnknownPrice(error: unknown): error is GatewayError {
  return error instanceof GatewayError && error.detail?.reason === UNKNOWN_PRICE
}
