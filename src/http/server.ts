import { createServer as createHttpServer, STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import fastify, {
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify'
import { GatewayError, toGatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import { registerControlPlane } from './admin/control-plane.ts'
import { createAnswerer } from './answer.ts'
import { jsonRoutes, registerDataPlane } from './data-plane.ts'
import { type ErrorFamily, toErrorReply } from './error-reply.ts'
import { createExpressLane } from './express-lane.ts'
import { createHeartbeats } from './heartbeat.ts'
import { registerModelRoutes } from './model-routes.ts'
import { registerProbes } from './probes.ts'
import { registerWelcome } from './welcome.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Whose shape errors of this route take. */
    family?: ErrorFamily
    /** Answered while draining as well. */
    isProbe?: true
  }
}

export interface Server {
  /** @returns where it listens, for people: `http://127.0.0.1:4000` */
  listen(): Promise<string>
  /**
   * Refuses new work, lets calls in flight finish for as long as the configuration says, then closes.
   */
  drain(): Promise<void>
  /** Ends calls in flight now; their callers see a broken connection, and they are booked as that. */
  cut(): void
  close(): Promise<void>
  /** For tests and embedding. */
  readonly app: FastifyInstance
}

// Node's own default, named here because `docs/errors.md` promises it.
const HEADER_BYTES_MAX = 16 * 1024
const HEADERS_TIMEOUT_MS = 30_000
// For the whole of a request, not its answer: who sends a body for longer than that only holds our memory.
const REQUEST_TIMEOUT_MS = 300_000
// Has to outlast that of any load balancer before us (60 s at most of them).
const KEEP_ALIVE_MS = 75_000
const DRAIN_SWEEP_MS = 100

/** One port: the data plane, the control API and the pages for people. */
export async function createServer(gateway: Gateway): Promise<Server> {
  const { server: settings } = gateway.config
  let draining = false
  const heartbeats = createHeartbeats(settings.heartbeatSeconds * 1000, () => gateway.clock.monotonicMs())
  const answer = createAnswerer(gateway, heartbeats)
  const app = fastify({
    bodyLimit: settings.bodyBytesMax,
    trustProxy: settings.trustedProxies.length === 0 ? false : [...settings.trustedProxies],
    forceCloseConnections: 'idle',
    serverFactory: (framework) =>
      createHttpServer(
        {
          maxHeaderSize: HEADER_BYTES_MAX,
          headersTimeout: HEADERS_TIMEOUT_MS,
          requestTimeout: REQUEST_TIMEOUT_MS,
          keepAliveTimeout: KEEP_ALIVE_MS,
        },
        createExpressLane(
          {
            routes: jsonRoutes(),
            answer,
            bodyBytesMax: settings.bodyBytesMax,
            isOpen: () => !draining && settings.trustedProxies.length === 0,
          },
          framework,
        ),
      ),
    routerOptions: { ignoreTrailingSlash: true, maxParamLength: 4096 },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: answerUnroutable,
    // What comes while we drain is refused below, in the shape that its client reads.
    return503OnClosing: false,
    logger: false,
    genReqId: () => gateway.newRequestId(),
  })

  app.addHook('onRequest', async (request, reply) => {
    if (!draining) return
    reply.header('connection', 'close')
    if (request.routeOptions.config.isProbe !== true) throw shuttingDown()
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const known = fromFastify(error, settings.bodyBytesMax)
    gateway.logError(undefined, known, request.id)
    const { status, headers, body } = toErrorReply(known, familyOf(request), request.id)
    return reply.status(status).headers(headers).send(body)
  })
  app.setNotFoundHandler((request, reply) => {
    const error = noRoute(app, request, reply)
    const { status, headers, body } = toErrorReply(error, familyOf(request), request.id)
    return reply.status(status).headers(headers).send(body)
  })

  await app.register(async (scope) => registerDataPlane(scope, answer))
  await app.register(async (scope) => registerModelRoutes(scope, gateway))
  await app.register(async (scope) => registerProbes(scope, gateway, () => draining))
  await app.register(async (scope) => registerControlPlane(scope, gateway))
  await app.register(async (scope) => registerWelcome(scope, gateway))

  async function close(): Promise<void> {
    heartbeats.close()
    app.server.closeAllConnections()
    await app.close()
  }

  return {
    app,
    listen: () => app.listen({ host: settings.host, port: settings.port }),
    async drain() {
      draining = true
      const timer = setTimeout(
        () => app.server.closeAllConnections(),
        gateway.config.server.drainSeconds * 1000,
      )
      // A connection whose call ends while we drain would stay open until its client lets go of it.
      const sweep = setInterval(() => app.server.closeIdleConnections(), DRAIN_SWEEP_MS)
      try {
        // Closes the listener and idle connections; resolves when the last call in flight is answered.
        await app.close()
      } finally {
        clearTimeout(timer)
        clearInterval(sweep)
        heartbeats.close()
      }
    },
    cut: () => app.server.closeAllConnections(),
    close,
  }
}

function shuttingDown(): GatewayError {
  return new GatewayError('overloaded', {
    message: 'This gateway is shutting down; another one, or this one in a moment, will answer.',
    retryAfterSeconds: 1,
  })
}

/** @returns what a failure inside the web framework means to a caller */
function fromFastify(error: FastifyError, bodyBytesMax: number): GatewayError {
  if (error instanceof GatewayError) return error
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') {
    return new GatewayError('request_too_large', {
      message: `The request body is larger than ${bodyBytesMax} bytes.`,
      cause: error,
    })
  }
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500) {
    return new GatewayError('invalid_request', { message: error.message, cause: error })
  }
  return toGatewayError(error)
}

