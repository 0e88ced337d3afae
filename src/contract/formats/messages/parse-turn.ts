import type { Message, Part, TextPart, ToolResultPart, UnmappedField } from '../../chat.ts'
import { fromCarriedId, fromCarriedSignature } from './carried-state.ts'
import { parseDocument, parseImage } from './parse-media.ts'
import {
  arrayAt,
  cacheControlOf,
  type Fields,
  isFields,
  objectAt,
  optionalBoolean,
  optionalString,
  refuseField,
  stringAt,
} from './read-fields.ts'

/**
 * @returns one message, or for a user turn with results of tools two: the results first, as the API wants them to
 *   stand, then what the user says beside them
 */
export function parseTurn(turn: unknown, path: string, unmapped: UnmappedField[]): Message[] {
  const { role, content } = objectAt(turn, path)
  const at = `${path}.content`
  switch (role) {
    case 'system':
      return [
        { role, content: typeof content === 'string' ? textOnly(content) : parseTextBlocks(content, at) },
      ]
    case 'assistant':
      return [
        { role, content: parseBlocks(content, at, (block, place) => parseAssistantBlock(block, place)) },
      ]
    case 'user':
      return splitResults(parseBlocks(content, at, (block, place) => parseUserBlock(block, place, unmapped)))
    default:
      return refuseField(`${path}.role`, '"user", "assistant" or "system"')
  }
}

/** @returns the blocks of a `system` field or turn, which hold nothing but text */
export function parseTextBlocks(value: unknown, path: string): readonly TextPart[] {
  return arrayAt(value, path).map((entry, index) => {
    const place = `${path}[${index}]`
    const block = objectAt(entry, place)
    if (block.type !== 'text') refuseField(`${place}.type`, '"text"')
    return parseText(block, place)
  })
}

function splitResults(parts: readonly Part[]): Message[] {
  const results = parts.filter((part) => part.type === 'tool-result')
  const rest = parts.filter((part) => part.type !== 'tool-result')
  const messages: Message[] = []
  if (results.length > 0) messages.push({ role: 'tool', content: results })
  if (rest.length > 0 || results.length === 0) messages.push({ role: 'user', content: rest })
  return messages
}

function parseBlocks(
  content: unknown,
  path: string,
  parse: (block: Fields, path: string) => Part | readonly Part[],
): readonly Part[] {
  if (typeof content === 'string') return textOnly(content)
  if (!Array.isArray(content)) return refuseField(path, 'a string or an array of content blocks')
  return content.flatMap((entry, index) => parse(objectAt(entry, `${path}[${index}]`), `${path}[${index}]`))
}

function textOnly(text: string): readonly TextPart[] {
  return [{ type: 'text', text }]
}

function parseText(block: Fields, path: string): TextPart {
  return { type: 'text', text: stringAt(block.text, `${path}.text`), cacheControl: cacheControlOf(block) }
}

function parseUserBlock(block: Fields, path: string, unmapped: UnmappedField[]): Part | readonly Part[] {
  switch (block.type) {
    case 'text':
      return parseText(block, path)
    case 'image':
      return parseImage(block, path)
    case 'document':
      return parseDocument(block, path, unmapped)
    case 'tool_result':
      return parseToolResult(block, path, unmapped)
    default:
      return other(block, path)
  }
}

function parseAssistantBlock(block: Fields, path: string): Part {
  switch (block.type) {
    case 'text':
      return parseText(block, path)
    case 'thinking':
      return {
        type: 'reasoning',
        text: stringAt(block.thinking, `${path}.thinking`),
        ...fromCarriedSignature(optionalString(block.signature, `${path}.signature`) ?? ''),
      }
    case 'redacted_thinking':
      return { type: 'reasoning', text: '', encrypted: stringAt(block.data, `${path}.data`) }
    case 'tool_use':
      return {
        type: 'tool-call',
        ...fromCarriedId(stringAt(block.id, `${path}.id`)),
        name: stringAt(block.name, `${path}.name`),
        arguments: JSON.stringify(block.input ?? {}),
        cacheControl: cacheControlOf(block),
      }
    default:
      return other(block, path)
  }
}

/** A block that the neutral model has no word for, such as the result of a search that Anthropic ran. */
function other(block: Fields, path: string): Part {
  stringAt(block.type, `${path}.type`)
  return { type: 'other', format: 'messages', raw: block }
}

function parseToolResult(block: Fields, path: string, unmapped: UnmappedField[]): ToolResultPart {
  return {
    type: 'tool-result',
    callId: fromCarriedId(stringAt(block.tool_use_id, `${path}.tool_use_id`)).id,
    content: parseResultContent(block.content, `${path}.content`, unmapped),
    isError: optionalBoolean(block.is_error, `${path}.is_error`),
    cacheControl: cacheControlOf(block),
  }
}

function parseResultContent(
  content: unknown,
  path: string,
  unmapped: UnmappedField[],
): ToolResultPart['content'] {
  if (content === undefined || content === null) return []
  if (typeof content === 'string') return textOnly(content)
  if (!Array.isArray(content)) return refuseField(path, 'a string or an array of content blocks')
  return content.flatMap((entry, index): ToolResultPart['content'] => {
    const place = `${path}[${index}]`
    const block = objectAt(entry, place)
    switch (block.type) {
      case 'text':
        return [parseText(block, place)]
      case 'image':
        return [parseImage(block, place)]
      case 'document':
        return parseDocument(block, place, unmapped)
      case 'search_result':
        return searchResultText(block, place)
      default:
        // A reference to a tool, the state of a browser: a result may hold nothing unknown, so its place says it.
        unmapped.push({ path: place, value: block })
        return []
    }
  })
}

/** @returns title and source as the model should see them, then the texts found */
function searchResultText(block: Fields, path: string): readonly TextPart[] {
  const title = optionalString(block.title, `${path}.title`) ?? ''
  const source = optionalString(block.source, `${path}.source`) ?? ''
  const found = Array.isArray(block.content) ? block.content : []
  const texts = found.flatMap((entry) =>
    isFields(entry) && typeof entry.text === 'string' ? [entry.text] : [],
  )
  return textOnly([title, source, ...texts].filter((line) => line !== '').join('\n'))
}
