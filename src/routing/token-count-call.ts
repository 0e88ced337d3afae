import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { endpointPath, type Provider } from '../providers/provider-set.ts'
import { readWhole } from '../providers/transport.ts'
import type { CallContext } from './call-context.ts'
import { forwardBody } from './forward-body.ts'
import { passedHeaders } from './reply-headers.ts'
import { parseJson, REPLY_BYTES_MAX, refusal, send } from './send.ts'

/**
 * How many tokens a request would have: asked of the provider where it counts, translated if need be, else counted
 * here, with a warning that says so. Providers count for nothing, so the attempt costs nothing.
 */
export async function callTokenCount(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
): Promise<Reply> {
  const { incoming } = exchange
  const { model } = attempt
  attempt.usage = { inputTokens: 0, outputTokens: 0 }
  const dialect = context.dialects.tokenCountOf(provider)
  const path = endpointPath(provider, 'token-count', model)
  if (path === undefined || dialect === undefined) {
    exchange.warnings.push({
      param: 'model',
      message: 'Estimated by the gateway: this provider does not count tokens ahead.',
    })
    const inputTokens = await context.accountant.countInput(incoming.chat(), model)
    attempt.endedMs = context.clock.monotonicMs()
    return { kind: 'token-count', status: 200, headers: {}, inputTokens }
  }
  const native = dialect.format === incoming.format
  const translated = native
    ? undefined
    : dialect.toRequest(incoming.translatable(), { model, traits: provider.traits(model) })
  const response = await send(context, attempt, provider, signal, {
    method: 'POST',
    path: translated === undefined ? path : provider.basePath + translated.path,
    headers: translated === undefined ? incoming.passHeaders : translated.headers,
    contentType: 'application/json',
    accept: undefined,
    body:
      translated === undefined
        ? forwardBody(incoming, {
            model: dialect.format === 'gemini' ? undefined : model,
            addStreamOptions: false,
          })
        : JSON.stringify(translated.body),
  })
  if (response.status >= 400)
    return refusal(context, attempt, response, { native, signal, read: dialect.fromError })
  const body = await readWhole(response, REPLY_BYTES_MAX, signal)
  attempt.endedMs = context.clock.monotonicMs()
  const { status } = response
  const headers = passedHeaders(response.headers)
  if (native) return { kind: 'forward', status, headers, body }
  return { kind: 'token-count', status, headers, inputTokens: dialect.fromReply(parseJson(body)) }
}
