import { GatewayError } from '../../../core/errors.ts'
import type { ChatRequest, Message, UnmappedField } from '../../chat.ts'
import {
  type Fields,
  invalidRequest,
  isAbsent,
  isObject,
  optionalInteger,
  parseString,
} from '../chat/fields.ts'
import { parseRequest as parseChatRequest } from '../chat/parse-request.ts'

/** OpenAI's bound on `logprobs` of this route (its API reference, read 2026-11-21). */
const LOGPROBS_MAX = 5

/** Fields of this route alone; they have no counterpart in a conversation. */
const OWN_FIELDS = ['suffix', 'echo', 'best_of'] as const

/**
 * Reads the legacy `POST /v1/completions` as a conversation of one user turn per prompt. No cap is added where the
 * caller gave none, though this route's default was 16 tokens: a model that thinks would use them up in silence.
 *
 * @throws GatewayError `invalid_request` naming the field
 */
export function parseRequest(body: unknown): ChatRequest {
  if (!isObject(body)) throw invalidRequest(undefined, 'The body must be a JSON object.')
  const { prompt, logprobs, suffix, echo, best_of, ...shared } = body
  const top = optionalInteger(logprobs, 'logprobs', 0, LOGPROBS_MAX)
  // Read by the chat format, whose fields of the same name mean the same; the prompt is a turn of its own kind.
  const request = parseChatRequest({
    ...shared,
    messages: [{ role: 'user', content: '' }],
    ...(top === undefined ? {} : { logprobs: true, top_logprobs: top }),
  })
  const unmapped: UnmappedField[] = [...request.unmapped]
  const own: Fields = { suffix, echo, best_of }
  for (const path of OWN_FIELDS) {
    const value = own[path]
    if (!isAbsent(value) && value !== false) unmapped.push({ path, value })
  }
  return { ...request, messages: parsePrompt(prompt, unmapped), unmapped }
}

/** One prompt, or several answered apart: a text, or the ids of its tokens. */
function parsePrompt(prompt: unknown, unmapped: UnmappedField[]): Message[] {
  if (typeof prompt === 'string') return [userTurn(prompt)]
  if (!Array.isArray(prompt) || prompt.length === 0) {
    throw invalidRequest(
      'prompt',
      "Invalid 'prompt': expected a string, or an array of strings or of token ids.",
    )
  }
  if (prompt.every((item) => typeof item === 'number')) return [tokenTurn(prompt)]
  if (prompt.length > 1) unmapped.push({ path: 'prompt', value: prompt })
  return prompt.map((item, index) =>
    Array.isArray(item) ? tokenTurn(item) : userTurn(parseString(item, `prompt[${index}]`)),
  )
}

function userTurn(text: string): Message {
  return { role: 'user', content: [{ type: 'text', text }] }
}

function tokenTurn(tokens: readonly unknown[]): Message {
  return { role: 'user', content: [{ type: 'other', format: 'chat', raw: { tokens } }] }
}

/**
 * To be called before such a request goes to a provider as a conversation. A provider with this route gets the
 * caller's bytes and needs none of this.
 *
 * @throws GatewayError `unsupported_feature` for what a conversation cannot express
 */
export function assertTranslatable(request: ChatRequest): void {
  for (const { path } of request.unmapped) {
    if (path === 'suffix') {
      throw unsupported(
        'suffix',
        'The provider of this model has no completions route, so it cannot fill in the middle.',
      )
    }
    if (path === 'prompt') {
      throw unsupported(
        'prompt',
        'The provider of this model has no completions route; send one prompt per request.',
      )
    }
  }
  if (request.messages.some(({ content }) => content.some(({ type }) => type === 'other'))) {
    throw unsupported(
      'prompt',
      'The provider of this model has no completions route; send the prompt as text.',
    )
  }
}

function unsupported(param: string, message: string): GatewayError {
  return new GatewayError('unsupported_feature', { message, param })
}

/** @returns the prompt where the caller wants it in front of the answer, else `''` */
export function echoedPrompt(request: ChatRequest): string {
  if (!request.unmapped.some(({ path, value }) => path === 'echo' && value === true)) return ''
  const part = request.messages[0]?.content[0]
  return part?.type === 'text' ? part.text : ''
}
