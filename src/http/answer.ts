import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ChatRequest } from '../contract/chat.ts'
import type { RequestContext, StreamEncoder } from '../contract/format.ts'
import type { Operation } from '../contract/operation.ts'
import { GatewayError, toGatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Exchange, Incoming } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Running } from '../pipeline/run.ts'
import { type ErrorFamily, toErrorReply } from './error-reply.ts'
import { chatFormatOf, embeddingFormatOf, streamStyleOf, toTokenCountBody } from './formats.ts'
import type { Heartbeats, Pulse } from './heartbeat.ts'
import { type RouteFacts, readIncoming } from './read-incoming.ts'
import { toResponseHeaders } from './response-headers.ts'
import { drained, sendStream } from './send-stream.ts'

/** One request of the data plane, as the edge has it. */
export interface Visit {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly ip: string
  readonly body: Buffer | undefined
  readonly facts: RouteFacts
  readonly family: ErrorFamily
  /** Gemini's other stream: one JSON array instead of events. */
  readonly arrayStream: boolean
}

/** Answers one request, whatever happens; never throws. */
export type Answerer = (visit: Visit) => Promise<void>

// Above it, copying the body costs more than a second write.
const ONE_WRITE_BYTES_MAX = 64 * 1024

const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx would hold events back otherwise.
  'x-accel-buffering': 'no',
}

export function createAnswerer(gateway: Gateway, heartbeats: Heartbeats): Answerer {
  const { clock } = gateway

  return async (visit) => {
    const { response, facts } = visit
    const id = gateway.newRequestId()
    const context: RequestContext = {
      requestId: id,
      nowSeconds: Math.floor(clock.now() / 1000),
      pathModel: facts.model,
      pathStream: facts.stream,
    }
    const incoming = readIncoming(visit.request.headers, visit.ip, visit.body, facts, context)
    const controller = new AbortController()
    const leave = () => {
      if (!response.writableFinished) controller.abort(callerLeft())
    }
    response.on('close', leave)
    // A connection that broke is heard as `close`; nobody else may have to hear of it.
    response.on('error', () => undefined)
    if (response.destroyed) leave()
    const exchange = gateway.newExchange(id, incoming, controller.signal)
    const stopTimer = startTimer(incoming.hints.timeoutMs, controller)
    const stream =
      incoming.stream && isConversation(incoming.operation) ? openStream(visit, exchange, context) : undefined

    let running: Running | undefined
    try {
      running = await gateway.run(exchange)
      const failure = await sendReply(visit, exchange, running.reply, stream)
      if (failure !== undefined) gateway.logError(exchange, failure)
      await running.end(endOf(failure), failure)
    } catch (thrown) {
      const error = toGatewayError(thrown)
      gateway.logError(exchange, error)
      try {
        // A reply that has begun cannot become another: a stream says so in an event, a body breaks off.
        if (stream?.begun) stream.fail(error)
        else if (!response.headersSent) sendError(visit, id, error)
        else response.destroy()
      } catch (defect) {
        gateway.logError(exchange, toGatewayError(defect))
        response.destroy()
      } finally {
        await running?.end(endOf(error), error)
      }
    } finally {
      stopTimer()
      stream?.close()
    }
  }

  function sendReply(
    visit: Visit,
    exchange: Exchange,
    reply: Reply,
    stream: ReturnType<typeof openStream> | undefined,
  ): Promise<GatewayError | undefined> {
    if (reply.kind === 'stream' && stream !== undefined) return stream.send(reply)
    // A sign of life has gone out already, so the provider's refusal has to be an event.
    if (stream?.begun) throw refusedBy(exchange, reply.status)
    stream?.close()
    return sendWhole(visit, exchange, reply)
  }

  function openStream(visit: Visit, exchange: Exchange, context: RequestContext) {
    const { response, arrayStream } = visit
    const { incoming } = exchange
    const style = streamStyleOf(chatFormatOf(incoming.format), visit.request.headers, arrayStream)
    let begun = false
    let encoder: StreamEncoder | undefined
    const encoderOf = () => (encoder ??= style.createEncoder(askedFor(incoming), context))
    const pulse: Pulse = heartbeats.start(() => {
      if (response.destroyed || response.writableEnded || response.writableNeedDrain) return
      writeHead({})
      response.write(style.heartbeat)
    })

    function writeHead(headers: Record<string, string>): void {
      if (begun) return
      begun = true
      response.writeHead(200, {
        'x-request-id': exchange.id,
        ...headers,
        ...SSE_HEADERS,
        ...(arrayStream ? { 'content-type': 'application/json; charset=utf-8' } : {}),
      })
    }

    return {
      get begun() {
        return begun
      },
      async send(reply: Extract<Reply, { kind: 'stream' }>): Promise<GatewayError | undefined> {
        return sendStream({
          reply,
          response,
          writeHead: () => writeHead(toResponseHeaders(exchange, reply, clock.monotonicMs())),
          native: reply.format === incoming.format && !arrayStream,
          encoder: encoderOf,
          hideUsage: incoming.format === 'chat' && !asksForUsage(incoming.json),
          pulse,
          signal: exchange.signal,
        })
      },
      /** Ends a stream that has begun with an error event of its format. */
      fail(error: GatewayError): void {
        if (response.destroyed) return
        const { code, message } = error
        response.end(encoderOf().encode({ type: 'error', error: { code, type: error.spec.type, message } }))
      },
      close: () => pulse.stop(),
    }
  }

  async function sendWhole(
    visit: Visit,
    exchange: Exchange,
    reply: Reply,
  ): Promise<GatewayError | undefined> {
    const { response } = visit
    const body = toBody(exchange, reply)
    const headers = toResponseHeaders(exchange, reply, clock.monotonicMs())
    if (typeof body === 'string' || body instanceof Uint8Array) {
      if (response.destroyed) return callerLeft()
      headers['content-type'] ??= 'application/json'
      headers['content-length'] = String(Buffer.byteLength(body))
      response.writeHead(reply.status, headers)
      endWith(response, body)
    } else {
      // Begun in any case, because only a body that was begun can be let go of.
      for await (const chunk of body) {
        if (response.destroyed) return callerLeft()
        if (!response.headersSent) response.writeHead(reply.status, headers)
        if (!response.write(chunk)) await drained(response, exchange.signal)
      }
      if (response.destroyed) return callerLeft()
      if (!response.headersSent) response.writeHead(reply.status, headers)
      response.end()
    }
    return reply.status < 400 ? undefined : refusedBy(exchange, reply.status)
  }
}

