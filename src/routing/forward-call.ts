import { GatewayError } from '../core/errors.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { endpointPath, type Provider } from '../providers/provider-set.ts'
import { readWhole, toUpstreamError, type UpstreamResponse } from '../providers/transport.ts'
import type { CallContext } from './call.ts'
import { forwardBody } from './forward-body.ts'
import { passedHeaders } from './reply-headers.ts'
import { parseJson, REPLY_BYTES_MAX, refusal, send } from './send.ts'

/**
 * Operations that are passed on as they are to a provider that has them: images, speech, transcriptions,
 * moderations, rerank, legacy completions. Metered by the usage in their reply, where there is one.
 */
export async function callForward(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
): Promise<Reply> {
  const { incoming } = exchange
  const base = endpointPath(provider, incoming.operation, attempt.model)
  if (base === undefined) {
    throw new GatewayError('unsupported_feature', {
      message: `The provider \`${provider.name}\` does not offer this operation (${incoming.operation}).`,
      param: 'model',
    })
  }
  const compatible = context.dialects.ofFormat('chat')
  const response = await send(context, attempt, provider, signal, {
    method: incoming.forward?.method ?? 'POST',
    path: base + (incoming.forward?.path ?? ''),
    headers: incoming.passHeaders,
    contentType: incoming.forward?.contentType ?? 'application/json',
    accept: incoming.stream ? 'text/event-stream' : undefined,
    body:
      incoming.json === undefined
        ? incoming.body
        : forwardBody(incoming, {
            model: attempt.model,
            addStreamOptions: incoming.stream && incoming.operation === 'completion',
          }),
  })
  if (response.status >= 400) {
    return refusal(context, attempt, response, {
      native: true,
      signal,
      read: (status, body) => compatible.fromError(status, body),
    })
  }
  const type = response.headers['content-type']
  const isJson = typeof type === 'string' && type.startsWith('application/json')
  if (!isJson) {
    return {
      kind: 'forward',
      status: response.status,
      headers: passedHeaders(response.headers),
      body: metered(context, attempt, response, signal),
    }
  }
  const bytes = await readWhole(response, REPLY_BYTES_MAX, signal)
  attempt.endedMs = context.clock.monotonicMs()
  attempt.usage = compatible.usageOf(parseJson(bytes))
  await context.accountant.account(exchange, attempt)
  return { kind: 'forward', status: response.status, headers: passedHeaders(response.headers), body: bytes }
}

/** Passes a binary or streamed reply on, looking at streamed events only for the usage they report. */
async function* metered(
  context: CallContext,
  attempt: Attempt,
  response: UpstreamResponse,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.body) {
      attempt.firstTokenMs ??= context.clock.monotonicMs()
      yield chunk
    }
  } catch (error) {
    throw toUpstreamError(error, signal)
  } finally {
    attempt.endedMs = context.clock.monotonicMs()
  }
}
