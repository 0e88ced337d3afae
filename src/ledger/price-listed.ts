import { createHash } from 'node:crypto'
import { type ListPrice, ratesOfList } from './price-rates.ts'
import { picoOf, unitRatesOfList } from './price-units.ts'
import type { ResolvedPrice } from './resolved-price.ts'

/**
 * @param version what the ledger is to say of it
 * @returns a price as people wrote it, ready to charge by
 * @throws RangeError where a part of it is negative or no number
 */
export function priceOfList(version: string, list: ListPrice, known = true): ResolvedPrice {
  return {
    version,
    known,
    rates: ratesOfList(list),
    tiers: [],
    requestPico: picoOf(list.perRequestUsd ?? 0),
    units: unitRatesOfList(list),
  }
}

/** @returns the same for prices that say the same, in whatever order they say it: `override:0123456789abcdef` */
export function versionOfList(source: 'override' | 'ceiling' | 'list', list: ListPrice): string {
  const written = Object.entries(list).filter(([, value]) => value !== undefined)
  const text = JSON.stringify(written.sort(([a], [b]) => (a < b ? -1 : 1)))
  return `${source}:${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}
