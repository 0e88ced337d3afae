import type { Message, Reasoning, ResponseFormat, UnmappedField } from '../../chat.ts'
import {
  invalidField,
  isObject,
  type JsonObject,
  readArray,
  readBoolean,
  readInteger,
  readNumber,
  readObject,
  readString,
  requireString,
} from './fields.ts'
import { parseInput } from './parse-input.ts'
import { type ParsedTools, parseToolChoice, parseTools } from './parse-tools.ts'
import type { ResponsesRequest } from './responses-request.ts'

/** Fields that `parseRequest` reads into the neutral model; `store` and `stream_options` only steer OpenAI. */
const MAPPED = new Set([
  'model',
  'input',
  'instructions',
  'tools',
  'tool_choice',
  'parallel_tool_calls',
  'text',
  'reasoning',
  'max_output_tokens',
  'temperature',
  'top_p',
  'top_logprobs',
  'include',
  'metadata',
  'user',
  'safety_identifier',
  'stream',
  'stream_options',
  'prompt',
])

/** Values that ask for what happens anyway. */
const DEFAULTS: Readonly<Record<string, unknown>> = {
  background: false,
  store: false,
  truncation: 'disabled',
  service_tier: 'auto',
}

/**
 * Reads the body of `POST /v1/responses`. What only OpenAI can do stays in `unmapped`: its own format carries it,
 * and `requireTranslatable` refuses what another format may not leave out.
 *
 * @throws GatewayError `invalid_request`, `param` naming the field
 */
export function parseRequest(body: unknown): ResponsesRequest {
  if (!isObject(body)) throw invalidField('body', 'must be a JSON object')
  const model = requireString(body, 'model')
  if (model === '') throw invalidField('model', 'must not be empty')
  const { input: rawInput, ...settings } = body
  const input = parseInput(rawInput ?? (canLackInput(body) ? [] : undefined))
  const tools = joinTools([
    parseTools(readArray(body, 'tools') ?? [], 'tools'),
    ...input.tools.map((extra) => parseTools(extra.raw, extra.path)),
  ])
  const choice = parseToolChoice(body.tool_choice, tools.identities)
  const allowed = choice.allowed
  const offered = allowed === undefined ? tools.tools : tools.tools.filter((tool) => allowed.has(tool.name))
  const text = parseText(readObject(body, 'text'))
  const reasoning = parseReasoning(readObject(body, 'reasoning'))
  const include = parseInclude(readArray(body, 'include'))
  const topLogprobs = readInteger(body, 'top_logprobs', 0)
  const logprobs = include.logprobs || (topLogprobs ?? 0) > 0
  return {
    model,
    messages: [...instructionsOf(body), ...input.messages],
    ...(offered.length === 0 ? {} : { tools: offered }),
    ...given({
      toolChoice: choice.toolChoice,
      parallelToolCalls: readBoolean(body, 'parallel_tool_calls'),
      responseFormat: text.format,
      outputTokensMax: readInteger(body, 'max_output_tokens', 1),
      temperature: readNumber(body, 'temperature'),
      topP: readNumber(body, 'top_p'),
      reasoning: reasoning.reasoning,
      // The contract counts the body's `user` as the end user; `safety_identifier` is its newer name.
      user: readString(body, 'user') ?? readString(body, 'safety_identifier'),
      metadata: readObject(body, 'metadata'),
    }),
    ...(logprobs ? { logprobs: true, ...given({ topLogprobs: topLogprobs || undefined }) } : {}),
    stream: readBoolean(body, 'stream') ?? false,
    includeUsage: true,
    unmapped: [
      ...unmappedSettings(body),
      ...tools.unmapped,
      ...(choice.hosted ? [{ path: 'tool_choice', value: body.tool_choice }] : []),
      ...text.unmapped,
      ...reasoning.unmapped,
      ...include.unmapped,
      ...input.unmapped,
    ],
    responses: { settings, tools: tools.identities },
  }
}

/** A stored prompt or conversation may be the whole input. */
function canLackInput(body: JsonObject): boolean {
  return [body.prompt, body.previous_response_id, body.conversation].some(
    (value) => value !== undefined && value !== null,
  )
}

function instructionsOf(body: JsonObject): Message[] {
  const text = readString(body, 'instructions')
  return text === undefined || text === '' ? [] : [{ role: 'system', content: [{ type: 'text', text }] }]
}

