import type { ChatRequest, MediaSource, Part } from '../contract/chat.ts'
import type { Incoming } from '../pipeline/exchange.ts'

/** Bodies up to this size are measured as they are: what is not text in them is small. */
const PLAIN_BYTES_MAX = 16 * 1024
/** A picture, a recording or a file counts as this much text: the dearest picture has about 2,500 tokens. */
const MEDIA_BYTES = 8000
/** Shorter data is not told from text: a model reads about as much in either. */
const DATA_CHARACTERS_MIN = 4096
/** Where the wire formats have pictures, sound, files and sealed thoughts. Data anywhere else is read as text. */
const DATA_FIELDS = new Set([
  'url',
  'data',
  'file_data',
  'image_url',
  'document_url',
  'b64_json',
  'signature',
  'thoughtSignature',
  'thought_signature',
  'encrypted_content',
])
const DEPTH_MAX = 16

/**
 * @returns how much text a model reads in a request, in bytes of UTF-8: cheap, the same for the same request, and
 *   what tokens are estimated from
 */
export function inputBytesOf(incoming: Incoming): number {
  const { body, json } = incoming
  if (body !== undefined && body.length <= PLAIN_BYTES_MAX) return body.length
  if (json !== undefined) return measure(json, DEPTH_MAX)
  if (body !== undefined) return MEDIA_BYTES
  return incoming.operation === 'chat' ? measureChat(incoming.chat()) : measureEmbedding(incoming)
}

/** @param name of the field that it stands in */
function measure(value: unknown, depth: number, name = ''): number {
  if (typeof value === 'string') return isData(name, value) ? MEDIA_BYTES : Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null) return 4
  if (depth === 0) return JSON.stringify(value).length
  let bytes = 2
  if (Array.isArray(value)) for (const inner of value) bytes += 1 + measure(inner, depth - 1)
  else {
    const fields = value as Record<string, unknown>
    for (const name in fields) bytes += name.length + 4 + measure(fields[name], depth - 1, name)
  }
  return bytes
}

/** Base64 and data URLs: what is not one of these where they belong is text, whatever it begins with. */
function isData(name: string, text: string): boolean {
  if (!DATA_FIELDS.has(name)) return false
  if (text.startsWith('data:')) return true
  return text.length > DATA_CHARACTERS_MIN && /^[A-Za-z0-9+/=_-]+$/.test(text.slice(0, DATA_CHARACTERS_MIN))
}

/** Of calls from this process, which never were bytes. */
function measureChat({ messages, tools }: ChatRequest): number {
  let bytes = tools === undefined ? 0 : measure(tools, DEPTH_MAX)
  for (const { content } of messages) for (const part of content) bytes += 32 + measurePart(part)
  return bytes
}

function measurePart(part: Part): number {
  switch (part.type) {
    case 'text':
    case 'reasoning':
    case 'refusal':
      return Buffer.byteLength(part.text)
    case 'tool-call':
      return part.name.length + Buffer.byteLength(part.arguments)
    case 'tool-result':
      return part.content.reduce((bytes, inner) => bytes + measurePart(inner), 0)
    case 'image':
    case 'audio':
    case 'file':
      return mediaBytes(part.source)
    case 'other':
      return measure(part.raw, DEPTH_MAX)
  }
}

function mediaBytes(source: MediaSource): number {
  if (source.kind !== 'base64' || !source.mediaType.startsWith('text/')) return MEDIA_BYTES
  return Math.ceil((source.data.length * 3) / 4)
}

function measureEmbedding(incoming: Incoming): number {
  let bytes = 0
  for (const input of incoming.embedding().inputs)
    bytes += typeof input === 'string' ? Buffer.byteLength(input) : input.length * 4
  return bytes
}
