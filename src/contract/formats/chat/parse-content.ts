import type {
  AudioPart,
  FilePart,
  ImagePart,
  MediaSource,
  OtherPart,
  Part,
  ReasoningPart,
  TextPart,
  UnmappedField,
} from '../../chat.ts'
import {
  type Fields,
  invalidRequest,
  isAbsent,
  isObject,
  optionalString,
  parseObject,
  parseString,
} from './fields.ts'
import { parseMediaUrl } from './media.ts'
import { collectUnmapped } from './unmapped.ts'

/** `cache_control` is no field of OpenAI: OpenRouter and others accept Anthropic's here. */
const TEXT_FIELDS = new Set(['type', 'text', 'cache_control'])
const IMAGE_FIELDS = new Set(['type', 'image_url', 'cache_control'])
const AUDIO_FIELDS = new Set(['type', 'input_audio'])
const FILE_FIELDS = new Set(['type', 'file', 'cache_control'])

/**
 * @returns the parts of a message's `content`; `[]` for none
 * @throws GatewayError `invalid_request` naming the part at fault
 */
export function parseContent(value: unknown, path: string, unmapped: UnmappedField[]): Part[] {
  if (typeof value === 'string') return [{ type: 'text', text: value }]
  if (isAbsent(value)) return []
  if (!Array.isArray(value)) {
    throw invalidRequest(path, `Invalid type for '${path}': expected a string or an array of parts.`)
  }
  return value.map((part, index) => parsePart(part, `${path}[${index}]`, unmapped))
}

function parsePart(value: unknown, path: string, unmapped: UnmappedField[]): Part {
  // Some servers, and so some clients, write bare strings among the parts.
  if (typeof value === 'string') return { type: 'text', text: value }
  const part = parseObject(value, path)
  switch (parseString(part.type, `${path}.type`)) {
    case 'text':
      return parseText(part, path, unmapped)
    case 'image_url':
      return parseImage(part, path, unmapped)
    case 'input_audio':
      return parseAudio(part, path, unmapped)
    case 'file':
      return parseFile(part, path, unmapped)
    case 'refusal':
      return { type: 'refusal', text: parseString(part.refusal, `${path}.refusal`) }
    case 'thinking':
      return parseThinking(part)
    default:
      return { type: 'other', format: 'chat', raw: part } satisfies OtherPart
  }
}

function parseText(part: Fields, path: string, unmapped: UnmappedField[]): TextPart {
  collectUnmapped(part, TEXT_FIELDS, `${path}.`, unmapped)
  const text = parseString(part.text, `${path}.text`)
  return isAbsent(part.cache_control)
    ? { type: 'text', text }
    : { type: 'text', text, cacheControl: part.cache_control }
}

function parseImage(part: Fields, path: string, unmapped: UnmappedField[]): ImagePart {
  collectUnmapped(part, IMAGE_FIELDS, `${path}.`, unmapped)
  const cache = isAbsent(part.cache_control) ? {} : { cacheControl: part.cache_control }
  // A bare URL in place of the object is widespread, so it is read as one.
  if (typeof part.image_url === 'string') {
    return { type: 'image', source: parseMediaUrl(part.image_url, `${path}.image_url`), ...cache }
  }
  const image = parseObject(part.image_url, `${path}.image_url`)
  const urlPath = `${path}.image_url.url`
  const detail = optionalString(image.detail, `${path}.image_url.detail`)
  return {
    type: 'image',
    source: parseMediaUrl(parseString(image.url, urlPath), urlPath),
    ...(detail === undefined ? {} : { detail }),
    ...cache,
  }
}

function parseAudio(part: Fields, path: string, unmapped: UnmappedField[]): AudioPart {
  collectUnmapped(part, AUDIO_FIELDS, `${path}.`, unmapped)
  const audio = parseObject(part.input_audio, `${path}.input_audio`)
  const data = parseString(audio.data, `${path}.input_audio.data`)
  const encoding = parseString(audio.format, `${path}.input_audio.format`)
  return { type: 'audio', source: { kind: 'base64', mediaType: audioMediaType(encoding), data }, encoding }
}

/** @returns the registered type of OpenAI's short name (RFC 3003 for mp3; the others are `audio/` and their name) */
function audioMediaType(encoding: string): string {
  return encoding === 'mp3' ? 'audio/mpeg' : `audio/${encoding}`
}

function parseFile(part: Fields, path: string, unmapped: UnmappedField[]): FilePart {
  collectUnmapped(part, FILE_FIELDS, `${path}.`, unmapped)
  const file = parseObject(part.file, `${path}.file`)
  const name = optionalString(file.filename, `${path}.file.filename`)
  return {
    type: 'file',
    source: fileSource(file, name, `${path}.file`),
    ...(name === undefined ? {} : { name }),
    ...(isAbsent(part.cache_control) ? {} : { cacheControl: part.cache_control }),
  }
}

function fileSource(file: Fields, name: string | undefined, path: string): MediaSource {
  const id = optionalString(file.file_id, `${path}.file_id`)
  if (id !== undefined) return { kind: 'file', id }
  const data = parseString(file.file_data, `${path}.file_data`)
  if (/^(data:|https?:\/\/)/.test(data.slice(0, 8))) return parseMediaUrl(data, `${path}.file_data`)
  // Bare base64: only the name says what it is, and PDF is what OpenAI takes.
  const isPdf = name === undefined || name.toLowerCase().endsWith('.pdf')
  return { kind: 'base64', mediaType: isPdf ? 'application/pdf' : 'application/octet-stream', data }
}

/**
 * Mistral's thinking part, as its models write it and clients hand it back:
 * `{type: 'thinking', thinking: [{type: 'text', text}]}` (https://docs.mistral.ai/capabilities/reasoning/, read
 * 2026-11-21); a plain string is Anthropic's spelling of the same.
 */
export function parseThinking(part: Fields): ReasoningPart {
  const signature = typeof part.signature === 'string' ? { signature: part.signature } : {}
  if (typeof part.thinking === 'string') return { type: 'reasoning', text: part.thinking, ...signature }
  const pieces = Array.isArray(part.thinking) ? part.thinking : []
  const text = pieces
    .map((piece) => (isObject(piece) && typeof piece.text === 'string' ? piece.text : ''))
    .join('')
  return { type: 'reasoning', text, ...signature }
}
