import type { ChatFormatName } from '../contract/chat.ts'
import type { Clock } from '../core/clock.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Dialect, EmbeddingDialect, TokenCountDialect } from '../providers/provider.ts'
import type { Provider } from '../providers/provider-set.ts'
import type { Accountant } from './ports.ts'

/** Which code reads and writes a provider's format. */
export interface Dialects {
  ofFormat(format: ChatFormatName): Dialect
  /** The dialect that translated calls to this model use. */
  ofProvider(provider: Provider, model: string): Dialect
  embeddingOf(provider: Provider): EmbeddingDialect
  /** `undefined` where the provider does not count tokens ahead. */
  tokenCountOf(provider: Provider): TokenCountDialect | undefined
}

/** What every call to a provider needs. */
export interface CallContext {
  readonly clock: Clock
  readonly providers: ReadonlyMap<string, Provider>
  readonly dialects: Dialects
  readonly accountant: Accountant
  readonly onAttempt: (exchange: Exchange, attempt: Attempt) => void
}
