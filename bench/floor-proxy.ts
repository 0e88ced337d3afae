import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Dispatcher, Pool } from 'undici'
import { announce, answerOrders } from './worker.ts'

/**
 * The floor: the least that a proxy in Node can do for a call. Reads the body, sends it on, sends the reply back;
 * no key, no parsing, no books. Whatever a gateway costs above this is what its features cost.
 */

const UPSTREAM_CONNECTIONS_MAX = 1024
const KEEP_ALIVE_MS = 75_000

if (import.meta.main) start(process.argv[2] ?? '')

function start(upstream: string): void {
  const pool = new Pool(upstream, { connections: UPSTREAM_CONNECTIONS_MAX, pipelining: 1 })
  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, requestTimeout: 0 }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => forward(pool, request, response, chunks))
  })
  answerOrders(() => undefined)
  server.listen(0, '127.0.0.1', () => announce({ port: (server.address() as AddressInfo).port }))
}

function forward(pool: Pool, request: IncomingMessage, response: ServerResponse, chunks: Buffer[]): void {
  const body = chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks)
  const { url = '/', method = 'POST' } = request
  const headers = { 'content-type': 'application/json', authorization: 'Bearer upstream-key' }
  pool.dispatch({ path: url, method, headers, body }, relayTo(response))
}

function relayTo(response: ServerResponse): Dispatcher.DispatchHandler {
  return {
    onRequestStart(controller) {
      response.on('close', () => {
        if (!response.writableFinished) controller.abort(new Error('The caller left.'))
      })
    },
    onResponseStart(_controller, status, headers) {
      const type = headers['content-type']
      const length = headers['content-length']
      response.writeHead(status, {
        ...(type === undefined ? {} : { 'content-type': String(type) }),
        ...(length === undefined ? {} : { 'content-length': String(length) }),
      })
    },
    onResponseData(controller, chunk) {
      if (response.write(chunk)) return
      controller.pause()
      response.once('drain', () => controller.resume())
    },
    onResponseEnd() {
      response.end()
    },
    onResponseError(_controller, error) {
      if (response.headersSent) response.destroy(error)
      else response.writeHead(502).end()
    },
  }
}
