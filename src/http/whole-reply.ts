import type { ServerResponse } from 'node:http'
import type { RequestContext } from '../contract/format.ts'
import { GatewayError } from '../core/errors.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { callerLeft } from './caller-left.ts'
import { drained } from './drained.ts'
import { chatFormatOf, embeddingFormatOf, toTokenCountBody } from './formats.ts'
import { toResponseHeaders } from './response-headers.ts'

export interface WholeReplyOptions {
  readonly exchange: Exchange
  readonly reply: Reply
  readonly response: ServerResponse
  /** Monotonic milliseconds. */
  readonly nowMs: number
  /** Books the call: done before the last byte is sent. */
  readonly settle: (failure: GatewayError | undefined) => Promise<void>
}

// Above it, copying the body costs more than a second write.
const ONE_WRITE_BYTES_MAX = 64 * 1024

/**
 * Sends a reply that is no stream of events.
 *
 * @returns what it means for the books where it is a refusal, or was not sent; `undefined` for a complete one
 */
export async function sendWhole(options: WholeReplyOptions): Promise<GatewayError | undefined> {
  const { exchange, reply, response } = options
  const body = toBody(exchange, reply)
  const headers = toResponseHeaders(exchange, reply, options.nowMs)
  const failure = reply.status < 400 ? undefined : refusedBy(exchange, reply.status)
  if (typeof body === 'string' || body instanceof Uint8Array) {
    if (response.destroyed) return callerLeft()
    headers['content-type'] ??= 'application/json'
    headers['content-length'] = String(Buffer.byteLength(body))
    // Nothing leaves with it; it shows now whether it can.
    response.writeHead(reply.status, headers)
    await options.settle(failure)
    if (!response.destroyed) endWith(response, body)
  } else {
    // Begun in any case, because only a body that was begun can be let go of.
    for await (const chunk of body) {
      if (response.destroyed) return callerLeft()
      if (!response.headersSent) response.writeHead(reply.status, headers)
      if (!response.write(chunk)) await drained(response, exchange.signal)
    }
    if (response.destroyed) return callerLeft()
    if (!response.headersSent) response.writeHead(reply.status, headers)
    await options.settle(failure)
    response.end()
  }
  return failure
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

/** The provider's own error went through: for the books, what it means. */
export function refusedBy(exchange: Exchange, status: number): GatewayError {
  const attempt = exchange.attempts.at(-1)
  return new GatewayError(attempt?.errorCode ?? 'upstream_rejected', {
    message: attempt?.errorMessage ?? 'The provider refused the request.',
    detail: { status },
  })
}
