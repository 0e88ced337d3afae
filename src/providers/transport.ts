import { type Dispatcher, Pool } from 'undici'
import { GatewayError } from '../core/errors.ts'

export interface TransportOptions {
  /** Scheme, host and port. */
  readonly origin: string
  readonly connectTimeoutMs: number
  /** From the end of the request to the provider's headers. */
  readonly firstByteTimeoutMs: number
  /** Between two chunks of the reply. */
  readonly idleTimeoutMs: number
  readonly connectionsMax: number
}

export interface UpstreamRequest {
  readonly method: string
  /** With its query, from the origin on. */
  readonly path: string
  readonly headers: Record<string, string>
  readonly body: Buffer | string | undefined
  readonly signal: AbortSignal
}

export interface UpstreamResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** To be read to its end, or destroyed. */
  readonly body: AsyncIterable<Buffer> & { destroy(): void }
}

/** Connections to one provider. */
export interface Transport {
  /** @throws GatewayError `upstream_error`, `upstream_timeout` or `client_closed`; see `wasSent` for what left us */
  send(request: UpstreamRequest): Promise<UpstreamResponse>
  close(): Promise<void>
}

/** How far one request has come. */
interface Progress {
  /** Its connection is there and its first byte is about to be written. */
  started: boolean
}

/** A pool that tells of each request when it leaves: until then nothing can have been charged for it. */
class WatchedPool extends Pool {
  override dispatch(options: Dispatcher.DispatchOptions, handler: Dispatcher.DispatchHandler): boolean {
    const { opaque } = options as { opaque?: Progress }
    const { onRequestStart } = handler
    if (opaque !== undefined) {
      handler.onRequestStart = function (controller, context) {
        opaque.started = true
        onRequestStart?.call(this, controller, context)
      }
    }
    return super.dispatch(options, handler)
  }
}

export function createTransport(options: TransportOptions): Transport {
  const pool = new WatchedPool(options.origin, {
    connections: options.connectionsMax,
    pipelining: 1,
    connect: { timeout: options.connectTimeoutMs },
    headersTimeout: options.firstByteTimeoutMs,
    bodyTimeout: options.idleTimeoutMs,
    // Providers close idle connections after a minute or more; leaving first avoids racing with them.
    keepAliveTimeout: 30_000,
    keepAliveMaxTimeout: 300_000,
  })
  return {
    async send(request) {
      const progress: Progress = { started: false }
      try {
        const response = await untilAborted(request.signal, progress, () =>
          pool.request({
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body ?? null,
            signal: request.signal,
            opaque: progress,
          }),
        )
        return { status: response.statusCode, headers: response.headers, body: response.body }
      } catch (error) {
        const known = toUpstreamError(error, request.signal)
        throw progress.started ? known : unsent(known)
      }
    },
    close: () => pool.close(),
  }
}

/** Undici hears a signal only once the request has a connection, so whoever waits for one is let go here. */
async function untilAborted<Value>(
  signal: AbortSignal,
  progress: Progress,
  start: () => Promise<Value>,
): Promise<Value> {
  signal.throwIfAborted()
  const aborted = Promise.withResolvers<never>()
  const leave = () => {
    if (!progress.started) aborted.reject(signal.reason)
  }
  signal.addEventListener('abort', leave)
  try {
    return await Promise.race([start(), aborted.promise])
  } finally {
    signal.removeEventListener('abort', leave)
  }
}

/**
 * @returns the bytes of a reply, whole
 * @throws GatewayError `upstream_error` where the reply is larger than `bytesMax` or breaks off
 */
export async function readWhole(
  response: UpstreamResponse,
  bytesMax: number,
  signal: AbortSignal,
): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response.body) {
      bytes += chunk.length
      if (bytes > bytesMax) {
        response.body.destroy()
        throw new GatewayError('upstream_error', {
          message: 'The provider sent a larger reply than this gateway accepts.',
          detail: { bytesMax },
        })
      }
      chunks.push(chunk)
    }
  } catch (error) {
    throw toUpstreamError(error, signal)
  }
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks, bytes)
}

/** @returns whether the provider may have received the request */
export function wasSent(error: unknown): boolean {
  if (!(error instanceof GatewayError)) return true
  return error.detail?.sent !== false
}

function unsent(error: GatewayError): GatewayError {
  const { code, message, detail, retryAfterSeconds } = error
  return new GatewayError(code, {
    message,
    detail: { ...detail, sent: false },
    retryAfterSeconds,
    cause: error.cause ?? error,
  })
}

/**
 * @returns what a failed connection means for the caller; `client_closed` or `upstream_timeout` where the call was
 *   ended from our side
 */
export function toUpstreamError(error: unknown, signal: AbortSignal): GatewayError {
  if (error instanceof GatewayError) return error
  if (signal.aborted && signal.reason instanceof GatewayError) return signal.reason
  const code = codeOf(error)
  const detail = { code, cause: error instanceof Error ? error.message : String(error) }
  if (
    code === 'UND_ERR_CONNECT_TIMEOUT' ||
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT'
  ) {
    return new GatewayError('upstream_timeout', {
      message: 'The provider did not answer in time.',
      detail,
      cause: error,
    })
  }
  return new GatewayError('upstream_error', {
    message: 'The connection to the provider failed.',
    detail,
    cause: error,
  })
}

function codeOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'unknown'
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown }
  if (typeof code === 'string') return code
  // Several addresses were tried: the first failure speaks for all.
  if (Array.isArray(errors) && errors.length > 0) return codeOf(errors[0])
  return cause === undefined ? 'unknown' : codeOf(cause)
}