const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const

function noRoute(
  app: FastifyInstance,
  request: FastifyRequest,
  reply: { header(name: string, value: string): unknown },
): GatewayError {
  const path = request.url.split('?', 1)[0] ?? ''
  const allowed = METHODS.filter(
    (method) => method !== request.method && app.findRoute({ method, url: path }) !== null,
  )
  if (allowed.length > 0) {
    reply.header('allow', allowed.join(', '))
    return new GatewayError('method_not_allowed', {
      message: `${request.method} is not possible here. Allowed: ${allowed.join(', ')}.`,
    })
  }
  return new GatewayError('not_found', {
    message: `There is no route ${request.method} ${path.slice(0, 200)}.`,
  })
}

/** @returns the shape that whoever calls this path reads */
function familyOf(request: FastifyRequest): ErrorFamily {
  const family = request.routeOptions?.config.family
  if (family !== undefined) return family
  if (request.headers['anthropic-version'] !== undefined || /\/messages(\/|\?|$)/.test(request.url))
    return 'anthropic'
  if (request.headers['x-goog-api-key'] !== undefined || request.url.includes('/v1beta/')) return 'gemini'
  return 'openai'
}

/** Before any route is known: a path that cannot be decoded, or a name in it that is too long. */
function answerUnroutable(error: FastifyError, request: FastifyRequest, reply: FastifyReply): void {
  const known = new GatewayError('invalid_request', { message: error.message, cause: error })
  const { status, headers, body } = toErrorReply(known, familyOf(request), request.id)
  void reply.status(status).headers(headers).send(body)
}

/** What Node could not even parse: answered in plain HTTP, since there is no request to answer. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (socket.destroyed || !socket.writable || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const tooLarge = error.code === 'HPE_HEADER_OVERFLOW'
  const known = tooLarge
    ? new GatewayError('headers_too_large', {
        message: `The request headers are larger than ${HEADER_BYTES_MAX} bytes.`,
      })
    : new GatewayError('invalid_request', { message: 'This is no valid HTTP request.' })
  const { status, body } = toErrorReply(known, 'openai', 'none')
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  )
}
