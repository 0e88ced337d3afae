import { SecretError, type SecretWorld } from './resolver.ts'

const REPLY_CHARACTERS_MAX = 1_048_576
/** A secret store inside the same network answers in milliseconds; start must not hang on one that is away. */
const TIMEOUT_MS = 10_000

export interface SecretRequest {
  readonly method?: 'GET' | 'POST' | 'PUT'
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/**
 * Asks a secret store. Redirects are not followed: they would carry the token elsewhere.
 *
 * @param service named in errors: `Vault`
 * @returns the reply's JSON
 * @throws SecretError where the store is away, refuses, or answers something else
 */
export async function requestJson(
  { fetch }: SecretWorld,
  service: string,
  url: string,
  request: SecretRequest,
  signal: AbortSignal,
): Promise<unknown> {
  let status: number
  let text: string
  try {
    const reply = await fetch(url, {
      ...request,
      redirect: 'error',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    status = reply.status
    text = await readBounded(reply)
  } catch (error) {
    throw new SecretError(`${service} at ${hostOf(url)} did not answer (${reasonOf(error)})`)
  }
  if (status !== 200)
    throw new SecretError(`${service} answered ${status}${codeOf(text)}${meaningOf(status)}`)
  try {
    return JSON.parse(text)
  } catch {
    throw new SecretError(`${service} answered something that is no JSON`)
  }
}

async function readBounded(reply: Response): Promise<string> {
  const decoder = new TextDecoder()
  let text = ''
  for await (const chunk of reply.body ?? []) {
    text += decoder.decode(chunk, { stream: true })
    if (text.length > REPLY_CHARACTERS_MAX) throw new RangeError('reply too large')
  }
  return text
}

function meaningOf(status: number): string {
  if (status === 401 || status === 403) return ': the credentials may not read this secret'
  if (status === 404) return ': there is no such secret'
  return ''
}

/** The store's own word for the failure, where it is a single word: ` ResourceNotFoundException`. */
function codeOf(text: string): string {
  // AWS has `__type`, Azure `error.code` or (sign-in) `error`, Google `error.status`.
  const code = /"(?:__type|code|status|error)"\s*:\s*"(?:[\w.]+#)?([A-Za-z_]{3,60})"/.exec(text)?.[1]
  return code === undefined ? '' : ` ${code}`
}

/** `fetch` hides the reason in `cause`; its own message only says that it failed. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown reason'
  const cause = error.cause as { code?: unknown } | undefined
  return typeof cause?.code === 'string' ? cause.code : error.name
}

function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host : 'an address that is no URL'
}
