import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { monotonicUs } from './monotonic.ts'
import type { Pace, UpstreamOrder } from './orders.ts'
import { CLOSING, JSON_REPLY, OPENING, pieceFrame, STREAM_MARK } from './payloads.ts'
import { announce, answerOrders } from './worker.ts'

/**
 * The provider that every candidate stands before: it answers chat calls with bytes prepared ahead, as fast as a
 * plain HTTP server can, so that what is measured is the way to it.
 */

const JSON_HEADERS = {
  'content-type': 'application/json',
  'content-length': String(JSON_REPLY.length),
  'x-request-id': 'req_bench',
}
const STREAM_HEADERS = { 'content-type': 'text/event-stream; charset=utf-8', 'x-request-id': 'req_bench' }
const END = CLOSING.join('')
// Longer than any pause between two measurements, so that no candidate's idle connection is closed under it.
const KEEP_ALIVE_MS = 600_000

if (import.meta.main) start()

function start(): void {
  let pace: Pace = { firstPieceMs: 100, gapMs: 20, pieces: 20 }
  let json = 0
  let streams = 0
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    const receivedUs = monotonicUs()
    readBody(request, (streamed) => {
      if (!streamed) {
        json++
        response.writeHead(200, JSON_HEADERS)
        response.end(JSON_REPLY)
        return
      }
      streams++
      sendStream(response, pace, receivedUs)
    })
  })
  answerOrders<UpstreamOrder>((order) => {
    if (order.kind === 'pace') pace = order.pace
    return { json, streams }
  })
  server.listen(0, '127.0.0.1', () => announce({ port: (server.address() as AddressInfo).port }))
}

function readBody(request: IncomingMessage, done: (streamed: boolean) => void): void {
  let body: Buffer | undefined
  request.on('data', (chunk: Buffer) => {
    body = body === undefined ? chunk : Buffer.concat([body, chunk])
  })
  request.on('end', () => done(body?.includes(STREAM_MARK) ?? false))
}

/** A timer for each stream, so that pieces of many streams do not all leave at one instant. */
function sendStream(response: ServerResponse, pace: Pace, receivedUs: number): void {
  let sequence = 0
  let timer = setTimeout(send, pace.firstPieceMs)
  response.on('close', () => clearTimeout(timer))
  response.writeHead(200, STREAM_HEADERS)
  response.flushHeaders()

  function send(): void {
    if (sequence === pace.pieces) {
      response.end(END)
      return
    }
    const piece = pieceFrame({ sequence, receivedUs, sentUs: monotonicUs() })
    response.write(sequence === 0 ? OPENING + piece : piece)
    sequence++
    timer = setTimeout(send, pace.gapMs)
  }
}
