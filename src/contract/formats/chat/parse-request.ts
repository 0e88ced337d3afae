import type { ChatRequest, Message, Reasoning, UnmappedField } from '../../chat.ts'
import {
  type Fields,
  invalidRequest,
  isAbsent,
  isObject,
  optionalBoolean,
  optionalInteger,
  optionalNumber,
  optionalObject,
  optionalString,
  optionalStrings,
  parseObject,
} from './fields.ts'
import { parseMessages } from './parse-messages.ts'
import { parseResponseFormat, parseToolChoice, parseTools } from './parse-tools.ts'
import { collectUnmapped } from './unmapped.ts'

const KNOWN_FIELDS = new Set([
  'model',
  'messages',
  'tools',
  'tool_choice',
  'functions',
  'function_call',
  'parallel_tool_calls',
  'response_format',
  'max_tokens',
  'max_completion_tokens',
  'temperature',
  'top_p',
  'top_k',
  'stop',
  'seed',
  'n',
  'presence_penalty',
  'frequency_penalty',
  'logit_bias',
  'logprobs',
  'top_logprobs',
  'reasoning_effort',
  'reasoning',
  'thinking',
  'user',
  'metadata',
  'stream',
  'stream_options',
])
const STREAM_OPTION_FIELDS = new Set(['include_usage'])
const REASONING_FIELDS = new Set(['effort', 'max_tokens', 'summary'])

/** OpenAI's own bound on `n` (its API reference, read 2026-11-21). */
const CHOICES_MAX = 128
const TOP_LOGPROBS_MAX = 20

/**
 * @param body JSON of `POST /v1/chat/completions`
 * @returns the request; fields that no other format knows stand in `unmapped`
 * @throws GatewayError `invalid_request` naming the field
 */
export function parseRequest(body: unknown): ChatRequest {
  if (!isObject(body)) throw invalidRequest(undefined, 'The body must be a JSON object.')
  const unmapped: UnmappedField[] = []
  collectUnmapped(body, KNOWN_FIELDS, '', unmapped)
  // The deprecated `functions` are tools here; that they were asked for tells the reply how to name its calls.
  if (isAbsent(body.tools) && !isAbsent(body.functions)) {
    unmapped.push({ path: 'functions', value: body.functions })
  }
  const messages = parseConversation(body, unmapped)
  const stream = optionalBoolean(body.stream, 'stream') ?? false
  return {
    model: parseModel(body),
    messages,
    tools: parseTools(body, unmapped),
    toolChoice: parseToolChoice(body, unmapped),
    parallelToolCalls: optionalBoolean(body.parallel_tool_calls, 'parallel_tool_calls'),
    responseFormat: parseResponseFormat(body.response_format, unmapped),
    outputTokensMax: parseOutputCap(body),
    temperature: optionalNumber(body.temperature, 'temperature'),
    topP: optionalNumber(body.top_p, 'top_p'),
    topK: optionalNumber(body.top_k, 'top_k'),
    stop: optionalStrings(body.stop, 'stop'),
    seed: optionalNumber(body.seed, 'seed'),
    n: optionalInteger(body.n, 'n', 1, CHOICES_MAX),
    presencePenalty: optionalNumber(body.presence_penalty, 'presence_penalty'),
    frequencyPenalty: optionalNumber(body.frequency_penalty, 'frequency_penalty'),
    logitBias: parseLogitBias(body.logit_bias),
    logprobs: optionalBoolean(body.logprobs, 'logprobs'),
    topLogprobs: optionalInteger(body.top_logprobs, 'top_logprobs', 0, TOP_LOGPROBS_MAX),
    reasoning: parseReasoning(body, unmapped),
    user: optionalString(body.user, 'user'),
    metadata: optionalObject(body.metadata, 'metadata'),
    stream,
    includeUsage: parseIncludeUsage(body, stream, unmapped),
    unmapped,
  }
}

/** A stored prompt (`prompt: {…}`) may bring its own model and messages. */
function hasPrompt(body: Fields): boolean {
  return isObject(body.prompt)
}

function parseModel(body: Fields): string {
  if (isAbsent(body.model) && hasPrompt(body)) return ''
  if (typeof body.model === 'string' && body.model !== '') return body.model
  throw invalidRequest('model', "You must provide a 'model': the name of a model, as a string.")
}

function parseConversation(body: Fields, unmapped: UnmappedField[]): Message[] {
  if (!isAbsent(body.messages)) return parseMessages(body.messages, unmapped)
  if (hasPrompt(body)) return []
  const hint = isAbsent(body.input) ? '' : " A body with 'input' belongs to /v1/responses."
  throw invalidRequest('messages', `Missing required parameter: 'messages'.${hint}`)
}

/** @returns the cap; `undefined` also for -1, by which LM Studio and llama.cpp mean "no cap" */
function parseOutputCap(body: Fields): number | undefined {
  const field = isAbsent(body.max_completion_tokens) ? 'max_tokens' : 'max_completion_tokens'
  return body[field] === -1 ? undefined : optionalInteger(body[field], field, 1)
}

function parseLogitBias(value: unknown): Readonly<Record<string, number>> | undefined {
  const bias = optionalObject(value, 'logit_bias')
  if (bias === undefined) return undefined
  const parsed: Record<string, number> = {}
  for (const [token, weight] of Object.entries(bias)) {
    const number = optionalNumber(weight, `logit_bias.${token}`)
    if (number !== undefined) parsed[token] = number
  }
  return parsed
}

/** `reasoning_effort` is OpenAI's, `reasoning` OpenRouter's, `thinking` Anthropic's and DeepSeek's way to ask for it. */
function parseReasoning(body: Fields, unmapped: UnmappedField[]): Reasoning | undefined {
  const reasoning = optionalObject(body.reasoning, 'reasoning')
  if (reasoning !== undefined) collectUnmapped(reasoning, REASONING_FIELDS, 'reasoning.', unmapped)
  const effort =
    optionalString(body.reasoning_effort, 'reasoning_effort') ??
    optionalString(reasoning?.effort, 'reasoning.effort')
  const budgetTokens =
    optionalInteger(reasoning?.max_tokens, 'reasoning.max_tokens', 0) ?? thinkingBudget(body, unmapped)
  const summary = optionalString(reasoning?.summary, 'reasoning.summary')
  if (effort === undefined && budgetTokens === undefined && summary === undefined) return undefined
  return {
    ...(effort === undefined ? {} : { effort }),
    ...(budgetTokens === undefined ? {} : { budgetTokens }),
    ...(summary === undefined ? {} : { summary }),
  }
}

function thinkingBudget(body: Fields, unmapped: UnmappedField[]): number | undefined {
  const thinking = optionalObject(body.thinking, 'thinking')
  if (thinking === undefined) return undefined
  if (thinking.type === 'disabled') return 0
  if (isAbsent(thinking.budget_tokens)) unmapped.push({ path: 'thinking', value: thinking })
  return optionalInteger(thinking.budget_tokens, 'thinking.budget_tokens', 0)
}

function parseIncludeUsage(body: Fields, stream: boolean, unmapped: UnmappedField[]): boolean {
  if (isAbsent(body.stream_options)) return false
  const options = parseObject(body.stream_options, 'stream_options')
  collectUnmapped(options, STREAM_OPTION_FIELDS, 'stream_options.', unmapped)
  const includeUsage = optionalBoolean(options.include_usage, 'stream_options.include_usage') ?? false
  return stream && includeUsage
}
