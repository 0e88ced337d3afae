import { anthropicKind } from './anthropic/kind.ts'
import { compatibleKinds } from './compatible/kinds.ts'
import { googleKind } from './google/kind.ts'
import type { ProviderKind } from './provider-kind.ts'
import { simulatorKind } from './simulator-kind.ts'

/** Every kind of provider that a configuration can name. */
export const KINDS: ReadonlyMap<string, ProviderKind> = new Map(
  [...compatibleKinds, anthropicKind, googleKind, simulatorKind].map((kind) => [kind.name, kind]),
)
