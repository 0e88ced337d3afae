import { mergeUsage } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { Attempt, Exchange, Incoming } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { EmbeddingDialect } from '../providers/provider.ts'
import { endpointPath, type Provider } from '../providers/provider-set.ts'
import { readWhole } from '../providers/transport.ts'
import type { CallContext } from './call-context.ts'
import { forwardBody } from './forward-body.ts'
import { passedHeaders } from './reply-headers.ts'
import { isReply, parseJson, REPLY_BYTES_MAX, refusal, send, unusable } from './send.ts'

interface Wire {
  readonly path: string
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly body: Buffer | string
}

/** Vectors for texts, from a provider of either shape. */
export async function callEmbedding(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
): Promise<Reply> {
  const { incoming } = exchange
  const { model } = attempt
  const dialect = context.dialects.embeddingOf(provider)
  const path = endpointPath(provider, 'embedding', model)
  if (path === undefined) {
    throw new GatewayError('unsupported_feature', {
      message: `The provider \`${provider.name}\` has no embeddings.`,
      param: 'model',
    })
  }
  const native = canForward(incoming, dialect, model)
  const wire = native
    ? toNative(incoming, dialect, path, model)
    : translate(exchange, dialect, provider, model)
  const response = await send(context, attempt, provider, signal, {
    method: 'POST',
    contentType: 'application/json',
    accept: undefined,
    ...wire,
  })
  if (response.status >= 400)
    return refusal(context, attempt, response, { native, signal, read: dialect.fromError })
  const bytes = await readWhole(response, REPLY_BYTES_MAX, signal)
  const json = parseJson(bytes)
  if (!isReply(json))
    throw unusable('The provider answered something that is no reply.', { bytes: bytes.length })
  const embedding = () => dialect.fromReply(json, model, incoming.embedding().inputs.length)
  const translated = native ? undefined : embedding()
  // Vectors are no tokens: what a provider does not say of the output is none.
  attempt.usage = mergeUsage({ outputTokens: 0 }, dialect.usageOf(json))
  attempt.endedMs = context.clock.monotonicMs()
  await context.accountant.account(exchange, attempt)
  return {
    kind: 'embedding',
    status: response.status,
    headers: passedHeaders(response.headers),
    raw: native ? bytes : undefined,
    embedding: () => translated ?? embedding(),
  }
}

/** Gemini's batches name the model in each request, so they pass only under their own name. */
function canForward(incoming: Incoming, dialect: EmbeddingDialect, model: string): boolean {
  if (incoming.format !== dialect.format) return false
  return dialect.modelInBody || incoming.model === model
}

function toNative(incoming: Incoming, dialect: EmbeddingDialect, path: string, model: string): Wire {
  const single = dialect.format === 'gemini-embeddings' && incoming.json?.requests === undefined
  return {
    path: single ? path.replace(/:batchEmbedContents$/, ':embedContent') : path,
    headers: incoming.passHeaders,
    body: forwardBody(incoming, { model: dialect.modelInBody ? model : undefined, addStreamOptions: false }),
  }
}

function translate(exchange: Exchange, dialect: EmbeddingDialect, provider: Provider, model: string): Wire {
  const request = dialect.toRequest(exchange.incoming.embedding(), { model, traits: provider.traits(model) })
  exchange.warnings.push(...request.warnings)
  return {
    path: provider.basePath + request.path,
    headers: request.headers,
    body: JSON.stringify(request.body),
  }
}
