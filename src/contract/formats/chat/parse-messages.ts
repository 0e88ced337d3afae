import type { FilePart, ImagePart, Message, Part, TextPart, ToolCallPart, UnmappedField } from '../../chat.ts'
import {
  type Fields,
  invalidRequest,
  isAbsent,
  isObject,
  optionalString,
  parseArray,
  parseObject,
  parseString,
} from './fields.ts'
import { parseContent } from './parse-content.ts'
import { fromThoughtFields } from './reasoning-details.ts'
import { collectUnmapped } from './unmapped.ts'

const PLAIN_FIELDS = new Set(['role', 'content', 'name'])
const TOOL_FIELDS = new Set(['role', 'content', 'name', 'tool_call_id'])
const ASSISTANT_FIELDS = new Set([
  'role',
  'content',
  'name',
  'refusal',
  'tool_calls',
  'function_call',
  'audio',
  'reasoning',
  'reasoning_content',
  'reasoning_details',
])

/** Calls of the deprecated `function_call` have no ids; results follow their call, so a count makes them. */
interface LegacyCalls {
  count: number
  lastId: string
}

/**
 * @returns the turns, in order
 * @throws GatewayError `invalid_request` naming the field, for example `messages[2].content`
 */
export function parseMessages(value: unknown, unmapped: UnmappedField[]): Message[] {
  const list = parseArray(value, 'messages')
  if (list.length === 0)
    throw invalidRequest('messages', "Invalid 'messages': at least one message is required.")
  const legacy: LegacyCalls = { count: 0, lastId: 'call_function_0' }
  return list.map((item, index) => parseMessage(item, `messages[${index}]`, legacy, unmapped))
}

function parseMessage(value: unknown, path: string, legacy: LegacyCalls, unmapped: UnmappedField[]): Message {
  const message = parseObject(value, path)
  const role = parseString(message.role, `${path}.role`)
  switch (role) {
    case 'system':
    case 'developer':
      return parsePlain('system', message, path, unmapped)
    case 'user':
      return parsePlain('user', message, path, unmapped)
    case 'assistant':
      return parseAssistant(message, path, legacy, unmapped)
    case 'tool':
      return parseToolResult(message, path, unmapped)
    case 'function':
      return parseFunctionResult(message, path, legacy, unmapped)
    default:
      throw invalidRequest(
        `${path}.role`,
        `Invalid value for '${path}.role': expected system, developer, user, assistant, tool or function.`,
      )
  }
}

function parsePlain(
  role: 'system' | 'user',
  message: Fields,
  path: string,
  unmapped: UnmappedField[],
): Message {
  if (isAbsent(message.content)) {
    throw invalidRequest(
      `${path}.content`,
      `Missing '${path}.content': a string or an array of parts is required.`,
    )
  }
  collectUnmapped(message, PLAIN_FIELDS, `${path}.`, unmapped)
  return withName(
    { role, content: parseContent(message.content, `${path}.content`, unmapped) },
    message,
    path,
  )
}

function withName(parsed: Message, message: Fields, path: string): Message {
  const name = optionalString(message.name, `${path}.name`)
  return name === undefined ? parsed : { ...parsed, name }
}

function parseAssistant(
  message: Fields,
  path: string,
  legacy: LegacyCalls,
  unmapped: UnmappedField[],
): Message {
  collectUnmapped(message, ASSISTANT_FIELDS, `${path}.`, unmapped)
  const content: Part[] = [
    ...fromThoughtFields(message),
    ...parseContent(message.content, `${path}.content`, unmapped),
  ]
  const refusal = optionalString(message.refusal, `${path}.refusal`)
  if (refusal !== undefined) content.push({ type: 'refusal', text: refusal })
  // An earlier spoken answer, by its id at OpenAI.
  if (isObject(message.audio)) content.push({ type: 'other', format: 'chat', raw: { audio: message.audio } })
  if (!isAbsent(message.function_call)) content.push(parseFunctionCall(message.function_call, path, legacy))
  if (!isAbsent(message.tool_calls)) {
    const calls = parseArray(message.tool_calls, `${path}.tool_calls`)
    content.push(...calls.map((call, index) => parseToolCall(call, `${path}.tool_calls[${index}]`)))
  }
  return withName({ role: 'assistant', content }, message, path)
}

function parseToolCall(value: unknown, path: string): Part {
  const call = parseObject(value, path)
  // Custom tools take free text, which no other format knows.
  if (call.type === 'custom') return { type: 'other', format: 'chat', raw: { tool_calls: [call] } }
  const called = parseObject(call.function, `${path}.function`)
  const signature = thoughtSignature(call)
  return {
    type: 'tool-call',
    id: parseString(call.id, `${path}.id`),
    name: parseString(called.name, `${path}.function.name`),
    arguments: optionalString(called.arguments, `${path}.function.arguments`) ?? '',
    ...(signature === undefined ? {} : { signature }),
  } satisfies ToolCallPart
}

/**
 * Where Google's OpenAI-compatible endpoint keeps the signature of a call
 * (https://ai.google.dev/gemini-api/docs/thought-signatures, read 2026-11-21).
 */
export function thoughtSignature(call: Fields): string | undefined {
  const google = isObject(call.extra_content) ? call.extra_content.google : undefined
  const signature = isObject(google) ? google.thought_signature : undefined
  return typeof signature === 'string' ? signature : undefined
}

function parseFunctionCall(value: unknown, path: string, legacy: LegacyCalls): ToolCallPart {
  const call = parseObject(value, `${path}.function_call`)
  legacy.lastId = `call_function_${legacy.count}`
  legacy.count += 1
  return {
    type: 'tool-call',
    id: legacy.lastId,
    name: parseString(call.name, `${path}.function_call.name`),
    arguments: optionalString(call.arguments, `${path}.function_call.arguments`) ?? '',
  }
}

function parseToolResult(message: Fields, path: string, unmapped: UnmappedField[]): Message {
  collectUnmapped(message, TOOL_FIELDS, `${path}.`, unmapped)
  const callId = parseString(message.tool_call_id, `${path}.tool_call_id`)
  const name = optionalString(message.name, `${path}.name`)
  const content = resultContent(message.content, path, unmapped)
  return {
    role: 'tool',
    content: [{ type: 'tool-result', callId, ...(name === undefined ? {} : { name }), content }],
  }
}

function parseFunctionResult(
  message: Fields,
  path: string,
  legacy: LegacyCalls,
  unmapped: UnmappedField[],
): Message {
  collectUnmapped(message, PLAIN_FIELDS, `${path}.`, unmapped)
  const name = parseString(message.name, `${path}.name`)
  const content = resultContent(message.content, path, unmapped)
  return { role: 'tool', content: [{ type: 'tool-result', callId: legacy.lastId, name, content }] }
}

/** @returns what a tool may answer with; anything else is kept as unmapped, since a result cannot hold it */
function resultContent(
  value: unknown,
  path: string,
  unmapped: UnmappedField[],
): (TextPart | ImagePart | FilePart)[] {
  const kept: (TextPart | ImagePart | FilePart)[] = []
  parseContent(value, `${path}.content`, unmapped).forEach((part, index) => {
    if (part.type === 'text' || part.type === 'image' || part.type === 'file') kept.push(part)
    else unmapped.push({ path: `${path}.content[${index}]`, value: part })
  })
  return kept
}
