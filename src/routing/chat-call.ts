import type { ChatFormatName, ChatReply, ChatRequest } from '../contract/chat.ts'
import type { Warning } from '../contract/warning.ts'
import type { Attempt, Exchange, Incoming } from '../pipeline/exchange.ts'
import type { ChatStream, Reply } from '../pipeline/reply.ts'
import type { Dialect } from '../providers/provider.ts'
import { endpointPath, type Provider } from '../providers/provider-set.ts'
import { readWhole, toUpstreamError, type UpstreamResponse } from '../providers/transport.ts'
import { noteEvent } from './attempt.ts'
import type { CallContext } from './call-context.ts'
import { asksForUsage, completionDialect, toCompletionFrames } from './completion-dialect.ts'
import { decodeStream } from './decode-stream.ts'
import { forwardBody } from './forward-body.ts'
import { outputCapField } from './output-cap.ts'
import { passedHeaders } from './reply-headers.ts'
import { isReply, parseJson, REPLY_BYTES_MAX, refusal, send, unusable } from './send.ts'

/** The request as one provider gets it, and how its reply is read. */
interface Wire {
  readonly path: string
  readonly body: Buffer | string
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly dialect: Dialect
  /** Of the bytes that the provider answers. */
  readonly format: ChatStream['format']
  /** The caller speaks the provider's format: bytes are passed on. */
  readonly native: boolean
}

/** One conversation with one provider, streamed or whole, forwarded where both speak the same format. */
export async function callChat(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
): Promise<Reply> {
  const { incoming } = exchange
  const wire = toWire(context, exchange, provider, attempt.model)
  const response = await send(context, attempt, provider, signal, {
    method: 'POST',
    path: wire.path,
    headers: wire.headers,
    contentType: 'application/json',
    accept: incoming.stream ? 'text/event-stream' : undefined,
    body: wire.body,
  })
  if (response.status >= 400) {
    const { native, dialect } = wire
    return refusal(context, attempt, response, {
      native,
      signal,
      read: (status, body) => dialect.fromError(status, body),
    })
  }
  return incoming.stream
    ? streamOf(context, exchange, attempt, provider, response, wire, signal)
    : answerOf(context, exchange, attempt, response, wire, signal)
}

function toWire(context: CallContext, exchange: Exchange, provider: Provider, model: string): Wire {
  const { incoming } = exchange
  const traits = provider.traits(model)
  const cap = exchange.allowance?.outputTokensMax
  const set =
    cap === undefined ? undefined : outputCapField(incoming.format, incoming.json ?? {}, cap, traits)
  if (cap !== undefined) exchange.warnings.push(lowered(cap))
  if (
    incoming.forwardable &&
    isChatFormat(incoming.format) &&
    provider.kind.formats.includes(incoming.format)
  ) {
    const path = endpointPath(provider, incoming.format, model)
    if (path !== undefined) {
      const inBody = incoming.format !== 'gemini'
      return {
        path: nativePath(path, incoming.format, incoming.stream),
        body: forwardBody(incoming, {
          model: inBody ? model : undefined,
          addStreamOptions: incoming.format === 'chat' && incoming.stream && traits.streamOptions !== false,
          set,
        }),
        headers: incoming.passHeaders,
        dialect: context.dialects.ofFormat(incoming.format),
        format: incoming.format,
        native: true,
      }
    }
  }
  if (incoming.format === 'completions') {
    const path = endpointPath(provider, 'completion', model)
    if (path !== undefined) {
      const addStreamOptions = incoming.stream && traits.streamOptions !== false
      return {
        path,
        body: forwardBody(incoming, { model, addStreamOptions, set }),
        headers: incoming.passHeaders,
        dialect: completionDialect(context.dialects.ofFormat('chat')),
        format: 'completions',
        native: true,
      }
    }
  }
  const dialect = context.dialects.ofProvider(provider, model)
  const asked = requestFor(incoming, dialect)
  const request = dialect.toRequest(cap === undefined ? asked : { ...asked, outputTokensMax: cap }, {
    model,
    traits,
  })
  exchange.warnings.push(...request.warnings)
  return {
    path: provider.basePath + request.path,
    body: JSON.stringify(request.body),
    headers: withAlong(request.headers, incoming.passHeaders),
    dialect,
    format: dialect.format,
    native: false,
  }
}

