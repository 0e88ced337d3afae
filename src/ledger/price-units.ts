import type { ModelMatch, ModelPrice } from '../core/model-data.ts'
import type { ListPrice } from './price-rates.ts'

/** Quantities of one call that are sold by something else than tokens. */
export interface Units {
  readonly audioSeconds?: number | undefined
  readonly characters?: number | undefined
  readonly images?: number | undefined
  readonly searches?: number | undefined
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
  /** Where kinds of the unit have prices of their own; `pico` is then that of the dearest. */
  readonly picoByKind?: Readonly<Record<string, number>> | undefined
}

export type UnitRates = Readonly<Partial<Record<UnitName, UnitRate>>>

const PICO_PER_USD = 1_000_000_000_000

/** Price keys of genai-prices (`prices/units.yml` of its repository); the first that a row has counts. */
const SOLD: Readonly<Partial<Record<UnitName, { readonly keys: readonly string[]; readonly per: number }>>> =
  {
    audioSeconds: { keys: ['input_audio_hours', 'audio_hours'], per: 3600 },
    documentPages: { keys: ['input_document_kpages'], per: 1000 },
    webSearches: { keys: ['web_searches_kcount'], per: 1000 },
    storageSearches: { keys: ['storage_searches_kcount'], per: 1000 },
  }

const LISTED: Readonly<Partial<Record<UnitName, { readonly field: keyof ListPrice; readonly per: number }>>> =
  {
    audioSeconds: { field: 'perMinuteUsd', per: 60 },
    characters: { field: 'perMillionCharactersUsd', per: 1_000_000 },
    images: { field: 'perImageUsd', per: 1 },
    searches: { field: 'perSearchUsd', per: 1 },
  }

const UNIT_NAMES: readonly UnitName[] = [
  'audioSeconds',
  'characters',
  'images',
  'searches',
  'documentPages',
  'webSearches',
  'storageSearches',
]

/** @returns what the matched row sells by units; empty for most models */
export function unitRatesOf(match: ModelMatch): UnitRates {
  const rates: Partial<Record<UnitName, UnitRate>> = {}
  for (const name of UNIT_NAMES) {
    const { keys = [], per = 1 } = SOLD[name] ?? {}
    const price = keys.map((key) => match.prices[key]).find((value) => value !== undefined)
    if (typeof price !== 'number') continue
    rates[name] = { pico: picoOf(price), per, least: name === 'audioSeconds' ? leastAudioSeconds(match) : 0 }
  }
  return rates
}

/**
 * @returns what a written price sells by units
 * @throws RangeError where a price is negative or not finite
 */
export function unitRatesOfList(list: ListPrice): UnitRates {
  const rates: Partial<Record<UnitName, UnitRate>> = {}
  for (const name of UNIT_NAMES) {
    const { field, per = 1 } = LISTED[name] ?? {}
    const price = field === undefined ? undefined : list[field]
    if (price !== undefined) rates[name] = { pico: picoOf(price), per, least: 0 }
  }
  return rates
}

/** @throws RangeError where a price is negative, not finite, or larger than anything costs */
export function picoOf(usd: number): number {
  const pico = Math.round(usd * PICO_PER_USD)
  if (Number.isSafeInteger(pico) && pico >= 0) return pico
  throw new RangeError(`A price must be a number of dollars, zero or more: ${usd}.`)
}

/** @returns pico-dollars of a call that asked for nothing else, where the row has a price for each call */
export function requestPicoOf(prices: ModelPrice): number {
  const perThousand = prices.requests_kcount
  return typeof perThousand === 'number' ? Math.round((perThousand * PICO_PER_USD) / 1000) : 0
}

/**
 * @param kind which kind of the units, where a rate has prices by kind: `hd/1024x1792`
 * @returns nano-dollars, rounded once, beside what the tokens of the call cost; `undefined` where a unit was used
 *   that has no price, which is not the same as free
 */
export function costOfUnits(units: Units, rates: UnitRates, kind?: string): number | undefined {
  let nano = 0
  for (const name of UNIT_NAMES) {
    const used = units[name]
    if (used === undefined || !(used > 0)) continue
    const rate = rates[name]
    if (rate === undefined) return undefined
    const { pico, picoByKind, per, least } = rate
    const each = kind === undefined ? pico : (picoByKind?.[kind] ?? pico)
    // Seconds come with fractions; a double holds the product to a part in 10^15, far below a nano-dollar.
    nano += (Math.max(used, least) * each) / (per * 1000)
  }
  return Math.min(Math.floor(nano + 0.5), Number.MAX_SAFE_INTEGER)
}

/**
 * @returns the shortest recording that is charged. Groq charges ten seconds at least (README of genai-prices 0.1.8,
 *   "Fractional usage values"); that package has it in its code and not in its data
 */
function leastAudioSeconds({ providerId, model }: ModelMatch): number {
  return providerId === 'groq' && /^whisper-large-v3(?:-turbo)?$/.test(model.id) ? 10 : 0
}
