import type { IncomingHttpHeaders } from 'node:http'
import type { ChatRequest } from '../contract/chat.ts'
import type { EmbeddingRequest } from '../contract/embeddings.ts'
import type { RequestContext } from '../contract/format.ts'
import type { Operation } from '../contract/operation.ts'
import { GatewayError, toGatewayError } from '../core/errors.ts'
import type { CallFormat, Hints, Incoming } from '../pipeline/exchange.ts'
import { chatReaderOf, embeddingFormatOf, isForwardable, requireTranslatable } from './formats.ts'
import { readHints } from './hints.ts'
import { parseBody } from './parse-body.ts'

/** What a route of the data plane knows beside headers and body. */
export interface RouteFacts {
  readonly operation: Operation
  readonly format: CallFormat
  /** From the path, where the model stands there. */
  readonly model?: string | undefined
  readonly stream?: boolean
  /** For operations in which a caller need not name one. */
  readonly modelDefault?: string | undefined
  readonly forward?: Incoming['forward']
  /** Why a body that is no JSON cannot be understood. */
  readonly problem?: GatewayError | undefined
}

/**
 * Reads a request as far as every call needs it: model, stream, who and what for. Never throws: what is wrong
 * stands in `problem`, to be told once the caller is known.
 */
export function readIncoming(
  headers: IncomingHttpHeaders,
  ip: string,
  body: Buffer | undefined,
  facts: RouteFacts,
  context: RequestContext,
): Incoming {
  let { problem } = facts
  let json: Record<string, unknown> | undefined
  let hints: Hints = NO_HINTS
  try {
    if ((facts.forward?.body ?? 'json') === 'json') json = parseBody(body, headers['content-encoding'])
    hints = readHints(headers, json)
  } catch (error) {
    problem ??= toGatewayError(error)
  }
  const model = facts.model ?? json?.model ?? facts.modelDefault
  if (problem === undefined && (typeof model !== 'string' || !model.isWellFormed()))
    problem = wrongModel(model)
  const { operation, format } = facts
  // Cursor sends bodies of the Responses API to the path of Chat Completions, and reads the latter's reply.
  const disguised = format === 'chat' && json !== undefined && json.messages === undefined && 'input' in json
  const spoken = disguised ? 'responses' : format
  let chat: ChatRequest | undefined
  const readChat = () => (chat ??= chatReaderOf(spoken, operation).parseRequest(json, context))
  let embedding: EmbeddingRequest | undefined
  return {
    operation,
    format,
    model: typeof model === 'string' ? model : '',
    stream: facts.stream ?? json?.stream === true,
    forwardable: !disguised && isForwardable(format, body),
    body,
    json,
    ...(facts.forward === undefined ? {} : { forward: facts.forward }),
    passHeaders: readPassHeaders(headers),
    credential: readCredential(headers),
    ip,
    hints,
    problem,
    chat: readChat,
    translatable: () => requireTranslatable(spoken, readChat()),
    embedding: () => (embedding ??= embeddingFormatOf(format, json).parseRequest(json, context)),
  }
}

const NO_HINTS: Hints = {
  user: undefined,
  session: undefined,
  task: undefined,
  tags: {},
  timeoutMs: undefined,
  traceparent: undefined,
}

function wrongModel(model: unknown): GatewayError {
  const message =
    model === undefined
      ? 'The field `model` is missing.'
      : 'The field `model` has to be a well-formed string.'
  return new GatewayError('invalid_request', { message, param: 'model' })
}

/**
 * The key, wherever a client puts it. Some send two (Claude Code: `authorization` and `x-api-key`); one that looks
 * like ours goes first.
 */
export function readCredential(headers: IncomingHttpHeaders): string | undefined {
  const bearer = headers.authorization
  let first: string | undefined
  if (bearer !== undefined && bearer.length > 7 && bearer.slice(0, 7).toLowerCase() === 'bearer ') {
    first = bearer.slice(7).trim() || undefined
    if (first?.startsWith('gh-')) return first
  }
  for (const name of KEY_HEADERS) {
    const value = headers[name]
    if (typeof value !== 'string' || value === '') continue
    if (value.startsWith('gh-')) return value
    first ??= value
  }
  return first
}

const KEY_HEADERS = ['x-api-key', 'x-goog-api-key', 'api-key']

const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({})

// Beside `anthropic-*`: `x-sim` steers the simulator and means nothing to anybody else; W3C Trace Context keeps a call
// part of its caller's trace.
const PASSED = new Set(['openai-beta', 'x-sim', 'traceparent', 'tracestate'])

/** @returns the headers that are passed on to a provider of the same format */
function readPassHeaders(headers: IncomingHttpHeaders): Readonly<Record<string, string>> {
  let passed: Record<string, string> | undefined
  for (const name in headers) {
    if (!name.startsWith('anthropic-') && !PASSED.has(name)) continue
    const value = headers[name]
    if (typeof value !== 'string') continue
    passed ??= {}
    passed[name] = value
  }
  return passed ?? NO_HEADERS
}
