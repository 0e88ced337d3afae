import { GatewayError } from '../core/errors.ts'
import { scanTopLevel } from '../core/json-splice.ts'
import type { Attempt, Exchange, Incoming } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { endpointPath, type Provider } from '../providers/provider-set.ts'
import { readWhole, toUpstreamError, type UpstreamResponse } from '../providers/transport.ts'
import { noteText } from './attempt.ts'
import type { CallContext } from './call-context.ts'
import { forwardBody } from './forward-body.ts'
import { relayEvents } from './forward-stream.ts'
import { countUnits } from './forward-units.ts'
import { NO_TOKENS, reportedUsage } from './forward-usage.ts'
import { formField, parseForm, replaceFormField } from './multipart.ts'
import { passedHeaders } from './reply-headers.ts'
import { isReply, parseJson, REPLY_BYTES_MAX, refusal, send, unusable } from './send.ts'

/**
 * Operations that are passed on as they are to a provider that has them: images, audio, moderations, rerank, files,
 * batches. Metered by the usage in their reply; where there is none, by our own count.
 */
export async function callForward(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
): Promise<Reply> {
  const { incoming } = exchange
  const response = await sendForward(context, incoming, attempt, provider, signal)
  if (response.status >= 400) {
    const { fromError } = context.dialects.ofFormat('chat')
    return refusal(context, attempt, response, { native: true, signal, read: fromError })
  }
  const { status } = response
  const headers = passedHeaders(response.headers)
  const type = headers['content-type'] ?? ''
  if (type.startsWith('application/json') && incoming.forward?.resource?.action !== 'content') {
    const body = await readWhole(response, REPLY_BYTES_MAX, signal)
    attempt.endedMs = context.clock.monotonicMs()
    noteReply(incoming, attempt, body)
    await context.accountant.account(exchange, attempt)
    return { kind: 'forward', status, headers, body }
  }
  if (type.startsWith('text/event-stream')) {
    return {
      kind: 'forward',
      status,
      headers,
      body: meteredEvents(context, incoming, attempt, response, signal),
    }
  }
  // Nothing more will be said about what it used: it is priced before it is sent, so that a header can say so.
  noteOwnCount(incoming, attempt, undefined)
  await context.accountant.account(exchange, attempt)
  const disposition = response.headers['content-disposition']
  if (typeof disposition === 'string') headers['content-disposition'] = disposition
  return { kind: 'forward', status, headers, body: passBytes(context, attempt, response, signal) }
}

async function sendForward(
  context: CallContext,
  incoming: Incoming,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
): Promise<UpstreamResponse> {
  const { forward } = incoming
  try {
    return await send(context, attempt, provider, signal, {
      method: forward?.method ?? 'POST',
      path: pathOf(incoming, attempt, provider),
      headers: incoming.passHeaders,
      contentType: contentTypeOf(incoming),
      accept: incoming.stream ? 'text/event-stream' : undefined,
      body: bodyOf(incoming, attempt.model),
    })
  } catch (error) {
    // It may have been worked on, though no answer came.
    if (attempt.dispatched) noteOwnCount(incoming, attempt, undefined)
    throw error
  }
}

/** @throws GatewayError `unsupported_feature` where the provider does not have the operation in OpenAI's shape */
function pathOf({ operation, forward }: Incoming, { model }: Attempt, provider: Provider): string {
  const endpoint =
    provider.kind.dialect === 'compatible' ? endpointPath(provider, operation, model) : undefined
  if (endpoint === undefined) {
    throw new GatewayError('unsupported_feature', {
      message: `The provider \`${provider.name}\` does not offer this operation (${operation}).`,
      param: 'model',
    })
  }
  const { sibling, path = '' } = forward ?? {}
  const base = sibling === undefined ? endpoint : endpoint.slice(0, endpoint.lastIndexOf('/') + 1) + sibling
  return base + path
}

function contentTypeOf({ forward }: Incoming): string | undefined {
  if (forward === undefined || forward.body === 'json') return 'application/json'
  return forward.contentType
}

/** The caller's bytes, with the provider's own name of the model. */
function bodyOf(incoming: Incoming, model: string): Buffer | undefined {
  const { body, json, forward } = incoming
  if (json !== undefined) {
    const named = forwardBody(incoming, {
      model: incoming.model === '' ? undefined : model,
      addStreamOptions: false,
    })
    // What we count and check must be what the provider reads: a name that stands twice is read both ways.
    return named === body && scanTopLevel(named).duplicates ? Buffer.from(JSON.stringify(json)) : named
  }
  if (body === undefined || forward?.body !== 'form') return undefined
  const { contentType } = forward
  if (contentType === undefined || incoming.model === '') return body
  const parts = parseForm(body, contentType)
  return formField(body, parts, 'model') === model ? body : replaceFormField(body, parts, 'model', model)
}

function noteReply(incoming: Incoming, attempt: Attempt, body: Buffer): void {
  const json = parseJson(body)
  if (!isReply(json))
    throw unusable('The provider answered something that is no reply.', { bytes: body.length })
  const { usage, units } = reportedUsage(json, incoming.operation)
  // The usage of a batch is that of its work, which is booked apart.
  if (usage.inputTokens !== undefined && incoming.forward?.resource === undefined) {
    attempt.usage = usage
    // Beside what the provider said: a price may be by the picture where tokens are reported.
    attempt.units = { ...countUnits(incoming, json), ...units }
    return
  }
  if (typeof json.text === 'string') attempt.outputText = json.text
  noteOwnCount(incoming, attempt, json)
}

/** Where the provider says nothing; the accountant then counts what is text. */
function noteOwnCount(incoming: Incoming, attempt: Attempt, reply: unknown): void {
  if (incoming.forward?.resource !== undefined) {
    attempt.usage = NO_TOKENS
    return
  }
  attempt.units = countUnits(incoming, reply)
}

async function* passBytes(
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

function meteredEvents(
  context: CallContext,
  incoming: Incoming,
  attempt: Attempt,
  response: UpstreamResponse,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  return relayEvents({
    body: response.body,
    operation: incoming.operation,
    onText(text) {
      attempt.firstTokenMs ??= context.clock.monotonicMs()
      noteText(attempt, text)
    },
    onUsage(usage) {
      attempt.usage = usage
    },
    toError: (error) => toUpstreamError(error, signal),
    onEnd(error) {
      attempt.endedMs = context.clock.monotonicMs()
      noteOwnCount(incoming, attempt, undefined)
      if (error === undefined) return
      attempt.errorCode = error.code
      attempt.errorMessage = error.message
    },
  })
}
