import type { ChatRequest, Message, Reasoning, ResponseFormat, TextPart, UnmappedField } from '../../chat.ts'
import { parseToolChoice, parseTools } from './parse-tools.ts'
import { parseTextBlocks, parseTurn } from './parse-turn.ts'
import {
  arrayAt,
  type Fields,
  objectAt,
  optionalBoolean,
  optionalInteger,
  optionalNumber,
  optionalString,
  refuseField,
  stringAt,
} from './read-fields.ts'

/** Fields of the body that the neutral model carries, wholly or by the parsers below. */
const MAPPED = new Set([
  'model',
  'messages',
  'system',
  'max_tokens',
  'tools',
  'tool_choice',
  'stop_sequences',
  'temperature',
  'top_p',
  'top_k',
  'thinking',
  'output_config',
  'output_format',
  'metadata',
  'stream',
])

/**
 * Reads the body of `POST /v1/messages`.
 *
 * Tools that Anthropic runs itself and blocks the neutral model has no word for are kept, not refused: the same
 * request may be forwarded to Anthropic as it is. `assertTranslatable` refuses them where it is not.
 *
 * @throws GatewayError `invalid_request` that names the field
 */
export function parseMessagesRequest(body: unknown): ChatRequest {
  const fields = objectAt(body, 'body')
  const request = parseShared(fields)
  // 0 is a request to fill the prompt cache and write nothing (docstring of `max_tokens`, @anthropic-ai/sdk 1.11).
  const outputTokensMax = optionalInteger(fields.max_tokens, 'max_tokens', 0)
  if (outputTokensMax === undefined) refuseField('max_tokens', 'an integer: this API requires it')
  return { ...request, outputTokensMax }
}

/**
 * Reads the body of `POST /v1/messages/count_tokens`: the same, without `max_tokens`.
 *
 * @throws GatewayError `invalid_request` that names the field
 */
export function parseCountTokensRequest(body: unknown): ChatRequest {
  return parseShared(objectAt(body, 'body'))
}

/** @returns the JSON body of a reply to `count_tokens` */
export function toCountTokensReply(inputTokens: number): Fields {
  return { input_tokens: inputTokens }
}

function parseShared(fields: Fields): ChatRequest {
  const unmapped: UnmappedField[] = []
  for (const [name, value] of Object.entries(fields)) {
    if (!MAPPED.has(name) && value !== null && value !== undefined) unmapped.push({ path: name, value })
  }
  const turns = arrayAt(fields.messages, 'messages')
  if (turns.length === 0) refuseField('messages', 'an array of at least one message')
  const messages = [...parseSystem(fields.system)]
  for (const [index, turn] of turns.entries()) {
    messages.push(...parseTurn(turn, `messages[${index}]`, unmapped))
  }
  const { toolChoice, parallelToolCalls } = parseToolChoice(fields.tool_choice)
  const stop = parseStop(fields.stop_sequences)
  return {
    model: stringAt(fields.model, 'model'),
    messages,
    tools: parseTools(fields.tools, unmapped),
    toolChoice,
    parallelToolCalls,
    responseFormat: parseResponseFormat(fields),
    temperature: optionalNumber(fields.temperature, 'temperature'),
    topP: optionalNumber(fields.top_p, 'top_p'),
    topK: optionalInteger(fields.top_k, 'top_k', 0),
    stop,
    reasoning: parseReasoning(fields, unmapped),
    user: parseUser(fields.metadata, unmapped),
    stream: optionalBoolean(fields.stream, 'stream') ?? false,
    includeUsage: true,
    unmapped,
  }
}

function parseSystem(system: unknown): Message[] {
  if (system === undefined || system === null || system === '') return []
  const content: readonly TextPart[] =
    typeof system === 'string' ? [{ type: 'text', text: system }] : parseTextBlocks(system, 'system')
  return content.length === 0 ? [] : [{ role: 'system', content }]
}

function parseStop(value: unknown): readonly string[] | undefined {
  if (value === undefined || value === null) return undefined
  return arrayAt(value, 'stop_sequences').map((text, index) => stringAt(text, `stop_sequences[${index}]`))
}

function parseUser(metadata: unknown, unmapped: UnmappedField[]): string | undefined {
  if (metadata === undefined || metadata === null) return undefined
  const { user_id: user, ...rest } = objectAt(metadata, 'metadata')
  for (const [name, value] of Object.entries(rest)) unmapped.push({ path: `metadata.${name}`, value })
  return optionalString(user, 'metadata.user_id')
}

/** `output_format` is how the beta of structured outputs spelled `output_config.format`. */
function parseResponseFormat(fields: Fields): ResponseFormat | undefined {
  const config =
    fields.output_config === undefined || fields.output_config === null
      ? {}
      : objectAt(fields.output_config, 'output_config')
  const format = config.format ?? fields.output_format ?? undefined
  if (format === undefined) return undefined
  const path =
    config.format === undefined || config.format === null ? 'output_format' : 'output_config.format'
  const { type, schema } = objectAt(format, path)
  if (type !== 'json_schema') refuseField(`${path}.type`, '"json_schema"')
  // The name is ours: this API gives formats none, and others require one.
  return { type: 'json-schema', name: 'output', schema: objectAt(schema, `${path}.schema`), strict: true }
}

/**
 * @returns `{}` for thinking of which the model itself decides the amount; `budgetTokens: 0` for thinking off.
 *   What says more than the neutral model can hold goes to `unmapped` beside it
 */
function parseReasoning(fields: Fields, unmapped: UnmappedField[]): Reasoning | undefined {
  const effort = parseEffort(fields.output_config, unmapped)
  if (fields.thinking === undefined || fields.thinking === null) {
    return effort === undefined ? undefined : { effort }
  }
  const thinking = objectAt(fields.thinking, 'thinking')
  const display = optionalString(thinking.display, 'thinking.display')
  if (display === 'omitted') unmapped.push({ path: 'thinking.display', value: display })
  switch (thinking.type) {
    case 'enabled': {
      const budgetTokens = optionalInteger(thinking.budget_tokens, 'thinking.budget_tokens', 0)
      if (budgetTokens === undefined) refuseField('thinking.budget_tokens', 'an integer')
      return { effort, budgetTokens, summary: display === 'omitted' ? undefined : 'auto' }
    }
    case 'adaptive':
      return { effort, summary: display === 'summarized' ? 'auto' : undefined }
    case 'disabled':
    case 'between_tools':
      // Without thinking, effort steers the length of the answer: no other API has that.
      if (effort !== undefined && !unmapped.some((field) => field.path === 'output_config.effort')) {
        unmapped.push({ path: 'output_config.effort', value: effort })
      }
      return { budgetTokens: 0 }
    default:
      return refuseField('thinking.type', '"enabled", "adaptive", "between_tools" or "disabled"')
  }
}

function parseEffort(outputConfig: unknown, unmapped: UnmappedField[]): string | undefined {
  if (outputConfig === undefined || outputConfig === null) return undefined
  const { effort, format: _format, ...rest } = objectAt(outputConfig, 'output_config')
  for (const [name, value] of Object.entries(rest)) unmapped.push({ path: `output_config.${name}`, value })
  const word = optionalString(effort, 'output_config.effort')
  if (word !== 'max') return word
  // The neutral scale ends at `xhigh`.
  unmapped.push({ path: 'output_config.effort', value: word })
  return 'xhigh'
}
