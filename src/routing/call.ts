import type { ChatFormatName } from '../contract/chat.ts'
import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { uuidV7 } from '../core/ids.ts'
import type { Attempt, Exchange, TargetName } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Call } from '../pipeline/run.ts'
import type { Dialect, EmbeddingDialect, TokenCountDialect } from '../providers/provider.ts'
import type { Provider } from '../providers/provider-set.ts'
import { failAttempt, newAttempt } from './attempt.ts'
import { callChat } from './chat-call.ts'
import { callEmbedding } from './embedding-call.ts'
import { callForward } from './forward-call.ts'
import type { Accountant } from './ports.ts'
import { callTokenCount } from './token-count-call.ts'

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

/** Calls the target that the plan names, and books the try, whatever becomes of it. */
export function createCall(context: CallContext): Call {
  return async (exchange) => {
    const target = exchange.plan?.targets[0]
    if (target === undefined) throw new Error('The route stage left no target.')
    const provider = context.providers.get(target.provider)
    if (provider === undefined)
      throw new Error(`The plan names a provider that is not there: ${target.provider}`)
    const attempt = beginAttempt(context, exchange, target)
    try {
      return await callOperation(context, exchange, attempt, provider)
    } catch (error) {
      throw failAttempt(attempt, error, context.clock.monotonicMs())
    }
  }
}

function beginAttempt(context: CallContext, exchange: Exchange, target: TargetName): Attempt {
  const { clock, accountant } = context
  const attempt = newAttempt(
    uuidV7(clock.now()),
    exchange.attempts.length + 1,
    target,
    accountant.priceOf(target.provider, target.model),
    clock.monotonicMs(),
  )
  exchange.attempts.push(attempt)
  context.onAttempt(exchange, attempt)
  return attempt
}

function callOperation(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  provider: Provider,
): Promise<Reply> {
  const signal = provider.settings.onCancel === 'drain' ? withoutLeaving(exchange.signal) : exchange.signal
  const { operation, format } = exchange.incoming
  switch (operation) {
    case 'chat':
      return callChat(context, exchange, attempt, provider, signal)
    case 'completion':
      return provider.kind.endpoints.completion !== undefined && format === 'completions'
        ? callForward(context, exchange, attempt, provider, signal)
        : callChat(context, exchange, attempt, provider, signal)
    case 'embedding':
      return callEmbedding(context, exchange, attempt, provider, signal)
    case 'token-count':
      return callTokenCount(context, exchange, attempt, provider, signal)
    default:
      return callForward(context, exchange, attempt, provider, signal)
  }
}

/** @returns a signal that ends a call for every reason but the caller's leaving */
function withoutLeaving(signal: AbortSignal): AbortSignal {
  const controller = new AbortController()
  signal.addEventListener('abort', () => {
    const left = signal.reason instanceof GatewayError && signal.reason.code === 'client_closed'
    if (!left) controller.abort(signal.reason)
  })
  return controller.signal
}
