import { createHash } from 'node:crypto'
import { GatewayError } from '../core/errors.ts'
import { findModel, MODEL_DATA_VERSION, MODEL_NAME_LENGTH_MAX, type ModelMatch } from '../core/model-data.ts'
import {
  baseRatesOf,
  FREE_RATES,
  type ListPrice,
  type Rates,
  type RateTier,
  ratesOfList,
  tiersOf,
} from './price-rates.ts'
import { requestPicoOf, type UnitRates, unitRatesOf } from './price-units.ts'

/** What a call at one target costs. */
export interface ResolvedPrice {
  /** Names the source and the row in it, for the ledger: `genai-prices@0.1.8:openai/o3:2025-06-10`, `free` … */
  readonly version: string
  /** False where the configured ceiling stands in for a price that nobody knows: worth an alert. */
  readonly known: boolean
  /** Of a call whose input passes no threshold. */
  readonly rates: Rates
  /** Lowest threshold first; mostly empty. */
  readonly tiers: readonly RateTier[]
  /** Added once to a call. */
  readonly requestPico: number
  /** What the model sells by something else than tokens. */
  readonly units: UnitRates
}

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
  /** When the call was made; now, where left out. */
  readonly at?: Date | undefined
}

export interface PriceBook {
  /**
   * @returns the price in force: the override for `provider name/model`, else free, else the bundled data, else the
   *   ceiling. The same object for as long as the price holds
   * @throws GatewayError `invalid_request` where no price is known and such calls are refused
   */
  priceOf(query: PriceQuery): ResolvedPrice
}

export interface PriceBookOptions {
  /** By `provider name/model`. */
  readonly overrides: Readonly<Record<string, ListPrice>>
  /** What happens to a call whose price nobody knows. */
  readonly unknown: 'ceiling' | 'refuse'
  /** Stands in for an unknown price; should exceed what any model in use costs. */
  readonly ceiling: ListPrice
  /** Unix time in milliseconds. */
  readonly now: () => number
}

/** Models remembered per provider: more than any provider has, and a bound on names that callers invent. */
const MODELS_MAX = 2000
const MINUTE_MS = 60_000

/** A price and the time it holds. `price` is `undefined` where calls are refused. */
interface Held {
  readonly price: ResolvedPrice | undefined
  readonly fromMs: number
  readonly untilMs: number
}

/**
 * @returns prices under one configuration. A provider's name must keep its `pricesId` and `free`: after a change of
 *   the configuration, make a new book
 * @throws RangeError where an override or the ceiling holds a negative price
 */
export function createPriceBook(options: PriceBookOptions): PriceBook {
  const overrides = new Map<string, ResolvedPrice>()
  for (const [target, list] of Object.entries(options.overrides)) {
    overrides.set(target, listed('override', list, true))
  }
  const ceiling = listed('ceiling', options.ceiling, false)
  const held = new Map<string, Map<string, Held>>()

  const resolve = (query: PriceQuery, atMs: number): Held => {
    const override = overrides.get(`${query.providerName}/${query.model}`)
    if (override !== undefined) return forever(override)
    if (query.listPrice !== undefined) return forever(listed('list', query.listPrice, true))
    if (query.free) return forever(FREE)
    const at = new Date(atMs)
    const match = query.pricesId === undefined ? undefined : findModel(query.pricesId, query.model, at)
    const price = match === undefined ? undefined : pricedBy(match, at)
    if (match === undefined || price === undefined) {
      return forever(options.unknown === 'ceiling' ? ceiling : undefined)
    }
    return { price, ...validityOf(match, atMs) }
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

  return {
    priceOf(query) {
      let entry = held.get(query.providerName)?.get(query.model)
      if (entry === undefined || entry.untilMs !== Number.POSITIVE_INFINITY || entry.fromMs !== 0) {
        const atMs = query.at === undefined ? options.now() : query.at.getTime()
        if (entry === undefined || atMs < entry.fromMs || atMs >= entry.untilMs) {
          const fresh = resolve(query, atMs)
          // A late settlement asks for the past: answered, but the present stays remembered.
          if (entry === undefined || fresh.fromMs >= entry.fromMs) remember(query, fresh)
          entry = fresh
        }
      }
      if (entry.price === undefined) throw unknownPrice(query)
      return entry.price
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

function listed(source: 'override' | 'ceiling' | 'list', list: ListPrice, known: boolean): ResolvedPrice {
  const requestPico = Math.round((list.perRequestUsd ?? 0) * 1_000_000_000_000)
  if (!Number.isSafeInteger(requestPico) || requestPico < 0) {
    throw new RangeError('A price per request must be a number of dollars, zero or more.')
  }
  // Sorted, so that the same price written in another order keeps its version.
  const written = Object.entries(list).filter(([, value]) => value !== undefined)
  const text = JSON.stringify(written.sort(([a], [b]) => (a < b ? -1 : 1)))
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 16)
  return { version: `${source}:${hash}`, known, rates: ratesOfList(list), tiers: [], requestPico, units: {} }
}

/** @returns `undefined` where the data lists the model without a price and does not say that it is free */
function pricedBy(match: ModelMatch, at: Date): ResolvedPrice | undefined {
  const { model, prices, providerId } = match
  if (Object.keys(prices).length === 0 && !isSaidToBeFree(match)) return undefined
  return {
    version: `genai-prices@${MODEL_DATA_VERSION}:${providerId}/${model.id}:${rowName(match)}`,
    known: true,
    rates: baseRatesOf(prices),
    tiers: tiersOf(prices),
    requestPico: requestPicoOf(prices),
    units: unitRatesOf(match, at),
  }
}

/** The data writes "free" and "unknown" alike, as a row without prices; only its words tell which (0.1.8). */
function isSaidToBeFree({ model }: ModelMatch): boolean {
  if (model.id.endsWith(':free')) return true
  return /\bfree\b|zero token cost/i.test(`${model.name} ${model.description} ${model.price_comments}`)
}

/** @returns which of the model's dated or timed rows this is */
function rowName({ model, prices }: ModelMatch): string {
  const row = Array.isArray(model.prices) ? model.prices.find((each) => each.prices === prices) : undefined
  const constraint = row?.constraint
  if (constraint === undefined) return 'base'
  if (constraint.type === 'start_date') return constraint.start_date
  return `${constraint.start_time}-${constraint.end_time}`
}

/**
 * @returns how long the row can be in force around `atMs`: for prices by the time of day, that minute; for dated
 *   ones, until the next date
 */
function validityOf({ model }: ModelMatch, atMs: number): { fromMs: number; untilMs: number } {
  let fromMs = 0
  let untilMs = Number.POSITIVE_INFINITY
  if (!Array.isArray(model.prices)) return { fromMs, untilMs }
  for (const { constraint } of model.prices) {
    if (constraint?.type === 'time_of_date') {
      fromMs = Math.max(fromMs, Math.floor(atMs / MINUTE_MS) * MINUTE_MS)
      untilMs = Math.min(untilMs, fromMs + MINUTE_MS)
    } else if (constraint?.type === 'start_date') {
      const startMs = Date.parse(constraint.start_date)
      if (startMs <= atMs) fromMs = Math.max(fromMs, startMs)
      else untilMs = Math.min(untilMs, startMs)
    }
  }
  return { fromMs, untilMs }
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
