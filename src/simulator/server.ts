import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Clock, systemClock } from '../core/clock.ts'
import { Answerer, toErrorReply } from './answerer.ts'
import { answerControl } from './control.ts'
import { type Delivery, deliverFaulty, deliverNow } from './deliver.ts'
import { type Dialect, SimulatedError, toErrorBody } from './error-shapes.ts'
import { FaultRules, type Faults, NO_FAULTS, parseFaultHeader } from './faults.ts'
import { type JsonObject, toText } from './json.ts'
import { toRoute } from './operations.ts'
import { createRandom } from './random.ts'
import type { SimulatedReply } from './reply.ts'
import { collectBody, headerOf, parseBody } from './request-body.ts'
import { toPlainModel } from './script.ts'
import { type Stats, StatsKeeper } from './stats.ts'
import { systemTimers, type Timers } from './timers.ts'

export interface SimulatorOptions {
  readonly clock?: Clock
  readonly timers?: Timers
  /** Of what `fail` and `jitter` draw; the same seed fails the same calls. */
  readonly seed?: number
  /** Larger requests are answered 413. */
  readonly bodyBytesMax?: number
}

export interface Simulator {
  /** @returns where it listens; port 0 takes any free one */
  listen(port?: number, host?: string): Promise<{ port: number; url: string }>
  /** Ends every reply and closes every connection. */
  close(): Promise<void>
  stats(): Stats
  /** For a server of one's own. */
  readonly requestListener: RequestListener
}

/** How `slow` speaks, unless the call says otherwise. */
const SLOW: Faults = { ttft: 200, tps: 10 }

/** Longer than any client keeps an idle connection, so that it is the client who closes. */
const KEEP_ALIVE_MS = 120_000

const NO_FIELDS: JsonObject = {}

/** @returns a provider that speaks OpenAI's, Anthropic's and Gemini's wire formats and answers by rules */
export function createSimulator(options: SimulatorOptions = {}): Simulator {
  const { clock = systemClock, timers = systemTimers, seed = 1, bodyBytesMax = 64 * 1024 * 1024 } = options
  const random = createRandom(seed)
  const stats = new StatsKeeper()
  const rules = new FaultRules()
  const answerer = new Answerer(clock, random, seed, stats)

  function handle(request: IncomingMessage, response: ServerResponse, bytes: Buffer): void {
    const { url = '/', method = 'GET', rawHeaders } = request
    const mark = url.indexOf('?')
    const path = mark < 0 ? url : url.slice(0, mark)
    if (path.startsWith('/sim/')) {
      answerControl(method, path, bytes, response, stats, rules)
      return
    }
    const route = toRoute(method, path, method === 'GET' ? toSpeaker(rawHeaders) : 'openai')
    const contentType = headerOf(rawHeaders, 'content-type') ?? ''
    const body = parseBody(bytes, contentType)
    const model = route.model ?? toText(body?.model)
    const meter = stats.begin(method, path, model, rawHeaders, bytes)
    const requestId = answerer.newId('req_')
    let faults = rules.take(model, path)
    let reply: SimulatedReply | Promise<SimulatedReply>
    try {
      const header = headerOf(rawHeaders, 'x-sim')
      if (header !== undefined) faults = { ...faults, ...parseFaultHeader(header) }
      if (toPlainModel(model) === 'slow') faults = { ...SLOW, ...faults }
      if (body === undefined && method === 'POST') {
        throw new SimulatedError(400, 'We could not parse the JSON body of your request.')
      }
      reply = answerer.answer({
        route,
        method,
        query: mark < 0 ? '' : url.slice(mark + 1),
        body: body ?? NO_FIELDS,
        bytes,
        contentType,
        model,
        faults,
        requestId,
      })
    } catch (error) {
      reply = toErrorReply(route.dialect, error, requestId, faults)
    }
    const headers = toHeaders(route.dialect, faults, requestId)
    const delivery: Delivery = { response, meter, faults, headers, timers, clock, random }
    if (reply instanceof Promise) {
      reply.then((late) => deliver(late, delivery)).catch(destroyOn(response))
    } else {
      deliver(reply, delivery)
    }
  }

  const requestListener: RequestListener = (request, response) => {
    collectBody(request, bodyBytesMax, (bytes) => {
      if (bytes !== undefined) handle(request, response, bytes)
      else refuseLarge(response, bodyBytesMax)
    })
  }

  const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS, noDelay: true }, requestListener)

  return {
    requestListener,
    stats: () => stats.snapshot(),
    listen: (port = 0, host = '127.0.0.1') =>
      new Promise((resolve, reject) => {
        server.once('error', reject)
        server.listen(port, host, () => {
          server.off('error', reject)
          const address = server.address() as AddressInfo
          const shownHost = host.includes(':') ? `[${host}]` : host
          resolve({ port: address.port, url: `http://${shownHost}:${address.port}` })
        })
      }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

function deliver(reply: SimulatedReply, delivery: Delivery): void {
  if (delivery.faults === NO_FAULTS) deliverNow(reply, delivery)
  else deliverFaulty(reply, delivery).catch(destroyOn(delivery.response))
}

/** A defect of the simulator's own: the client sees a broken connection rather than silence. */
function destroyOn(response: ServerResponse): (error: Error) => void {
  return (error) => {
    response.destroy(error)
  }
}

/** Only lists need this: everything else is told apart by its path. */
function toSpeaker(rawHeaders: readonly string[]): Dialect {
  if (headerOf(rawHeaders, 'anthropic-version') !== undefined) return 'anthropic'
  return headerOf(rawHeaders, 'x-goog-api-key') === undefined ? 'openai' : 'gemini'
}

/** Each provider names its requests in a header of its own; Gemini has none. */
function toHeaders(dialect: Dialect, faults: Faults, requestId: string): Record<string, string> {
  const headers: Record<string, string> = {}
  if (dialect === 'openai') headers['x-request-id'] = requestId
  if (dialect === 'anthropic') headers['request-id'] = requestId
  const retryAfterSeconds = faults['retry-after']
  if (retryAfterSeconds !== undefined) headers['retry-after'] = String(retryAfterSeconds)
  return headers
}

function refuseLarge(response: ServerResponse, bytesMax: number): void {
  const error = new SimulatedError(413, `The request is larger than ${bytesMax} bytes.`)
  response.writeHead(413, { 'content-type': 'application/json', connection: 'close' })
  response.end(JSON.stringify(toErrorBody('openai', error, '')))
}