function lowered(cap: number): Warning {
  return {
    param: 'max_tokens',
    message: `Lowered to ${cap}: what is left of a budget pays for no more.`,
  }
}

/** A request that is only rewritten for its own format may hold anything; one that is translated may not. */
function requestFor(incoming: Incoming, dialect: Dialect): ChatRequest {
  return incoming.format === dialect.format ? incoming.chat() : incoming.translatable()
}

// Headers that belong to no format go along when the others do not: what steers the simulator, and the trace.
const ALONG = ['x-sim', 'traceparent', 'tracestate']

function withAlong(
  headers: Readonly<Record<string, string>> | undefined,
  passed: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> | undefined {
  let all = headers
  for (const name of ALONG) {
    const value = passed[name]
    if (value !== undefined) all = { ...all, [name]: value }
  }
  return all
}

function isChatFormat(format: string): format is ChatFormatName {
  return format === 'chat' || format === 'responses' || format === 'messages' || format === 'gemini'
}

/** Gemini streams under another method name; the others by a field of the body. */
function nativePath(path: string, format: ChatFormatName, stream: boolean): string {
  if (format !== 'gemini' || !stream) return path
  return path.replace(/:generateContent$/, ':streamGenerateContent?alt=sse')
}

async function answerOf(
  context: CallContext,
  exchange: Exchange,
  attempt: Attempt,
  response: UpstreamResponse,
  wire: Wire,
  signal: AbortSignal,
): Promise<Reply> {
  const bytes = await readWhole(response, REPLY_BYTES_MAX, signal)
  const json = parseJson(bytes)
  const { dialect, native } = wire
  if (!isReply(json))
    throw unusable('The provider answered something that is no reply.', { bytes: bytes.length })
  attempt.usage = dialect.usageOf(json)
  let reply: ChatReply | undefined
  const chat = () => (reply ??= dialect.fromReply(json))
  // A translated reply is read now, so that a broken one is this attempt's failure and not the edge's.
  if (!native) chat()
  if (attempt.usage.inputTokens === undefined || attempt.usage.outputTokens === undefined) {
    attempt.outputText = native ? textOfNative(chat, bytes) : textOf(chat())
  }
  attempt.endedMs = context.clock.monotonicMs()
  attempt.firstTokenMs = attempt.endedMs
  await context.accountant.account(exchange, attempt)
  return {
    kind: 'chat',
    status: response.status,
    headers: passedHeaders(response.headers),
    raw: native ? bytes : undefined,
    chat,
  }
}

function streamOf(
  context: CallContext,
  { incoming }: Exchange,
  attempt: Attempt,
  provider: Provider,
  response: UpstreamResponse,
  wire: Wire,
  signal: AbortSignal,
): Reply {
  const now = () => context.clock.monotonicMs()
  const headers = passedHeaders(response.headers)
  const type = headers['content-type'] ?? ''
  if (!type.startsWith('text/event-stream')) {
    response.body.destroy()
    throw unusable('The provider was asked for a stream and answered something else.', { contentType: type })
  }
  const events = decodeStream({
    body: response.body,
    dialect: wire.dialect,
    keepRaw: wire.native,
    onEvent: (event) => noteEvent(attempt, event, now),
    toError: (error) => toUpstreamError(error, signal),
    onEnd(error) {
      attempt.endedMs = now()
      if (error !== undefined) {
        attempt.errorCode = error.code
        attempt.errorMessage ??= error.message
      }
    },
  })
  return {
    kind: 'stream',
    status: response.status,
    headers,
    format: wire.format,
    onCancel: provider.settings.onCancel,
    events: wire.format === 'completions' ? toCompletionFrames(events, asksForUsage(incoming.json)) : events,
  }
}

/** A reply that is passed on may be more than we can read; for counting, its bytes are text enough. */
function textOfNative(chat: () => ChatReply, bytes: Buffer): string {
  try {
    return textOf(chat())
  } catch {
    return bytes.toString('utf8')
  }
}

/** @returns everything the model wrote, for counting */
function textOf(reply: ChatReply): string {
  let text = ''
  for (const choice of reply.choices) {
    for (const part of choice.content) {
      if (part.type === 'text' || part.type === 'reasoning' || part.type === 'refusal') text += part.text
      else if (part.type === 'tool-call') text += part.name + part.arguments
    }
  }
  return text
}
