import type { Message, Part, ReasoningPart, ToolCallPart, ToolResultPart, UnmappedField } from '../../chat.ts'
import { wrapCustomInput } from './custom-input.ts'
import { invalidField, isObject, type JsonObject, readArray, readString, requireString } from './fields.ts'
import { parseContent, parseToolOutput } from './parse-content.ts'
import { unseal } from './sealed-reasoning.ts'
import { neutralToolName } from './tool-identity.ts'

export interface ParsedInput {
  readonly messages: readonly Message[]
  /** Arrays of tools that `additional_tools` items bring along, with the path of each. */
  readonly tools: readonly { readonly path: string; readonly raw: readonly unknown[] }[]
  readonly unmapped: readonly UnmappedField[]
}

/** What reading one array of items has to remember. */
interface Reading {
  readonly messages: { role: Message['role']; content: Part[] }[]
  readonly tools: { path: string; raw: readonly unknown[] }[]
  readonly unmapped: UnmappedField[]
  /** Signatures that came in front of their tool call. */
  readonly signatures: Map<string, string>
}

/**
 * Reads `input`. One turn of the model is several items here (thoughts, text, calls) and one message in the
 * neutral model; results of tools that follow each other are one `tool` turn.
 */
export function parseInput(raw: unknown): ParsedInput {
  if (typeof raw === 'string') {
    return { messages: [{ role: 'user', content: [{ type: 'text', text: raw }] }], tools: [], unmapped: [] }
  }
  if (!Array.isArray(raw)) throw invalidField('input', 'must be a string or an array of items')
  const reading: Reading = { messages: [], tools: [], unmapped: [], signatures: new Map() }
  for (const [index, item] of raw.entries()) parseItem(item, `input[${index}]`, reading)
  return reading
}

function parseItem(raw: unknown, path: string, reading: Reading): void {
  if (!isObject(raw)) throw invalidField(path, 'must be an object')
  // A message may leave its type out; an item with nothing but an id refers to a stored one.
  const type = raw.type ?? (typeof raw.role === 'string' ? 'message' : 'item_reference')
  switch (type) {
    case 'message':
      addMessage(raw, path, reading)
      return
    case 'reasoning':
      addReasoning(raw, path, reading)
      return
    case 'function_call':
    case 'custom_tool_call':
      addCall(raw, path, reading)
      return
    case 'function_call_output':
    case 'custom_tool_call_output':
      addResult(raw, path, reading)
      return
    case 'additional_tools':
      reading.tools.push({ path: `${path}.tools`, raw: readArray(raw, 'tools', `${path}.tools`) ?? [] })
      return
    default:
      addOther(raw, path, reading)
      return
  }
}

function addMessage(raw: JsonObject, path: string, reading: Reading): void {
  const content = parseContent(raw.content, `${path}.content`)
  switch (raw.role) {
    case 'assistant':
      noteOnce(reading, 'input[].phase', raw.phase)
      addToTurn('assistant', content, reading)
      return
    case 'user':
      reading.messages.push({ role: 'user', content })
      return
    case 'system':
    case 'developer':
      reading.messages.push({ role: 'system', content })
      return
    default:
      throw invalidField(`${path}.role`, 'must be user, assistant, system or developer')
  }
}

function addReasoning(raw: JsonObject, path: string, reading: Reading): void {
  const encrypted = readString(raw, 'encrypted_content', `${path}.encrypted_content`)
  const id = readString(raw, 'id', `${path}.id`)
  const text = textsOf(raw.summary) || textsOf(raw.content)
  const sealed = encrypted === undefined ? undefined : unseal(encrypted)
  if (sealed?.callId !== undefined) {
    if (sealed.signature !== undefined) reading.signatures.set(sealed.callId, sealed.signature)
    return
  }
  const part: ReasoningPart =
    sealed === undefined
      ? {
          type: 'reasoning',
          text,
          ...(encrypted === undefined ? {} : { encrypted }),
          ...(id === undefined ? {} : { id }),
        }
      : {
          type: 'reasoning',
          text,
          ...(sealed.signature === undefined ? {} : { signature: sealed.signature }),
          ...(sealed.encrypted === undefined ? {} : { encrypted: sealed.encrypted }),
          ...(sealed.id === undefined ? {} : { id: sealed.id }),
        }
  addToTurn('assistant', [part], reading)
}

function addCall(raw: JsonObject, path: string, reading: Reading): void {
  const id = requireString(raw, 'call_id', `${path}.call_id`)
  const name = neutralToolName(
    readString(raw, 'namespace', `${path}.namespace`),
    requireString(raw, 'name', `${path}.name`),
  )
  const argumentsText =
    raw.type === 'custom_tool_call'
      ? wrapCustomInput(requireString(raw, 'input', `${path}.input`))
      : requireString(raw, 'arguments', `${path}.arguments`)
  const signature = reading.signatures.get(id)
  const part: ToolCallPart = {
    type: 'tool-call',
    id,
    name,
    arguments: argumentsText,
    ...(signature === undefined ? {} : { signature }),
  }
  addToTurn('assistant', [part], reading)
}

function addResult(raw: JsonObject, path: string, reading: Reading): void {
  const wireName = readString(raw, 'name', `${path}.name`)
  const namespace = readString(raw, 'namespace', `${path}.namespace`)
  const part: ToolResultPart = {
    type: 'tool-result',
    callId: requireString(raw, 'call_id', `${path}.call_id`),
    ...(wireName === undefined ? {} : { name: neutralToolName(namespace, wireName) }),
    content: parseToolOutput(raw.output, `${path}.output`),
  }
  addToTurn('tool', [part], reading)
}

/** An item that only OpenAI reads keeps its place and its own form. */
function addOther(raw: JsonObject, path: string, reading: Reading): void {
  if (raw.type !== undefined && raw.type !== null) requireString(raw, 'type', `${path}.type`)
  const isAnswer = typeof raw.type === 'string' && /_(output|response)$/.test(raw.type)
  const item = raw.type === undefined || raw.type === null ? { ...raw, type: 'item_reference' } : raw
  const part: Part = { type: 'other', format: 'responses', raw: item }
  if (isAnswer) reading.messages.push({ role: 'user', content: [part] })
  else addToTurn('assistant', [part], reading)
}

function addToTurn(role: 'assistant' | 'tool', parts: readonly Part[], reading: Reading): void {
  const last = reading.messages.at(-1)
  if (last?.role === role) last.content.push(...parts)
  else reading.messages.push({ role, content: [...parts] })
}

/** Long conversations repeat a field in every item; one warning says it. */
function noteOnce(reading: Reading, path: string, value: unknown): void {
  if (value === undefined || value === null) return
  if (!reading.unmapped.some((field) => field.path === path)) reading.unmapped.push({ path, value })
}

function textsOf(raw: unknown): string {
  if (!Array.isArray(raw)) return ''
  return raw
    .map((part) => (isObject(part) && typeof part.text === 'string' ? part.text : ''))
    .filter((text) => text !== '')
    .join('\n\n')
}
