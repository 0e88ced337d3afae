import type { Usage } from '../contract/chat.ts'
import { picoToNano } from '../core/money.ts'
import { FREE_RATES, type Rates } from './price-rates.ts'
import type { ResolvedPrice } from './prices.ts'

/** A hundred times the longest context on sale: a larger count is a provider's mistake. */
const TOKENS_MAX = 1_000_000_000

/** @returns whether the provider said both counts; where not, the cost lacks what it left out */
export function isComplete(usage: Usage): boolean {
  return usage.inputTokens !== undefined && usage.outputTokens !== undefined
}

/**
 * @returns what the tokens of one call cost, in nano-dollars: the parts at their prices, summed in pico-dollars and
 *   rounded once. A count that is missing, negative or no number costs nothing
 */
export function costOf(usage: Usage, price: ResolvedPrice): number {
  const parts = split(usage)
  const rates = ratesFor(price, inputOf(parts))
  let pico = price.requestPico
  for (const part of PARTS) pico += parts[part] * rates[part]
  // Above nine thousand dollars a call, doubles run out of digits for pico-dollars.
  return Number.isSafeInteger(pico) ? picoToNano(pico) : largeCostOf(parts, rates, price.requestPico)
}

/** @returns the rates of the highest threshold that the call's whole input passes */
export function ratesFor(price: ResolvedPrice, inputTokens: number): Rates {
  for (let i = price.tiers.length - 1; i >= 0; i--) {
    const tier = price.tiers[i]
    if (tier !== undefined && inputTokens > tier.aboveInputTokens) return tier.rates
  }
  return price.rates
}

/** Tokens by what they are, each counted once, under the name of its rate. */
type Split = { readonly [Part in keyof Rates]: number }

const PARTS = Object.keys(FREE_RATES) as readonly (keyof Rates)[]

/**
 * Parts are charged in full, and their whole is at least their sum. Where they do not fit beside each other, some
 * audio or images came from the cache as well: those are charged as cached.
 */
function split(usage: Usage): Split {
  const cached = tokens(usage.cachedInputTokens)
  const writeLong = tokens(usage.cacheWriteLongTokens)
  const write = Math.max(tokens(usage.cacheWriteTokens), writeLong)
  const audioSaid = tokens(usage.inputAudioTokens)
  const imageSaid = tokens(usage.inputImageTokens)
  const fresh = rest(usage.inputTokens, cached + write, audioSaid + imageSaid)
  const audio = Math.min(audioSaid, fresh)
  const image = Math.min(imageSaid, fresh - audio)

  const reasoningSaid = tokens(usage.reasoningTokens)
  const outputAudioSaid = tokens(usage.outputAudioTokens)
  const outputImageSaid = tokens(usage.outputImageTokens)
  const output = rest(usage.outputTokens, 0, reasoningSaid + outputAudioSaid + outputImageSaid)
  const outputAudio = Math.min(outputAudioSaid, output)
  const outputImage = Math.min(outputImageSaid, output - outputAudio)
  const reasoning = Math.min(reasoningSaid, output - outputAudio - outputImage)

  return {
    inputPico: fresh - audio - image,
    cachedInputPico: cached,
    cacheWritePico: write - writeLong,
    cacheWriteLongPico: writeLong,
    inputAudioPico: audio,
    inputImagePico: image,
    outputPico: output - outputAudio - outputImage - reasoning,
    reasoningPico: reasoning,
    outputAudioPico: outputAudio,
    outputImagePico: outputImage,
  }
}

/** @returns what is left of a whole beside `taken`; of a whole that nobody said, its parts */
function rest(whole: number | undefined, taken: number, parts: number): number {
  return whole === undefined ? parts : Math.max(tokens(whole) - taken, 0)
}

function inputOf(parts: Split): number {
  return (
    parts.inputPico +
    parts.cachedInputPico +
    parts.cacheWritePico +
    parts.cacheWriteLongPico +
    parts.inputAudioPico +
    parts.inputImagePico
  )
}

function tokens(said: number | undefined): number {
  return said !== undefined && said > 0 ? Math.min(Math.ceil(said), TOKENS_MAX) : 0
}

function largeCostOf(parts: Split, rates: Rates, requestPico: number): number {
  let pico = BigInt(requestPico)
  for (const part of PARTS) pico += BigInt(parts[part]) * BigInt(rates[part])
  const nano = Number((pico + 500n) / 1000n)
  return Math.min(nano, Number.MAX_SAFE_INTEGER)
}
