import type { Part } from '../../contract/chat.ts'
import type { Incoming } from '../../pipeline/exchange.ts'
import {
  countOf,
  type Fields,
  fieldsOf,
  generationConfigOf,
  isFields,
  partsOf,
  turnsOf,
} from './call-fields.ts'
import { type CapabilitySet, hasAny, NO_CAPABILITIES, toSet } from './capabilities.ts'

const TOOLS = toSet('tools')
const IMAGES = toSet('images')
const AUDIO = toSet('audio')
const FILES = toSet('files')
const SCHEMA = toSet('structured-output')
const STREAMING = toSet('streaming')
const CHOICES = toSet('choices')
const REASONING = toSet('reasoning')
const MEDIA = IMAGES | AUDIO | FILES

/** Types of the parts of turns in Chat Completions, Responses and Messages, and of the neutral model. */
const PART_NEEDS: ReadonlyMap<unknown, CapabilitySet> = new Map([
  ['image_url', IMAGES],
  ['input_image', IMAGES],
  ['image', IMAGES],
  ['input_audio', AUDIO],
  ['audio', AUDIO],
  ['file', FILES],
  ['input_file', FILES],
  ['document', FILES],
])

/**
 * What a call needs of a model, read from the fields of its body: nothing is parsed for it that was not parsed already.
 * What the fields do not say plainly is not needed, so that nothing is kept from a target by a misreading.
 *
 * @param asked only these are looked for: turns are not searched for pictures that every target takes
 */
export function needsOf(incoming: Incoming, asked: CapabilitySet): CapabilitySet {
  const { operation, format, json, stream } = incoming
  let needs = stream ? STREAMING : NO_CAPABILITIES
  if (operation === 'completion') return (needs | choices(json?.n)) & asked
  if (operation !== 'chat') return needs & asked
  if (json === undefined) return needsOfLibrary(incoming, needs) & asked
  if (isList(json.tools) || isList(json.functions)) needs |= TOOLS
  if (format === 'gemini') needs |= needsOfGemini(json)
  else if (format === 'responses') needs |= needsOfResponses(json)
  else if (format === 'messages') needs |= needsOfMessages(json)
  else needs |= needsOfChat(json)
  if (hasAny(asked, MEDIA)) for (const turn of turnsOf(incoming)) needs |= mediaOfParts(partsOf(turn))
  return needs & asked
}

function needsOfChat(json: Fields): CapabilitySet {
  const effort = json.reasoning_effort
  return (
    choices(json.n) |
    (fieldsOf(json.response_format).type === 'json_schema' ? SCHEMA : 0) |
    (isEffort(effort) || isEffort(fieldsOf(json.reasoning).effort) ? REASONING : 0)
  )
}

function needsOfResponses(json: Fields): CapabilitySet {
  return (
    (fieldsOf(fieldsOf(json.text).format).type === 'json_schema' ? SCHEMA : 0) |
    (isEffort(fieldsOf(json.reasoning).effort) ? REASONING : 0)
  )
}

function needsOfMessages(json: Fields): CapabilitySet {
  const format = fieldsOf(json.output_config).format ?? json.output_format
  const thinking = fieldsOf(json.thinking).type
  return (isFields(format) ? SCHEMA : 0) | (thinking === 'enabled' || thinking === 'adaptive' ? REASONING : 0)
}

function needsOfGemini(json: Fields): CapabilitySet {
  const config = generationConfigOf(json)
  const thinking = fieldsOf(config.thinkingConfig ?? config.thinking_config)
  const budget = thinking.thinkingBudget ?? thinking.thinking_budget
  const schema =
    config.responseSchema ??
    config.response_schema ??
    config.responseJsonSchema ??
    config.response_json_schema
  const level = thinking.thinkingLevel ?? thinking.thinking_level
  return (
    choices(config.candidateCount ?? config.candidate_count) |
    (isFields(schema) ? SCHEMA : 0) |
    (countOf(budget) !== undefined || typeof level === 'string' ? REASONING : 0)
  )
}

/** Of calls from this process, which never were bytes. */
function needsOfLibrary(incoming: Incoming, begun: CapabilitySet): CapabilitySet {
  const { tools, n, responseFormat, reasoning, messages } = incoming.chat()
  let needs = begun | choices(n)
  if (tools !== undefined && tools.length > 0) needs |= TOOLS
  if (responseFormat?.type === 'json-schema') needs |= SCHEMA
  if (isEffort(reasoning?.effort) || countOf(reasoning?.budgetTokens) !== undefined) needs |= REASONING
  for (const { content } of messages) needs |= mediaOfParts(content satisfies readonly Part[])
  return needs
}

function mediaOfParts(parts: readonly unknown[]): CapabilitySet {
  let needs = NO_CAPABILITIES
  for (const part of parts) {
    if (!isFields(part)) continue
    needs |= PART_NEEDS.get(part.type) ?? mediaOfGemini(part)
    // Results of tools may hold pictures too.
    if (Array.isArray(part.content))
      for (const inner of part.content) needs |= PART_NEEDS.get(fieldsOf(inner).type) ?? NO_CAPABILITIES
  }
  return needs
}

function mediaOfGemini(part: Fields): CapabilitySet {
  const data = part.inlineData ?? part.inline_data ?? part.fileData ?? part.file_data
  if (!isFields(data)) return NO_CAPABILITIES
  const type = data.mimeType ?? data.mime_type
  if (typeof type !== 'string') return NO_CAPABILITIES
  if (type.startsWith('image/')) return IMAGES
  if (type.startsWith('text/')) return NO_CAPABILITIES
  return type.startsWith('audio/') ? AUDIO : FILES
}

function choices(n: unknown): CapabilitySet {
  return (countOf(n) ?? 1) > 1 ? CHOICES : NO_CAPABILITIES
}

function isList(value: unknown): boolean {
  return Array.isArray(value) && value.length > 0
}

function isEffort(value: unknown): boolean {
  return typeof value === 'string' && value !== 'none'
}
