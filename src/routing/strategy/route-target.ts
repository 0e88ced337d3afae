import type { Operation } from '../../contract/operation.ts'
import type { CapabilitySet } from './capabilities.ts'
import type { Tier } from './route-settings.ts'

/** A target as the configuration in force knows it. */
export interface CompiledTarget {
  /** In the route as configured, from 0. */
  readonly place: number
  readonly provider: string
  readonly model: string
  /** As `targetKey` names it. */
  readonly key: string
  readonly weight: number
  readonly tier: Tier
  readonly contextTokens: number | undefined
  readonly lacks: CapabilitySet
  readonly offers: (operation: Operation) => boolean
}
