import type { Rates, RateTier } from './price-rates.ts'
import type { UnitRates } from './price-units.ts'

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