function joinTools(groups: readonly ParsedTools[]): ParsedTools {
  return {
    tools: groups.flatMap((group) => group.tools),
    identities: groups.flatMap((group) => group.identities),
    unmapped: groups.flatMap((group) => group.unmapped),
  }
}

function parseText(raw: JsonObject | undefined): {
  readonly format?: ResponseFormat
  readonly unmapped: readonly UnmappedField[]
} {
  if (raw === undefined) return { unmapped: [] }
  const unmapped = unreadFields(raw, new Set(['format']), 'text.')
  const format = readObject(raw, 'format', 'text.format')
  switch (format?.type) {
    case undefined:
      return { unmapped }
    case 'text':
      return { format: { type: 'text' }, unmapped }
    case 'json_object':
      return { format: { type: 'json' }, unmapped }
    case 'json_schema': {
      const schema = readObject(format, 'schema', 'text.format.schema')
      if (schema === undefined) throw invalidField('text.format.schema', 'is required')
      return {
        format: {
          type: 'json-schema',
          name: requireString(format, 'name', 'text.format.name'),
          schema,
          ...given({
            description: readString(format, 'description', 'text.format.description'),
            strict: readBoolean(format, 'strict', 'text.format.strict'),
          }),
        },
        unmapped,
      }
    }
    default:
      return { unmapped: [...unmapped, { path: 'text.format', value: format }] }
  }
}

function parseReasoning(raw: JsonObject | undefined): {
  readonly reasoning?: Reasoning
  readonly unmapped: readonly UnmappedField[]
} {
  if (raw === undefined) return { unmapped: [] }
  const reasoning = given({
    effort: readString(raw, 'effort', 'reasoning.effort'),
    // `generate_summary` is the older name of `summary`.
    summary:
      readString(raw, 'summary', 'reasoning.summary') ??
      readString(raw, 'generate_summary', 'reasoning.generate_summary'),
  })
  const unmapped = unreadFields(raw, new Set(['effort', 'summary', 'generate_summary']), 'reasoning.')
  return { ...(Object.keys(reasoning).length === 0 ? {} : { reasoning }), unmapped }
}

/** Encrypted thoughts come back whether asked for or not, so asking for them is nothing to warn about. */
function parseInclude(raw: readonly unknown[] | undefined): {
  readonly logprobs: boolean
  readonly unmapped: readonly UnmappedField[]
} {
  const values = raw ?? []
  const rest = values.filter(
    (value) => value !== 'reasoning.encrypted_content' && value !== 'message.output_text.logprobs',
  )
  return {
    logprobs: values.includes('message.output_text.logprobs'),
    unmapped: rest.length === 0 ? [] : [{ path: 'include', value: rest }],
  }
}

function unmappedSettings(body: JsonObject): UnmappedField[] {
  const fields = unreadFields(body, MAPPED, '').filter(({ path, value }) => DEFAULTS[path] !== value)
  // A prompt with an id is stored at OpenAI; one without is ours (the contract's `prompt: {variables}`).
  if (isObject(body.prompt) && body.prompt.id !== undefined)
    fields.push({ path: 'prompt', value: body.prompt })
  // Both names of the end user may be given and differ; the neutral model has one.
  if (isGiven(body.user) && isGiven(body.safety_identifier) && body.user !== body.safety_identifier) {
    fields.push({ path: 'safety_identifier', value: body.safety_identifier })
  }
  return fields
}

function unreadFields(source: JsonObject, known: ReadonlySet<string>, prefix: string): UnmappedField[] {
  return Object.entries(source)
    .filter(([field, value]) => !known.has(field) && isGiven(value))
    .map(([field, value]) => ({ path: `${prefix}${field}`, value }))
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null
}

/** @returns the fields that have a value, so that "not given" stays an absent property */
function given<Fields extends Record<string, unknown>>(
  fields: Fields,
): { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } {
  const result: { [Name in keyof Fields]?: Exclude<Fields[Name], undefined> } = {}
  for (const name of Object.keys(fields) as (keyof Fields)[]) {
    const value = fields[name]
    if (value !== undefined) result[name] = value as Exclude<Fields[typeof name], undefined>
  }
  return result
}
