import type { ModelMatch } from '../core/model-data.ts'
import { baseRatesOf, tiersOf } from './price-rates.ts'
import { requestPicoOf, unitRatesOf } from './price-units.ts'
import type { ResolvedPrice } from './resolved-price.ts'

const MINUTE_MS = 60_000

/**
 * @param dataVersion names the data that the row stands in
 * @returns the price that a row of the data says; `undefined` where the data lists the model without a price and does
 *   not say that it is free
 */
export function priceOfRow(match: ModelMatch, dataVersion: string): ResolvedPrice | undefined {
  const { model, prices, providerId } = match
  if (Object.keys(prices).length === 0 && !isSaidToBeFree(match)) return undefined
  return {
    version: `genai-prices@${dataVersion}:${providerId}/${model.id}:${rowName(match)}`,
    known: true,
    rates: baseRatesOf(prices),
    tiers: tiersOf(prices),
    requestPico: requestPicoOf(prices),
    units: unitRatesOf(match),
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
export function validityOfRow(
  { model }: ModelMatch,
  atMs: number,
): { readonly fromMs: number; readonly untilMs: number } {
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
