import { GatewayError } from '../../core/errors.ts'

/** Sends one request; `fetch` itself, or what a test puts in its place. */
export type Fetch = (url: string, init: RequestInit) => Promise<Response>

export interface PostOptions {
  readonly headers?: Readonly<Record<string, string>>
  readonly fetch?: Fetch | undefined
  readonly signal: AbortSignal
}

/** Longer than any receiver needs, and short enough that a queue behind a dead one moves on. */
const TIMEOUT_MS = 10_000

/**
 * Posts a body of JSON. Addresses are secrets: what goes wrong is told without them, and so without what the other side
 * says, which may repeat them. Redirects are not followed, for the same reason.
 *
 * @throws GatewayError `upstream_error`, `upstream_timeout`
 */
export async function postJson(url: string, body: string, options: PostOptions): Promise<void> {
  const { headers, fetch = globalThis.fetch, signal } = options
  const timeout = AbortSignal.timeout(TIMEOUT_MS)
  let response: Response
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'user-agent': 'gatehouse', ...headers },
      body,
      redirect: 'manual',
      signal: AbortSignal.any([signal, timeout]),
    })
    await response.body?.cancel()
  } catch (error) {
    throw timeout.aborted ? timedOut() : failed(reasonOf(error))
  }
  if (!response.ok) throw failed(`status ${response.status}`)
}

export function timedOut(): GatewayError {
  return new GatewayError('upstream_timeout', {
    message: `The receiver did not answer within ${TIMEOUT_MS / 1000} seconds.`,
  })
}

/** @param reason in words of ours */
export function failed(reason: string): GatewayError {
  return new GatewayError('upstream_error', { message: `The receiver did not take the message: ${reason}.` })
}

/** @returns the code of a failed connection, which names no address */
export function reasonOf(error: unknown): string {
  const { cause, code, name } = error as { cause?: { code?: unknown }; code?: unknown; name?: unknown }
  for (const word of [cause?.code, code, name]) {
    if (typeof word === 'string' && /^[A-Za-z_]{2,40}$/.test(word)) return word
  }
  return 'no connection'
}
