import { calcPrice } from '@pydantic/genai-prices'
import type { ModelMatch, ModelPrice } from '../core/model-data.ts'

/** Quantities of one call that are sold by something else than tokens. */
export interface Units {
  readonly audioSeconds?: number | undefined
  readonly documentPages?: number | undefined
  readonly webSearches?: number | undefined
  readonly storageSearches?: number | undefined
}

export type UnitName = keyof Units

export interface UnitRate {
  /** Pico-dollars for `per` units: list prices are for an hour or a thousand, and the price of one is no integer. */
  readonly pico: number
  readonly per: number
  /** A call with any of the unit is charged at least this many. */
  readonly least: number
}

export type UnitRates = Readonly<Partial<Record<UnitName, UnitRate>>>

const PICO_PER_USD = 1_000_000_000_000

/** Price keys of genai-prices (`prices/units.yml` of its repository); the first that a row has counts. */
const SOLD: Readonly<Record<UnitName, { readonly keys: readonly string[]; readonly per: number }>> = {
  audioSeconds: { keys: ['input_audio_hours', 'audio_hours'], per: 3600 },
  documentPages: { keys: ['input_document_kpages'], per: 1000 },
  webSearches: { keys: ['web_searches_kcount'], per: 1000 },
  storageSearches: { keys: ['storage_searches_kcount'], per: 1000 },
}

/** @returns what the matched row sells by units; empty for most models */
export function unitRatesOf(match: ModelMatch, at: Date): UnitRates {
  const rates: Partial<Record<UnitName, UnitRate>> = {}
  for (const name of Object.keys(SOLD) as UnitName[]) {
    const { keys, per } = SOLD[name]
    const price = keys.map((key) => match.prices[key]).find((value) => value !== undefined)
    if (typeof price !== 'number') continue
    const least = name === 'audioSeconds' ? leastAudioSeconds(match, at) : 0
    rates[name] = { pico: Math.round(price * PICO_PER_USD), per, least }
  }
  return rates
}

/** @returns pico-dollars of a call that asked for nothing else, where the row has a price for each call */
export function requestPicoOf(prices: ModelPrice): number {
  const perThousand = prices.requests_kcount
  return typeof perThousand === 'number' ? Math.round((perThousand * PICO_PER_USD) / 1000) : 0
}

/**
 * @returns nano-dollars, rounded once, beside what the tokens of the call cost; `undefined` where a unit was used
 *   that has no price, which is not the same as free
 */
export function costOfUnits(units: Units, rates: UnitRates): number | undefined {
  let nano = 0
  for (const name of Object.keys(SOLD) as UnitName[]) {
    const used = units[name]
    if (used === undefined || !(used > 0)) continue
    const rate = rates[name]
    if (rate === undefined) return undefined
    // Seconds come with fractions; a double holds the product to a part in 10^15, far below a nano-dollar.
    nano += (Math.max(used, rate.least) * rate.pico) / (rate.per * 1000)
  }
  return Math.min(Math.floor(nano + 0.5), Number.MAX_SAFE_INTEGER)
}

/**
 * @returns the shortest recording that is charged. Groq charges ten seconds at least (README of genai-prices 0.1.8,
 *   "Fractional usage values"); the package has that in its code and not in its data, so it is asked
 */
function leastAudioSeconds({ providerId, model, prices }: ModelMatch, at: Date): number {
  const perHour = prices.audio_hours
  if (typeof perHour !== 'number' || perHour === 0) return 0
  const instant = { audio_seconds: 0.001, input_audio_seconds: 0.001 }
  const charged = calcPrice(instant, model.id, { providerId, timestamp: at })?.total_price ?? 0
  const seconds = Math.round((charged / perHour) * 3600)
  return seconds < 1 ? 0 : seconds
}
