import type { Rates } from '../price-rates.ts'
import type { UnitName, UnitRate } from '../price-units.ts'
import type { ResolvedPrice } from '../prices.ts'

/** Every part of a price that calls are charged by, in the order in which people read them. */
export const PRICE_PARTS = [
  'inputPerMillionUsd',
  'cachedInputPerMillionUsd',
  'cacheWritePerMillionUsd',
  'outputPerMillionUsd',
  'reasoningPerMillionUsd',
  'longCacheWritePerMillionUsd',
  'inputAudioPerMillionUsd',
  'outputAudioPerMillionUsd',
  'inputImagePerMillionUsd',
  'outputImagePerMillionUsd',
  'longContextInputPerMillionUsd',
  'longContextOutputPerMillionUsd',
  'perRequestUsd',
  'perImageUsd',
  'perMillionCharactersUsd',
  'perMinuteUsd',
  'perSearchUsd',
] as const

export type PricePart = (typeof PRICE_PARTS)[number]

/** What a price comes to in each of its parts, in pico-dollars for what the part is named for. */
export type PriceParts = Readonly<Partial<Record<PricePart, number>>>

const TOKEN_PARTS = {
  inputPerMillionUsd: 'inputPico',
  cachedInputPerMillionUsd: 'cachedInputPico',
  cacheWritePerMillionUsd: 'cacheWritePico',
  outputPerMillionUsd: 'outputPico',
  reasoningPerMillionUsd: 'reasoningPico',
} as const satisfies Partial<Record<PricePart, keyof Rates>>

/** Parts that are worth a word only where they differ from their whole. */
const FINER_PARTS = {
  longCacheWritePerMillionUsd: ['cacheWriteLongPico', 'cacheWritePico'],
  inputAudioPerMillionUsd: ['inputAudioPico', 'inputPico'],
  outputAudioPerMillionUsd: ['outputAudioPico', 'outputPico'],
  inputImagePerMillionUsd: ['inputImagePico', 'inputPico'],
  outputImagePerMillionUsd: ['outputImagePico', 'outputPico'],
} as const satisfies Partial<Record<PricePart, readonly [keyof Rates, keyof Rates]>>

const UNIT_PARTS = {
  perImageUsd: ['images', 1],
  perMillionCharactersUsd: ['characters', 1_000_000],
  perMinuteUsd: ['audioSeconds', 60],
  perSearchUsd: ['searches', 1],
} as const satisfies Partial<Record<PricePart, readonly [UnitName, number]>>

const TOKENS = 1_000_000

/**
 * @returns the parts of a price: those of text always, below all thresholds and beyond the highest; of units those
 *   that it has, where kinds differ that of the dearest
 */
export function partsOf({ rates, tiers, requestPico, units }: ResolvedPrice): PriceParts {
  const parts: Partial<Record<PricePart, number>> = {}
  for (const [part, rate] of Object.entries(TOKEN_PARTS) as [keyof typeof TOKEN_PARTS, keyof Rates][])
    parts[part] = rates[rate] * TOKENS
  for (const [part, [rate, whole]] of Object.entries(FINER_PARTS) as [
    keyof typeof FINER_PARTS,
    readonly [keyof Rates, keyof Rates],
  ][]) {
    if (rates[rate] !== rates[whole]) parts[part] = rates[rate] * TOKENS
  }
  const highest = tiers.at(-1)
  if (highest !== undefined) {
    parts.longContextInputPerMillionUsd = highest.rates.inputPico * TOKENS
    parts.longContextOutputPerMillionUsd = highest.rates.outputPico * TOKENS
  }
  if (requestPico > 0) parts.perRequestUsd = requestPico
  for (const [part, [unit, count]] of Object.entries(UNIT_PARTS) as [
    keyof typeof UNIT_PARTS,
    readonly [UnitName, number],
  ][]) {
    const rate: UnitRate | undefined = units[unit]
    if (rate !== undefined) parts[part] = Math.round((rate.pico / rate.per) * count)
  }
  return parts
}

/** @returns pico-dollars as a decimal number of dollars, without zeros at its end: `2.5` */
export function picoToUsd(pico: number): string {
  const digits = BigInt(Math.round(pico)).toString().padStart(13, '0')
  const fraction = digits.slice(-12).replace(/0+$/, '')
  return fraction === '' ? digits.slice(0, -12) : `${digits.slice(0, -12)}.${fraction}`
}

/** Where a price comes from, in the order in which the sources are asked. */
export type PriceSource = 'organization' | 'configuration' | 'free' | 'kind' | 'data' | 'units' | 'ceiling'

const SOURCES: readonly (readonly [RegExp, PriceSource])[] = [
  [/^override:[^:]+:[^:]+$/, 'organization'],
  [/^override:/, 'configuration'],
  [/^free$/, 'free'],
  [/^list:/, 'kind'],
  [/^genai-prices@/, 'data'],
  [/^units@/, 'units'],
]

/** @param version of a price */
export function sourceOf(version: string): PriceSource {
  return SOURCES.find(([pattern]) => pattern.test(version))?.[1] ?? 'ceiling'
}

/** One part of a price that differs. */
export interface PartChange {
  readonly part: PricePart
  /** Pico-dollars; `undefined` where a price has no such part. */
  readonly from: number | undefined
  readonly to: number | undefined
}

/** @returns the parts in which two prices differ; none where either is missing */
export function changesOf(
  from: ResolvedPrice | undefined,
  to: ResolvedPrice | undefined,
): readonly PartChange[] {
  if (from === undefined || to === undefined) return []
  const before = partsOf(from)
  const after = partsOf(to)
  return PRICE_PARTS.filter((part) => before[part] !== after[part]).map((part) => ({
    part,
    from: before[part],
    to: after[part],
  }))
}

/** @returns by how much of `from` a part grew, in percent; `undefined` where there was nothing to grow */
export function percentOf({ from, to }: PartChange): number | undefined {
  if (from === undefined || to === undefined || from === 0) return undefined
  return Math.round(((to - from) / from) * 10_000) / 100
}

/** A mistake in the data is more likely than a price that is ten times what it was. */
const FACTOR_MAX = 10

/** @returns whether a change is one that somebody should look at: to or from nothing, or by more than ten times */
export function isDrastic({ part, from, to }: PartChange): boolean {
  if (part === 'perRequestUsd' && to === undefined) return true
  // Any other part that appears or goes away is not a price of nothing: the whole of it has one.
  if (from === undefined || to === undefined) return false
  if (from === 0 || to === 0) return from !== to
  return to > from * FACTOR_MAX || to * FACTOR_MAX < from
}
