import type { ChatRequest, MediaSource, Part } from '../contract/chat.ts'
import type { Incoming } from '../pipeline/exchange.ts'

/** Bodies up to this size are measured as they are: what is not text in them is small. */
const PLAIN_BYTES_MAX = 16 * 1024
/** A picture, a recording or a file counts as this much text: the dearest picture has about 2,500 tokens. */
const MEDIA_BYTES = 8000
/** Longer runs without a space are data and not text. */
const TEXT_RUN_MAX = 4096
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

function measure(value: unknown, depth: number): number {
  if (typeof value === 'string') return isData(value) ? MEDIA_BYTES : Buffer.byteLength(value)
  if (typeof value !== 'object' || value === null) return 4
  if (depth === 0) return JSON.stringify(value).length
  let bytes = 2
  if (Array.isArray(value)) for (const inner of value) bytes += 1 + measure(inner, depth - 1)
  else {
    const fields = value as Record<string, unknown>
    for (const name in fields) bytes += name.length + 4 + measure(fields[name], depth - 1)
  }
  return bytes
}

/** Base64 and data URLs: long, and nowhere a space. */
function isData(text: string): boolean {
  if (text.startsWith('data:')) return true
  if (text.length <= TEXT_RUN_MAX) return false
  return /^[A-Za-z0-9+/=_-]+$/.test(text.slice(0, TEXT_RUN_MAX))
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
