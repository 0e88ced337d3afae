import { GatewayError } from '../core/errors.ts'
import { attemptId } from '../core/ids.ts'
import type { Attempt, Exchange, Plan, TargetName } from '../pipeline/exchange.ts'
import type { ChatStream, Reply } from '../pipeline/reply.ts'
import type { Provider } from '../providers/provider-set.ts'
import { failAttempt, newAttempt } from './attempt.ts'
import { begun } from './begun-stream.ts'
import type { CallContext } from './call-context.ts'
import { callChat } from './chat-call.ts'
import { callEmbedding } from './embedding-call.ts'
import { type Fault, faultOf } from './fault.ts'
import { callForward } from './forward-call.ts'
import { callTokenCount } from './token-count-call.ts'
import { whole } from './whole-stream.ts'

/** What became of one try. */
export type Tried = { readonly reply: Reply; readonly attempt: Attempt } | Failed

export interface Failed {
  readonly reply: undefined
  readonly attempt: Attempt
  readonly error: GatewayError
  readonly fault: Fault
  /** The provider's own refusal in the caller's format, to be passed on where nobody else answers. */
  readonly refusal: Reply | undefined
}

/**
 * Tries one target, and books the try, whatever becomes of it. A stream has begun when it is returned: its first
 * content is there.
 *
 * @param signal of this try alone
 * @throws what is no failure of the target: a price that is unknown, a defect of ours
 */
export async function tryTarget(
  context: CallContext,
  exchange: Exchange,
  target: TargetName,
  signal: AbortSignal,
): Promise<Tried> {
  const provider = context.providers.get(target.provider)
  if (provider === undefined)
    throw new Error(`The plan names a provider that is not there: ${target.provider}`)
  const attempt = beginAttempt(context, exchange, target)
  const { breakers, clock } = context
  let leave: (() => void) | undefined
  try {
    const entered = context.gates?.get(target.provider)?.enter(signal)
    leave = entered instanceof Promise ? await entered : entered
    if (leave !== undefined) context.onLeave(exchange, leave)
    const reply = await callOperation(context, exchange, attempt, provider, signal)
    const answer = reply.kind === 'stream' ? await ready(reply, exchange.plan) : reply
    if (answer.status >= 400) return await failed(refusalOf(attempt, answer.status), answer)
    breakers?.note(target, undefined, { durationMs: clock.monotonicMs() - attempt.startedMs })
    return { reply: answer, attempt }
  } catch (thrown) {
    return failed(failAttempt(attempt, thrown, clock.monotonicMs()), undefined)
  }

  async function failed(error: GatewayError, refusal: Reply | undefined): Promise<Failed> {
    leave?.()
    // It may have been worked on: what is left for other targets is what it did not cost.
    await context.accountant.account(exchange, attempt)
    const fault = faultOf(error, attempt.status, false)
    // A call that tries again says once that a target fails, however often it tries.
    const isRepeated = fault !== 'rate-limited' && hasFailedBefore(exchange, attempt)
    breakers?.note(target, isRepeated ? 'ours' : fault, {
      durationMs: clock.monotonicMs() - attempt.startedMs,
      retryAfterMs: error.retryAfterSeconds === undefined ? undefined : error.retryAfterSeconds * 1000,
    })
    return { reply: undefined, attempt, error, fault, refusal }
  }
}

function hasFailedBefore({ attempts }: Exchange, { number, provider, model }: Attempt): boolean {
  return attempts.some(
    (other) =>
      other.number < number &&
      other.provider === provider &&
      other.model === model &&
      other.errorCode !== undefined,
  )
}

/** A stream that is to be held back has to be complete, any other has to have begun. */
function ready(reply: ChatStream, plan: Plan | undefined): Promise<ChatStream> {
  return plan?.policy?.afterFirstToken === 'buffer' ? whole(reply) : begun(reply)
}

/** The provider's own error went through: what it means. */
function refusalOf({ errorCode, errorMessage, provider }: Attempt, status: number): GatewayError {
  return new GatewayError(errorCode ?? 'upstream_rejected', {
    message: errorMessage ?? 'The provider refused the request.',
    detail: { provider, status },
  })
}

function beginAttempt(context: CallContext, exchange: Exchange, target: TargetName): Attempt {
  const { clock, accountant } = context
  const number = exchange.attempts.length + 1
  const attempt = newAttempt(
    attemptId(exchange.id, number),
    number,
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
  given: AbortSignal,
): Promise<Reply> {
  const signal = provider.settings.onCancel === 'drain' ? withoutLeaving(given) : given
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
