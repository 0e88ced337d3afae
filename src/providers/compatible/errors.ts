import { type Fields, isObject } from '../../contract/formats/chat/fields.ts'
import type { UpstreamFailure } from '../provider.ts'

/** Error texts are shown and logged: longer ones are somebody's stack trace or page. */
const MESSAGE_LENGTH_MAX = 2000

/** A provider's error as far as its body says it. */
export interface ProviderError {
  readonly message: string
  readonly type?: string
  readonly code?: string
}

/**
 * Reads the error of a reply.
 *
 * @param body parsed JSON, text, or `undefined`
 */
export function fromError(status: number, body: unknown): UpstreamFailure {
  const described = describeError(body)
  const message =
    described.message === '' ? `The provider answered with status ${status}.` : described.message
  return { ...described, message, contextLengthExceeded: isContextLength(status, described) }
}

/** @returns what the body says; `message` is `''` where it says nothing */
export function describeError(body: unknown): ProviderError {
  if (typeof body === 'string') return { message: body.slice(0, MESSAGE_LENGTH_MAX).trim() }
  // Google's compatible endpoint wraps the error in an array.
  const outer: unknown = Array.isArray(body) ? body[0] : body
  if (!isObject(outer)) return { message: '' }
  // OpenAI nests it; vLLM, Mistral, Cohere and SGLang write it flat; Ollama writes a string.
  const inner = isObject(outer.error) ? outer.error : outer
  const message = typeof outer.error === 'string' ? outer.error : messageOf(inner)
  const type = wordOf(inner.type)
  const code = wordOf(inner.code)
  return {
    message: message.slice(0, MESSAGE_LENGTH_MAX),
    ...(type === undefined ? {} : { type }),
    ...(code === undefined ? {} : { code }),
  }
}

function messageOf(error: Fields): string {
  const text = error.message ?? error.msg ?? error.detail
  const own = typeof text === 'string' ? text : validationText(text)
  // OpenRouter says only "Provider returned error" itself and keeps the reason of the one behind it.
  const raw = isObject(error.metadata) ? error.metadata.raw : undefined
  return typeof raw === 'string' && raw !== '' ? `${own}: ${raw}` : own
}

/** @returns the sentences of FastAPI's `detail: [{loc, msg}]`, which Mistral, vLLM and many others answer 422 with */
function validationText(detail: unknown): string {
  if (isObject(detail)) return messageOf(detail)
  if (!Array.isArray(detail)) return ''
  return detail
    .filter(isObject)
    .map(
      ({ loc, msg }) =>
        `${Array.isArray(loc) ? `${loc.join('.')}: ` : ''}${typeof msg === 'string' ? msg : ''}`,
    )
    .join('; ')
}

/** Codes are words at some providers and numbers at others. */
function wordOf(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value
  return typeof value === 'number' ? String(value) : undefined
}

/**
 * Codes and types that mean it: OpenAI, Groq, Cerebras and others; llama.cpp; Zhipu 1261
 * (https://docs.z.ai/api-reference/api-code, read 2026-11-21); Mistral 3051 is for a prompt too large for the model.
 */
const CONTEXT_WORDS = new Set([
  'context_length_exceeded',
  'exceed_context_size_error',
  'string_above_max_length',
  '1261',
  '3051',
])

/** Sentences that mean it where no code says so: vLLM, SGLang, Mistral, xAI, Together, Fireworks, Moonshot, TGI. */
const CONTEXT_SENTENCES = new RegExp(
  [
    'maximum context length',
    'maximum prompt length',
    'maximum (?:input|sequence) length',
    'context (?:length|window|size)',
    'prompt is too long',
    'input is too long',
    'input token count .* exceeds',
    'longer than the (?:model|maximum)',
    'too large for model',
    'exceeded model token limit',
    'reduce the length of the (?:messages|prompt|input)',
    'must (?:be|have) (?:<=|less than) \\d+ (?:tokens)?',
    'Prompt 超长|prompt 超长',
  ].join('|'),
  'i',
)

/** Statuses of a caller's mistake; 500 for those llama.cpp versions that answer so. */
const CONTEXT_STATUSES = new Set([400, 413, 422, 500])

function isContextLength(status: number, error: ProviderError): boolean {
  if (!CONTEXT_STATUSES.has(status)) return false
  if (CONTEXT_WORDS.has(error.code ?? '') || CONTEXT_WORDS.has(error.type ?? '')) return true
  return CONTEXT_SENTENCES.test(error.message)
}
