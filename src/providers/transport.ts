import { type Dispatcher, Pool } from 'undici'
import { GatewayError } from '../core/errors.ts'
import { type ReplyBody, type ReplyHead, ReplyReceiver } from './reply-receiver.ts'

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

export interface UpstreamResponse extends ReplyHead {
  readonly body: ReplyBody
}

/** Connections to one provider. */
export interface Transport {
  /** @throws GatewayError `upstream_error`, `upstream_timeout` or `client_closed`; see `wasSent` for what left us */
  send(request: UpstreamRequest): Promise<UpstreamResponse>
  /** Lets requests that were sent finish. */
  close(): Promise<void>
  /** Breaks them off. */
  destroy(): Promise<void>
}

export function createTransport(options: TransportOptions): Transport {
  const pool = new Pool(options.origin, {
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
    async send({ method, path, headers, body = null, signal }) {
      const receiver = new ReplyReceiver(signal)
      try {
        signal.throwIfAborted()
        pool.dispatch({ method: method as Dispatcher.HttpMethod, path, headers, body }, receiver)
        const head = await receiver.head
        return { ...head, body: receiver }
      } catch (error) {
        receiver.destroy()
        const known = toUpstreamError(error, signal)
        throw receiver.started ? known : unsent(known)
      }
    },
    close: () => pool.close(),
    destroy: () => pool.destroy(),
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
  try {
    return await response.body.whole(bytesMax)
  } catch (error) {
    if (!(error instanceof RangeError)) throw toUpstreamError(error, signal)
    throw new GatewayError('upstream_error', {
      message: 'The provider sent a larger reply than this gateway accepts.',
      detail: { bytesMax },
    })
  }
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
