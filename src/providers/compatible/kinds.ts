import type { CompatibleKind } from './compatible-kind.ts'
import { HOST_KINDS } from './host-kinds.ts'
import { LOCAL_KINDS } from './local-kinds.ts'
import { MAKER_KINDS } from './maker-kinds.ts'

/** Every OpenAI-shaped provider that a configuration can name; see docs/providers.md. */
export const compatibleKinds: readonly CompatibleKind[] = [...MAKER_KINDS, ...HOST_KINDS, ...LOCAL_KINDS]
