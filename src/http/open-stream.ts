import type { ServerResponse } from 'node:http'
import type { ChatRequest } from '../contract/chat.ts'
import type { RequestContext, StreamEncoder } from '../contract/format.ts'
import type { Clock } from '../core/clock.ts'
import type { GatewayError } from '../core/errors.ts'
import type { Exchange, Incoming } from '../pipeline/exchange.ts'
import type { ChatStream } from '../pipeline/reply.ts'
import type { StreamStyle } from './formats.ts'
import type { Heartbeats, Pulse } from './heartbeat.ts'
import { toResponseHeaders } from './response-headers.ts'
import { sendStream } from './send-stream.ts'

export interface OpenStreamOptions {
  readonly exchange: Exchange
  readonly response: ServerResponse
  readonly context: RequestContext
  readonly style: StreamStyle
  /** Gemini's other stream: one JSON array instead of events. */
  readonly arrayStream: boolean
  readonly heartbeats: Heartbeats
  readonly clock: Pick<Clock, 'monotonicMs'>
}

/** The stream that a caller has asked for, whether or not there is an answer yet. */
export interface OpenStream {
  /** Bytes have gone out. */
  readonly begun: boolean
  /**
   * @param settle books the call: done before its end is sent
   * @returns why it broke, or `undefined` for a complete one
   */
  send(
    reply: ChatStream,
    settle: (failure: GatewayError | undefined) => Promise<void>,
  ): Promise<GatewayError | undefined>
  /** Ends a stream that has begun with an error event of its format. */
  fail(error: GatewayError): void
  /** Ends the signs of life. */
  close(): void
}

const SSE_HEADERS = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache',
  // nginx would hold events back otherwise.
  'x-accel-buffering': 'no',
}

/** Opens a stream: from here on its caller hears signs of life. */
export function openStream(options: OpenStreamOptions): OpenStream {
  const { exchange, response, context, style, arrayStream } = options
  const { incoming } = exchange
  let begun = false
  let encoder: StreamEncoder | undefined
  const encoderOf = () => (encoder ??= style.createEncoder(askedFor(incoming), context))
  const pulse: Pulse = options.heartbeats.start(() => {
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
    send(reply, settle) {
      return sendStream({
        reply,
        response,
        writeHead: () => writeHead(toResponseHeaders(exchange, reply, options.clock.monotonicMs())),
        native: reply.format === incoming.format && !arrayStream,
        encoder: encoderOf,
        hideUsage: incoming.format === 'chat' && !asksForUsage(incoming.json),
        pulse,
        signal: exchange.signal,
        isUsageKnown: () => exchange.attempts.at(-1)?.usage.outputTokens !== undefined,
        settle,
      })
    },
    fail(error) {
      if (response.destroyed) return
      const { code, message } = error
      response.end(encoderOf().encode({ type: 'error', error: { code, type: error.spec.type, message } }))
    },
    close: () => pulse.stop(),
  }
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

function asksForUsage(json: Readonly<Record<string, unknown>> | undefined): boolean {
  const options = json?.stream_options
  return (
    typeof options === 'object' &&
    options !== null &&
    'include_usage' in options &&
    options.include_usage === true
  )
}
