import type { Override } from './override.ts'
import type { Problem } from './problem.ts'

export type Environment = Readonly<Record<string, string | undefined>>

/** What the environment says about the configuration. */
export interface EnvironmentReading {
  readonly overrides: readonly Override[]
  readonly warnings: readonly Problem[]
}
