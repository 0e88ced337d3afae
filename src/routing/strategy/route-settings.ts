import type { Capability } from './capabilities.ts'

/** How the first target of a call is chosen. */
export type StrategyName = 'weighted' | 'priority' | 'cheapest' | 'fastest' | 'least-busy' | 'complexity'

/** How hard a call a target is good enough for, in rising order. */
export const TIERS = ['small', 'medium', 'large'] as const
export type Tier = (typeof TIERS)[number]

/** One target of a route, as people write it. */
export interface TargetSettings {
  readonly provider: string
  readonly model: string
  /** Share of the calls; 0 = a fallback and nothing else. */
  readonly weight: number
  readonly tier?: Tier | undefined
  /** Tokens of input and output together; `undefined` = what the catalogue knows. */
  readonly contextTokens?: number | undefined
  /** What it cannot do, beside what is known of its provider. */
  readonly lacks?: readonly Capability[] | undefined
}

/** A name that calls may use, and where it leads: of the configuration, or of one organization. */
export interface RouteSettings {
  /** For people. */
  readonly description?: string | undefined
  /** How freely it may be answered from the cache; nothing of this is read here. */
  readonly cache?: unknown
  readonly targets: readonly TargetSettings[]
  readonly strategy: StrategyName
  /** `undefined` = as the strategy has it. */
  readonly affinity?: 'session' | 'off' | undefined
  readonly fallback: boolean
  readonly afterFirstToken: 'error' | 'continue' | 'buffer'
  readonly retries: number
  readonly hedgeAfterMs?: number | undefined
  readonly timeouts?:
    | {
        readonly firstByteMs?: number | undefined
        readonly firstTokenMs?: number | undefined
        readonly idleMs?: number | undefined
        readonly totalMs?: number | undefined
      }
    | undefined
  readonly shadow?: { readonly provider: string; readonly model: string; readonly share: number } | undefined
}
