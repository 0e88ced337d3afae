import type { IncomingMessage, ServerResponse } from 'node:http'
import type { RequestContext } from '../contract/format.ts'
import { GatewayError, toGatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Exchange, Incoming } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { Running } from '../pipeline/run.ts'
import { callerLeft } from './caller-left.ts'
import { type ErrorFamily, toErrorReply } from './error-reply.ts'
import { chatFormatOf, streamStyleOf } from './formats.ts'
import type { Heartbeats } from './heartbeat.ts'
import { type OpenStream, openStream } from './open-stream.ts'
import { type RouteFacts, readIncoming } from './read-incoming.ts'
import { addLimitHeaders } from './response-headers.ts'
import { refusedBy, sendWhole } from './whole-reply.ts'

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
    const stream = isStream(incoming) ? open(visit, exchange, context) : undefined

    let running: Running | undefined
    let settled: Promise<void> | undefined
    /** Books the call, once: before its caller has all of the reply. */
    const settle = (failure: GatewayError | undefined): Promise<void> => {
      if (settled !== undefined) return settled
      if (failure !== undefined) gateway.logError(exchange, failure)
      settled = running?.end(endOf(failure), failure) ?? Promise.resolve()
      return settled
    }
    try {
      running = await gateway.run(exchange)
      await settle(await send(visit, exchange, running.reply, stream, settle))
    } catch (thrown) {
      const error = toGatewayError(thrown)
      // What failed here and not there is settled already.
      if (settled === undefined) await settle(error)
      else gateway.logError(exchange, error)
      fail(visit, exchange, stream, error)
    } finally {
      stopTimer()
      stream?.close()
    }
  }

  function open(visit: Visit, exchange: Exchange, context: RequestContext): OpenStream {
    const { response, arrayStream } = visit
    const format = chatFormatOf(exchange.incoming.format)
    const style = streamStyleOf(format, visit.request.headers, arrayStream)
    return openStream({ exchange, response, context, style, arrayStream, heartbeats, clock })
  }

  /** @returns what it means for the books where not all is well */
  function send(
    { response }: Visit,
    exchange: Exchange,
    reply: Reply,
    stream: OpenStream | undefined,
    settle: (failure: GatewayError | undefined) => Promise<void>,
  ): Promise<GatewayError | undefined> {
    if (reply.kind === 'stream' && stream !== undefined) return stream.send(reply, settle)
    // A sign of life has gone out already, so the provider's refusal has to be an event.
    if (stream?.begun) throw refusedBy(exchange, reply.status)
    stream?.close()
    return sendWhole({ exchange, reply, response, nowMs: clock.monotonicMs(), settle })
  }

  /** Tells the caller. A reply that has begun cannot become another: a stream says so in an event, a body breaks off. */
  function fail(visit: Visit, exchange: Exchange, stream: OpenStream | undefined, error: GatewayError): void {
    const { response } = visit
    try {
      if (stream?.begun) stream.fail(error)
      else if (!response.headersSent) sendError(visit, exchange, error)
      else response.destroy()
    } catch (defect) {
      gateway.logError(exchange, toGatewayError(defect))
      response.destroy()
    }
  }
}

function sendError(visit: Visit, exchange: Exchange, error: GatewayError): void {
  const { response, family } = visit
  if (response.destroyed) return
  const { status, headers, body } = toErrorReply(error, family, exchange.id)
  addLimitHeaders(headers, exchange.allowance)
  response.writeHead(status, { ...headers, 'content-length': String(Buffer.byteLength(body)) })
  response.end(body)
}

function isStream({ stream, operation }: Incoming): boolean {
  return stream && (operation === 'chat' || operation === 'completion')
}

function endOf(failure: GatewayError | undefined): 'completed' | 'failed' | 'cancelled' {
  if (failure === undefined) return 'completed'
  return failure.code === 'client_closed' ? 'cancelled' : 'failed'
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
