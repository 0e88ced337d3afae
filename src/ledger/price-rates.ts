import type { ModelPrice } from '../core/model-data.ts'
import { perMillionUsdToPico } from '../core/money.ts'

/** What a token costs, in whole pico-dollars, by what the token is. Every rate is set: a part without a price of
 * its own has that of its whole. */
export interface Rates {
  readonly inputPico: number
  readonly cachedInputPico: number
  readonly cacheWritePico: number
  /** Writes to a cache that lives an hour instead of minutes. */
  readonly cacheWriteLongPico: number
  readonly inputAudioPico: number
  readonly inputImagePico: number
  readonly outputPico: number
  readonly reasoningPico: number
  readonly outputAudioPico: number
  readonly outputImagePico: number
}

/** Rates of a whole call, once its input is longer than `aboveInputTokens`. */
export interface RateTier {
  readonly aboveInputTokens: number
  readonly rates: Rates
}

/**
 * A price as people write it, in US dollars. What is left out costs what its whole costs; both wholes are left out
 * only where the model sells something else than tokens.
 */
export interface ListPrice {
  readonly inputPerMillionUsd?: number | undefined
  readonly outputPerMillionUsd?: number | undefined
  readonly cachedInputPerMillionUsd?: number | undefined
  readonly cacheWritePerMillionUsd?: number | undefined
  readonly cacheWriteLongPerMillionUsd?: number | undefined
  readonly inputAudioPerMillionUsd?: number | undefined
  readonly inputImagePerMillionUsd?: number | undefined
  readonly reasoningPerMillionUsd?: number | undefined
  readonly outputAudioPerMillionUsd?: number | undefined
  readonly outputImagePerMillionUsd?: number | undefined
  /** Added once to every call. */
  readonly perRequestUsd?: number | undefined
  /** A picture that is made, whatever its size and quality. */
  readonly perImageUsd?: number | undefined
  /** Text that is to be spoken. */
  readonly perMillionCharactersUsd?: number | undefined
  /** Recordings that are heard. */
  readonly perMinuteUsd?: number | undefined
  /** A search of a rerank: one query with up to a hundred documents. */
  readonly perSearchUsd?: number | undefined
}

export const FREE_RATES: Rates = toRates(() => 0)

/** @throws RangeError where a price is negative or not finite */
export function ratesOfList(price: ListPrice): Rates {
  return toRates((part) => price[LIST_FIELDS[part]])
}

/** @returns rates below every threshold of a row of the model data */
export function baseRatesOf(prices: ModelPrice): Rates {
  return ratesAbove(prices, -1)
}

/** @returns one tier per threshold that any part of the row has, lowest first */
export function tiersOf(prices: ModelPrice): RateTier[] {
  const starts = new Set<number>()
  for (const part of PARTS) {
    const price = prices[DATA_FIELDS[part]]
    if (typeof price === 'object') for (const tier of price.tiers) starts.add(tier.start)
  }
  return [...starts]
    .sort((a, b) => a - b)
    .map((start) => ({ aboveInputTokens: start, rates: ratesAbove(prices, start) }))
}

/**
 * The data's tiers are of the whole call: input beyond a threshold puts every token on the tier's price, as
 * `calcPrice` of genai-prices 0.1.8 computes it.
 */
function ratesAbove(prices: ModelPrice, start: number): Rates {
  return toRates((part) => {
    const price = prices[DATA_FIELDS[part]]
    if (typeof price !== 'object') return price
    let perMillionUsd = price.base
    let reached = -1
    for (const tier of price.tiers) {
      if (tier.start > start || tier.start < reached) continue
      reached = tier.start
      perMillionUsd = tier.price
    }
    return perMillionUsd
  })
}

type Part =
  | 'input'
  | 'cachedInput'
  | 'cacheWrite'
  | 'cacheWriteLong'
  | 'inputAudio'
  | 'inputImage'
  | 'output'
  | 'reasoning'
  | 'outputAudio'
  | 'outputImage'

const LIST_FIELDS = {
  input: 'inputPerMillionUsd',
  cachedInput: 'cachedInputPerMillionUsd',
  cacheWrite: 'cacheWritePerMillionUsd',
  cacheWriteLong: 'cacheWriteLongPerMillionUsd',
  inputAudio: 'inputAudioPerMillionUsd',
  inputImage: 'inputImagePerMillionUsd',
  output: 'outputPerMillionUsd',
  reasoning: 'reasoningPerMillionUsd',
  outputAudio: 'outputAudioPerMillionUsd',
  outputImage: 'outputImagePerMillionUsd',
} as const satisfies Record<Part, keyof ListPrice>

/** Price keys of genai-prices (`prices/units.yml` of its repository). */
const DATA_FIELDS = {
  input: 'input_mtok',
  cachedInput: 'cache_read_mtok',
  cacheWrite: 'cache_write_mtok',
  cacheWriteLong: 'cache_write_1h_mtok',
  inputAudio: 'input_audio_mtok',
  inputImage: 'input_image_mtok',
  output: 'output_mtok',
  reasoning: 'output_reasoning_mtok',
  outputAudio: 'output_audio_mtok',
  outputImage: 'output_image_mtok',
} as const satisfies Record<Part, string>

const PARTS = Object.keys(DATA_FIELDS) as readonly Part[]

function toRates(perMillionUsdOf: (part: Part) => number | undefined): Rates {
  const pico = (part: Part, whole: number): number => {
    const perMillionUsd = perMillionUsdOf(part)
    if (perMillionUsd === undefined) return whole
    if (!(perMillionUsd >= 0) || !Number.isFinite(perMillionUsd)) {
      throw new RangeError(`A price must be a number of dollars, zero or more: ${part} is ${perMillionUsd}.`)
    }
    return perMillionUsdToPico(perMillionUsd)
  }
  const inputPico = pico('input', 0)
  const cacheWritePico = pico('cacheWrite', inputPico)
  const outputPico = pico('output', 0)
  return {
    inputPico,
    cachedInputPico: pico('cachedInput', inputPico),
    cacheWritePico,
    cacheWriteLongPico: pico('cacheWriteLong', cacheWritePico),
    inputAudioPico: pico('inputAudio', inputPico),
    inputImagePico: pico('inputImage', inputPico),
    outputPico,
    reasoningPico: pico('reasoning', outputPico),
    outputAudioPico: pico('outputAudio', outputPico),
    outputImagePico: pico('outputImage', outputPico),
  }
}
