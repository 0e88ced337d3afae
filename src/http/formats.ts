import type { IncomingHttpHeaders } from 'node:http'
import type { ChatRequest } from '../contract/chat.ts'
import type { EmbeddingFormat } from '../contract/embeddings.ts'
import type { ChatFormat } from '../contract/format.ts'
import { chatFormat } from '../contract/formats/chat/chat-format.ts'
import { completionsFormat } from '../contract/formats/completions/completions-format.ts'
import { assertTranslatable as requireTranslatableCompletions } from '../contract/formats/completions/parse-request.ts'
import { embeddingsFormat } from '../contract/formats/embeddings.ts'
import {
  parseCountTokens,
  toCountTokensReply as toGeminiCount,
} from '../contract/formats/gemini/count-tokens.ts'
import { geminiBatchEmbedFormat, geminiEmbedFormat } from '../contract/formats/gemini/embeddings.ts'
import { arrayStyle, formerStyle } from '../contract/formats/gemini/encoder.ts'
import { geminiFormat } from '../contract/formats/gemini/gemini-format.ts'
import { requireTranslatable as requireTranslatableGemini } from '../contract/formats/gemini/translatable.ts'
import { messagesFormat } from '../contract/formats/messages/format.ts'
import {
  parseCountTokensRequest,
  toCountTokensReply as toMessagesCount,
} from '../contract/formats/messages/parse-request.ts'
import { assertTranslatable as requireTranslatableMessages } from '../contract/formats/messages/translatable.ts'
import { responsesFormat } from '../contract/formats/responses/responses-format.ts'
import { requireTranslatable as requireTranslatableResponses } from '../contract/formats/responses/responses-request.ts'
import type { Operation } from '../contract/operation.ts'
import type { CallFormat } from '../pipeline/exchange.ts'

const CHAT_FORMATS: Partial<Record<CallFormat, ChatFormat>> = {
  chat: chatFormat,
  responses: responsesFormat,
  messages: messagesFormat,
  gemini: geminiFormat,
  completions: completionsFormat,
}

const COUNT_FORMATS: Partial<Record<CallFormat, Pick<ChatFormat, 'parseRequest'>>> = {
  messages: { parseRequest: parseCountTokensRequest },
  gemini: { parseRequest: parseCountTokens },
}

/** @returns how conversations are written for the caller of a route */
export function chatFormatOf(format: CallFormat): ChatFormat {
  const found = CHAT_FORMATS[format]
  if (found === undefined) throw new Error(`No conversation is held in the format ${format}.`)
  return found
}

// How Google's former client names itself in `x-goog-api-client`.
const FORMER_GOOGLE_CLIENT = /\bgenai-js\//

/** How a stream is written, and kept open while it is silent. */
export type StreamStyle = Pick<ChatFormat, 'createEncoder' | 'heartbeat'>

/** @returns the style that the caller's client can read: that of the format, but for two habits of Gemini */
export function streamStyleOf(
  format: ChatFormat,
  headers: IncomingHttpHeaders,
  arrayStream: boolean,
): StreamStyle {
  if (arrayStream) return arrayStyle
  const client = headers['x-goog-api-client']
  const isFormer = format.name === 'gemini' && typeof client === 'string' && FORMER_GOOGLE_CLIENT.test(client)
  return isFormer ? formerStyle : format
}

/** @returns how the body of a conversation, or of the question how long one is, is read */
export function chatReaderOf(format: CallFormat, operation: Operation): Pick<ChatFormat, 'parseRequest'> {
  return (operation === 'token-count' ? COUNT_FORMATS[format] : undefined) ?? chatFormatOf(format)
}

// What forwarded bodies may hold and translated ones may not, by the format that has it.
const TRANSLATABLE: Partial<Record<CallFormat, (request: ChatRequest) => void>> = {
  completions: requireTranslatableCompletions,
  responses: requireTranslatableResponses,
  messages: requireTranslatableMessages,
  gemini: requireTranslatableGemini,
}

/** @throws GatewayError `unsupported_feature` where only a provider of the caller's own format could answer */
export function requireTranslatable(format: CallFormat, request: ChatRequest): ChatRequest {
  TRANSLATABLE[format]?.(request)
  return request
}

// State of another provider that we handed to a client in its own format's clothes: it can be translated back, and
// means nothing to a provider of that format.
const CARRIED_STATE: Partial<Record<CallFormat, string>> = {
  responses: '"gatehouse1.',
  messages: '"gatehouse-reasoning.',
}

/** @returns whether a provider of the caller's format would understand the body as it is */
export function isForwardable(format: CallFormat, body: Buffer | undefined): boolean {
  const mark = CARRIED_STATE[format]
  return mark === undefined || body === undefined || !body.includes(mark)
}

/** @param json a Gemini body with `requests` is a batch */
export function embeddingFormatOf(
  format: CallFormat,
  json: Readonly<Record<string, unknown>> | undefined,
): EmbeddingFormat {
  if (format !== 'gemini-embeddings') return embeddingsFormat
  return json?.requests === undefined ? geminiEmbedFormat : geminiBatchEmbedFormat
}

/** @returns the body that tells a caller how many tokens a request has */
export function toTokenCountBody(format: CallFormat, inputTokens: number): unknown {
  return format === 'gemini' ? toGeminiCount(inputTokens) : toMessagesCount(inputTokens)
}
