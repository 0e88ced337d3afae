import type { IncomingHttpHeaders } from 'node:http'
import { GatewayError } from '../core/errors.ts'
import type { Hints } from '../pipeline/exchange.ts'

const TAGS_MAX = 16
const TAG_NAME = /^[A-Za-z0-9_.-]{1,64}$/
const TAG_VALUE_LENGTH_MAX = 256
const NAME_LENGTH_MAX = 256
const TIMEOUT_MS_MAX = 86_400_000
const NO_TAGS: Readonly<Record<string, string>> = Object.freeze({})

/** @see ../../docs/api.md for what each header means */
export function readHints(
  headers: IncomingHttpHeaders,
  json: Readonly<Record<string, unknown>> | undefined,
): Hints {
  const metadata = json?.metadata
  const fields =
    typeof metadata === 'object' && metadata !== null && !Array.isArray(metadata)
      ? (metadata as Record<string, unknown>)
      : undefined
  return {
    user: firstText(headers['x-gatehouse-user'], json?.user, fields?.user_id, headers['x-openwebui-user-id']),
    // Claude Code and Open WebUI name their conversations in headers of their own.
    session: firstText(
      headers['x-gatehouse-session'],
      headers['x-claude-code-session-id'],
      headers['x-openwebui-chat-id'],
    ),
    task: firstText(headers['x-gatehouse-task']),
    tags: readTags(headers['x-gatehouse-tags'], fields),
    timeoutMs: readTimeout(headers['x-gatehouse-timeout-ms']),
    traceparent: firstText(headers.traceparent),
  }
}

function firstText(...values: unknown[]): string | undefined {
  for (const value of values) {
    if (typeof value === 'string' && value !== '') return shortened(value, NAME_LENGTH_MAX)
  }
  return undefined
}

/** A cut may halve a character, and callers can send halves: no store takes those. */
function shortened(text: string, lengthMax: number): string {
  return text.slice(0, lengthMax).toWellFormed()
}

/** Pairs of the header, then of the body's `metadata`; the header wins where both name one. */
function readTags(
  header: string | string[] | undefined,
  metadata: Record<string, unknown> | undefined,
): Readonly<Record<string, string>> {
  if (header === undefined && metadata === undefined) return NO_TAGS
  const tags: Record<string, string> = Object.create(null) as Record<string, string>
  let count = 0
  const add = (name: string, value: string) => {
    if (name in tags || count >= TAGS_MAX || !TAG_NAME.test(name)) return
    tags[name] = shortened(value, TAG_VALUE_LENGTH_MAX)
    count++
  }
  if (typeof header === 'string') {
    for (const pair of header.split(',')) {
      const equals = pair.indexOf('=')
      if (equals < 0) {
        if (pair.trim() === '') continue
        throw new GatewayError('invalid_request', {
          message: 'The header `x-gatehouse-tags` has to look like `deal=D-17,cycle=3`.',
          param: 'x-gatehouse-tags',
        })
      }
      add(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim())
    }
  }
  for (const name in metadata) {
    const value = metadata[name]
    if (name === 'user_id') continue
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean')
      add(name, String(value))
  }
  return count === 0 ? NO_TAGS : tags
}

function readTimeout(header: string | string[] | undefined): number | undefined {
  if (header === undefined) return undefined
  const value = typeof header === 'string' && /^\d{1,8}$/.test(header) ? Number(header) : 0
  if (value > 0 && value <= TIMEOUT_MS_MAX) return value
  throw new GatewayError('invalid_request', {
    message: 'The header `x-gatehouse-timeout-ms` has to be a whole number of milliseconds.',
    param: 'x-gatehouse-timeout-ms',
  })
}
