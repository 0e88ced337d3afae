import type { AudioPart, FilePart, ImagePart, MediaSource, OtherPart, Part, TextPart } from '../../chat.ts'
import { invalidField, isObject, type JsonObject, readString, requireString } from './fields.ts'

/**
 * @param raw text, or an array of content parts
 * @returns the parts in neutral form; a part of an unknown type becomes `other`
 */
export function parseContent(raw: unknown, path: string): Part[] {
  if (typeof raw === 'string') return [{ type: 'text', text: raw }]
  if (!Array.isArray(raw)) throw invalidField(path, 'must be a string or an array of parts')
  return raw.map((part, index) => parsePart(part, `${path}[${index}]`))
}

/** @returns the output of a tool in neutral form */
export function parseToolOutput(raw: unknown, path: string): (TextPart | ImagePart | FilePart)[] {
  return parseContent(raw, path).map((part, index) => {
    if (part.type === 'text' || part.type === 'image' || part.type === 'file') return part
    throw invalidField(`${path}[${index}].type`, 'must be input_text, input_image or input_file')
  })
}

function parsePart(raw: unknown, path: string): Part {
  if (!isObject(raw)) throw invalidField(path, 'must be an object')
  switch (raw.type) {
    case 'input_text':
    case 'output_text':
    case 'text':
      return { type: 'text', text: requireString(raw, 'text', `${path}.text`) }
    case 'refusal':
      return { type: 'refusal', text: requireString(raw, 'refusal', `${path}.refusal`) }
    case 'input_image':
      return parseImage(raw, path)
    case 'input_file':
      return parseFile(raw, path)
    case 'input_audio':
      return parseAudio(raw, path)
    default: {
      requireString(raw, 'type', `${path}.type`)
      const other: OtherPart = { type: 'other', format: 'responses', raw }
      return other
    }
  }
}

function parseImage(raw: JsonObject, path: string): ImagePart {
  const detail = readString(raw, 'detail', `${path}.detail`)
  const fileId = readString(raw, 'file_id', `${path}.file_id`)
  const url = readString(raw, 'image_url', `${path}.image_url`)
  if (fileId === undefined && url === undefined) {
    throw invalidField(path, 'must name an image_url or a file_id')
  }
  const source: MediaSource = url === undefined ? { kind: 'file', id: fileId ?? '' } : sourceOfUrl(url)
  // `auto` is the default, and formats without the setting need not be warned of it.
  return { type: 'image', source, ...(detail === undefined || detail === 'auto' ? {} : { detail }) }
}

function parseFile(raw: JsonObject, path: string): FilePart {
  const name = readString(raw, 'filename', `${path}.filename`)
  const data = readString(raw, 'file_data', `${path}.file_data`)
  const url = readString(raw, 'file_url', `${path}.file_url`)
  const id = readString(raw, 'file_id', `${path}.file_id`)
  let source: MediaSource
  if (data !== undefined) source = sourceOfFileData(data, name)
  else if (url !== undefined) source = sourceOfUrl(url)
  else if (id !== undefined) source = { kind: 'file', id }
  else throw invalidField(path, 'must name a file_data, a file_url or a file_id')
  return { type: 'file', source, ...(name === undefined ? {} : { name }) }
}

function parseAudio(raw: JsonObject, path: string): AudioPart {
  if (!isObject(raw.input_audio)) throw invalidField(`${path}.input_audio`, 'must be an object')
  const data = requireString(raw.input_audio, 'data', `${path}.input_audio.data`)
  const encoding = requireString(raw.input_audio, 'format', `${path}.input_audio.format`)
  return {
    type: 'audio',
    source: { kind: 'base64', mediaType: encoding === 'mp3' ? 'audio/mpeg' : `audio/${encoding}`, data },
    encoding,
  }
}

const DATA_URL = /^data:([^;,]*)(?:;[^;,]*)*;base64,/i

function sourceOfUrl(url: string): MediaSource {
  const match = DATA_URL.exec(url)
  if (match === null) return { kind: 'url', url }
  const mediaType = match[1] === undefined || match[1] === '' ? 'application/octet-stream' : match[1]
  return { kind: 'base64', mediaType, data: url.slice(match[0].length) }
}

/** OpenAI documents a data URL in `file_data`; clients also send bare base64. */
function sourceOfFileData(data: string, name: string | undefined): MediaSource {
  if (data.startsWith('data:')) return sourceOfUrl(data)
  const mediaType =
    name?.toLowerCase().endsWith('.pdf') === true ? 'application/pdf' : 'application/octet-stream'
  return { kind: 'base64', mediaType, data }
}