/** Head and body as one text leave in one write. Latin-1 keeps every byte as it is. */
function endWith(response: ServerResponse, body: string | Uint8Array): void {
  if (Buffer.isBuffer(body) && body.length <= ONE_WRITE_BYTES_MAX)
    response.end(body.toString('latin1'), 'latin1')
  else response.end(body)
}

function toBody(exchange: Exchange, reply: Reply): string | Uint8Array | AsyncIterable<Uint8Array> {
  const { incoming } = exchange
  const context: RequestContext = {
    requestId: exchange.id,
    nowSeconds: Math.floor(exchange.receivedAtMs / 1000),
  }
  switch (reply.kind) {
    case 'chat': {
      if (reply.raw !== undefined) return reply.raw
      const format = chatFormatOf(incoming.format)
      return JSON.stringify(format.toReply(reply.chat(), incoming.chat(), context))
    }
    case 'embedding': {
      if (reply.raw !== undefined) return reply.raw
      const format = embeddingFormatOf(incoming.format, incoming.json)
      return JSON.stringify(format.toReply(reply.embedding(), incoming.embedding()))
    }
    case 'token-count':
      return JSON.stringify(toTokenCountBody(incoming.format, reply.inputTokens))
    case 'forward':
      return reply.body
    case 'stream':
      throw new Error('A stream was answered to a caller that asked for none.')
  }
}

function sendError(visit: Visit, id: string, error: GatewayError): void {
  const { response, family } = visit
  if (response.destroyed) return
  const { status, headers, body } = toErrorReply(error, family, id)
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
  response.end(body)
}

/**
 * @returns the request that a stream answers. One that was forwarded may hold what we would refuse to read; its
 *   stream still has to end in an event when it breaks.
 */
function askedFor(incoming: Incoming): ChatRequest {
  try {
    return incoming.chat()
  } catch {
    return { model: incoming.model, messages: [], stream: true, includeUsage: false, unmapped: [] }
  }
}

function isConversation(operation: Operation): boolean {
  return operation === 'chat' || operation === 'completion'
}

function endOf(failure: GatewayError | undefined): 'completed' | 'failed' | 'cancelled' {
  if (failure === undefined) return 'completed'
  return failure.code === 'client_closed' ? 'cancelled' : 'failed'
}

/** The provider's own error went through: for the books, what it means. */
function refusedBy(exchange: Exchange, status: number): GatewayError {
  const attempt = exchange.attempts.at(-1)
  return new GatewayError(attempt?.errorCode ?? 'upstream_rejected', {
    message: attempt?.errorMessage ?? 'The provider refused the request.',
    detail: { status },
  })
}

function callerLeft(): GatewayError {
  return new GatewayError('client_closed', { message: 'The caller left before the reply was complete.' })
}

function startTimer(timeoutMs: number | undefined, controller: AbortController): () => void {
  if (timeoutMs === undefined) return () => undefined
  const timer = setTimeout(() => {
    controller.abort(
      new GatewayError('upstream_timeout', {
        message: `The call took longer than the ${timeoutMs} ms it was given.`,
      }),
    )
  }, timeoutMs)
  return () => clearTimeout(timer)
}

function asksForUsage(json: Readonly<Record<string, unknown>> | undefined): boolean {
  const options = json?.stream_options
  return (
    typeof options === 'object' &&
    options !== null &&
    'include_usage' in options &&
    options.include_usage === true
  )
}
