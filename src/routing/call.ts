import { GatewayError } from '../core/errors.ts'
import { attemptId } from '../core/ids.ts'
import type { Attempt, Exchange, TargetName } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Call } from '../pipeline/run.ts'
import type { Provider } from '../providers/provider-set.ts'
import { failAttempt, newAttempt } from './attempt.ts'
import type { CallContext } from './call-context.ts'
import { callChat } from './chat-call.ts'
import { callEmbedding } from './embedding-call.ts'
import { callForward } from './forward-call.ts'
import { callTokenCount } from './token-count-call.ts'

/** Calls the target that the plan names, and books the try, whatever becomes of it. */
export function createCall(context: CallContext): Call {
  return async (exchange) => {
    const target = exchange.plan?.targets[0]
    if (target === undefined) throw new Error('The route stage left no target.')
    const provider = context.providers.get(target.provider)
    if (provider === undefined)
      throw new Error(`The plan names a provider that is not there: ${target.provider}`)
    // Whoever left, or ran out of time, on the way here gets nothing sent for it, `drain` or not.
    exchange.signal.throwIfAborted()
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
    attemptId(exchange.id, exchange.attempts.length + 1),
    exchange.attempts.length + 1,
    target,
    accountant.priceOf(target.provider, target.model, exchange.caller?.organizationId),
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
  switch (exchange.incoming.operation) {
    case 'chat':
    case 'completion':
      return callChat(context, exchange, attempt, provider, signal)
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
