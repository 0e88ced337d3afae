import type { ChatFormatName } from '../contract/chat.ts'
import type { Clock } from '../core/clock.ts'
import type { Attempt, Exchange, TargetName } from '../pipeline/exchange.ts'
import type { Dialect, EmbeddingDialect, TokenCountDialect } from '../providers/provider.ts'
import type { Provider } from '../providers/provider-set.ts'
import type { Accountant, Breakers } from './ports.ts'
import type { ProviderGate } from './provider-gate.ts'
import type { RetryBudget } from './retry-budget.ts'

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
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Left out: every target is always called. */
  readonly breakers?: Breakers | undefined
  /** Bounds on the calls under way, of the providers that have one. */
  readonly gates?: ReadonlyMap<string, ProviderGate> | undefined
  /** Has to be called when the exchange is over, at the latest. */
  readonly onLeave: (exchange: Exchange, leave: () => void) => void
  /** Of the further tries of all calls together; left out: no bound but that of each call. */
  readonly retries?: RetryBudget | undefined
  /**
   * Makes what a call holds enough for another target as well.
   *
   * @throws GatewayError the code of the limit or budget in the way
   */
  readonly cover?: ((exchange: Exchange, target: TargetName) => Promise<void> | undefined) | undefined
}
