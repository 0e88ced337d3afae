import { GatewayError } from '../core/errors.ts'
import type { Attempt } from '../pipeline/exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import type { UpstreamFailure } from '../providers/provider.ts'
import type { Provider } from '../providers/provider-set.ts'
import { readWhole, type UpstreamResponse, wasSent } from '../providers/transport.ts'
import type { CallContext } from './call-context.ts'
import { passedHeaders, upstreamRequestIdOf } from './reply-headers.ts'
import { fromUpstreamFailure, isCallersFault, retryAfterOf } from './upstream-failure.ts'

/** A reply held whole in memory: bounded, because a provider can be broken too. */
export const REPLY_BYTES_MAX = 64 * 1024 * 1024
const ERROR_BYTES_MAX = 1024 * 1024

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>> | undefined
  readonly contentType: string | undefined
  readonly accept: string | undefined
  readonly body: Buffer | string | undefined
}

/** Sends one request, noting on the attempt what the books need. */
export async function send(
  context: CallContext,
  attempt: Attempt,
  provider: Provider,
  signal: AbortSignal,
  outgoing: Outgoing,
): Promise<UpstreamResponse> {
  const headers: Record<string, string> = {
    ...provider.defaultHeaders,
    ...outgoing.headers,
    ...provider.fixedHeaders,
  }
  if (outgoing.contentType !== undefined) headers['content-type'] = outgoing.contentType
  if (outgoing.accept !== undefined) headers.accept = outgoing.accept
  attempt.dispatched = true
  try {
    const response = await provider.transport.send({
      method: outgoing.method,
      path: outgoing.path,
      headers,
      body: outgoing.body,
      signal,
    })
    attempt.headersMs = context.clock.monotonicMs()
    attempt.status = response.status
    attempt.upstreamRequestId = upstreamRequestIdOf(response.headers)
    return response
  } catch (error) {
    attempt.dispatched = wasSent(error)
    throw error
  }
}

/**
 * @returns the provider's own error, unchanged, where the caller speaks its format and can act on it
 * @throws GatewayError for every other refusal
 */
export async function refusal(
  context: CallContext,
  attempt: Attempt,
  response: UpstreamResponse,
  options: {
    readonly native: boolean
    readonly signal: AbortSignal
    readonly read: (status: number, body: unknown) => UpstreamFailure
  },
): Promise<Reply> {
  const bytes = await readWhole(response, ERROR_BYTES_MAX, options.signal)
  const { status } = response
  const failure = options.read(status, parseJson(bytes) ?? bytes.toString('utf8', 0, 2000))
  const retryAfter = retryAfterOf(response.headers, context.clock.now())
  const error = fromUpstreamFailure(attempt.provider, status, failure, retryAfter)
  if (!options.native || !isCallersFault(status) || bytes.length === 0) throw error
  attempt.endedMs = context.clock.monotonicMs()
  attempt.errorCode = error.code
  attempt.errorMessage = error.message
  const headers = passedHeaders(response.headers)
  if (status === 429) headers['retry-after'] ??= String(error.retryAfterSeconds ?? 1)
  return { kind: 'forward', status, headers, body: bytes }
}

/** @returns the value, or `undefined` where the bytes are no JSON */
export function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'))
  } catch {
    return undefined
  }
}

export function unusable(message: string, detail: Record<string, unknown>): GatewayError {
  return new GatewayError('upstream_error', { message, detail })
}

/** Some providers answer 200 with an error inside; a Responses object always has the field, and a `status`. */
export function isReply(json: unknown): json is Record<string, unknown> {
  if (typeof json !== 'object' || json === null) return false
  const { error, status } = json as { error?: unknown; status?: unknown }
  return error === undefined || error === null || status !== undefined
}
