import type { ChatRequest, Reasoning, ResponseFormat, UnmappedField } from '../../chat.ts'
import { compact, type FieldReader, invalidField, isObject, type JsonObject } from './fields.ts'
import { fromSchema } from './from-schema.ts'

/** What `generationConfig` says of a request. */
export type ParsedConfig = Pick<
  ChatRequest,
  | 'outputTokensMax'
  | 'temperature'
  | 'topP'
  | 'topK'
  | 'stop'
  | 'seed'
  | 'n'
  | 'presencePenalty'
  | 'frequencyPenalty'
  | 'logprobs'
  | 'topLogprobs'
  | 'responseFormat'
  | 'reasoning'
>

/** @throws GatewayError `invalid_request` that names the field */
export function parseConfig(config: FieldReader, unmapped: UnmappedField[]): ParsedConfig {
  const thinking = config.object('thinkingConfig')
  const parsed: ParsedConfig = {
    outputTokensMax: atLeast(config, 'maxOutputTokens', 1),
    temperature: config.number('temperature'),
    topP: config.number('topP'),
    topK: config.integer('topK'),
    stop: config.strings('stopSequences'),
    seed: config.integer('seed'),
    n: atLeast(config, 'candidateCount', 1),
    presencePenalty: config.number('presencePenalty'),
    frequencyPenalty: config.number('frequencyPenalty'),
    logprobs: config.boolean('responseLogprobs'),
    topLogprobs: atLeast(config, 'logprobs', 0),
    responseFormat: parseResponseFormat(config, unmapped),
    reasoning: thinking === undefined ? undefined : parseThinking(thinking, unmapped),
  }
  unmapped.push(...config.rest().filter((field) => !isDefault(field)))
  return compact(parsed)
}

function atLeast(config: FieldReader, name: string, minimum: number): number | undefined {
  const value = config.integer(name)
  if (value !== undefined && value < minimum) {
    throw invalidField(config.at(name), `has to be at least ${minimum}.`)
  }
  return value
}

/** Text alone is what every model answers with. */
function isDefault(field: UnmappedField): boolean {
  const { path, value } = field
  return /\.response_?modalities$/i.test(path) && Array.isArray(value) && value.every((one) => one === 'TEXT')
}

function parseResponseFormat(config: FieldReader, unmapped: UnmappedField[]): ResponseFormat | undefined {
  const mediaType = config.string('responseMimeType')
  const schema = readResponseSchema(config)
  if (mediaType !== undefined && mediaType !== 'application/json' && mediaType !== 'text/plain') {
    // `text/x.enum`: one bare value out of a list, which nobody else offers.
    unmapped.push({ path: config.at('responseMimeType'), value: mediaType })
    return undefined
  }
  if (schema !== undefined) {
    const title = schema.title
    return { type: 'json-schema', name: toName(title), schema }
  }
  if (mediaType === undefined) return undefined
  return mediaType === 'application/json' ? { type: 'json' } : { type: 'text' }
}

function readResponseSchema(config: FieldReader): JsonObject | undefined {
  const json = config.value('responseJsonSchema')
  const schema = config.value('responseSchema')
  if (json !== undefined) {
    if (!isObject(json)) throw invalidField(config.at('responseJsonSchema'), 'has to be an object.')
    return json
  }
  return schema === undefined ? undefined : fromSchema(schema, config.at('responseSchema'))
}

/** OpenAI wants a name of letters, digits, `_` and `-`, of at most 64 characters; Gemini has none. */
function toName(title: unknown): string {
  return typeof title === 'string' && /^[\w-]{1,64}$/.test(title) ? title : 'response'
}

function parseThinking(thinking: FieldReader, unmapped: UnmappedField[]): Reasoning | undefined {
  const budget = thinking.integer('thinkingBudget')
  const level = thinking.string('thinkingLevel')
  const include = thinking.boolean('includeThoughts')
  unmapped.push(...thinking.rest())
  // -1 leaves the budget to the model: what the others do when nothing is said.
  if (budget !== undefined && budget < 0)
    unmapped.push({ path: thinking.at('thinkingBudget'), value: budget })
  const effort = level === undefined || /unspecified/i.test(level) ? undefined : level.toLowerCase()
  const reasoning: Reasoning = compact({
    effort,
    budgetTokens: budget !== undefined && budget >= 0 ? budget : undefined,
    summary: include === true ? 'auto' : undefined,
  })
  return Object.keys(reasoning).length === 0 ? undefined : reasoning
}
