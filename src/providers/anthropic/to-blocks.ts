import type { FilePart, ImagePart, MediaSource, Part, ToolResultPart } from '../../contract/chat.ts'
import type { Fields } from '../../contract/formats/messages/read-fields.ts'
import { toToolInput } from '../../contract/formats/messages/tool-input.ts'
import { type Notes, unsupported } from './notes.ts'
import { toToolId } from './tool-id.ts'

/** @returns the blocks of a user turn */
export function toUserBlocks(parts: readonly Part[], param: string, notes: Notes): Fields[] {
  return parts.flatMap((part) => toUserBlock(part, param, notes))
}

/** @returns the blocks of an assistant turn; what the API does not let a model have said is left out */
export function toAssistantBlocks(parts: readonly Part[], param: string, notes: Notes): Fields[] {
  return parts.flatMap((part) => toAssistantBlock(part, param, notes))
}

function toUserBlock(part: Part, param: string, notes: Notes): Fields[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      return toText(part.text, 'cacheControl' in part ? part.cacheControl : undefined)
    case 'image':
      return [toImage(part)]
    case 'file':
      return [toDocument(part, param)]
    case 'tool-result':
      return [toToolResult(part, param)]
    case 'audio':
      throw unsupported(param, 'This provider does not take audio.')
    case 'other':
      return toOther(part, param, notes)
    case 'tool-call':
    case 'reasoning':
      notes.warn(param, 'A user turn cannot hold what a model says; it was left out.')
      return []
  }
}

function toAssistantBlock(part: Part, param: string, notes: Notes): Fields[] {
  switch (part.type) {
    case 'text':
      return toText(part.text, part.cacheControl)
    case 'refusal':
      return toText(part.text, undefined)
    case 'tool-call':
      return [
        {
          type: 'tool_use',
          id: toToolId(part.id),
          name: part.name,
          input: toToolInput(part.arguments),
          ...cached(part.cacheControl),
        },
      ]
    case 'reasoning':
      return toThought(part, param, notes)
    case 'other':
      return toOther(part, param, notes)
    case 'image':
    case 'audio':
    case 'file':
    case 'tool-result':
      notes.warn(param, `An assistant turn of this provider cannot hold ${part.type}; it was left out.`)
      return []
  }
}

/** The API refuses empty text blocks. */
export function toText(text: string, cacheControl: unknown): Fields[] {
  return text === '' ? [] : [{ type: 'text', text, ...cached(cacheControl) }]
}

function cached(cacheControl: unknown): Fields {
  return cacheControl === undefined ? {} : { cache_control: cacheControl }
}

/** A thought is only worth something with the signature that the same provider gave it; the API refuses others. */
function toThought(part: Part & { type: 'reasoning' }, param: string, notes: Notes): Fields[] {
  const foreign = part.id !== undefined
  if (!foreign && part.signature !== undefined) {
    return [{ type: 'thinking', thinking: part.text, signature: part.signature }]
  }
  if (!foreign && part.encrypted !== undefined) return [{ type: 'redacted_thinking', data: part.encrypted }]
  notes.warn(param, 'A thought without a signature of this provider cannot be sent back; it was left out.')
  return []
}

function toOther(part: Part & { type: 'other' }, param: string, notes: Notes): Fields[] {
  if (part.format === 'messages') return [part.raw as Fields]
  notes.warn(param, 'The provider has no word for a part of this message; it was left out.')
  return []
}

function toToolResult(part: ToolResultPart, param: string): Fields {
  const content = part.content.flatMap((entry): Fields[] => {
    if (entry.type === 'text') return toText(entry.text, entry.cacheControl)
    return [entry.type === 'image' ? toImage(entry) : toDocument(entry, param)]
  })
  return {
    type: 'tool_result',
    tool_use_id: toToolId(part.callId),
    ...(content.length === 0 ? {} : { content }),
    ...(part.isError === true ? { is_error: true } : {}),
    ...cached(part.cacheControl),
  }
}

function toImage(part: ImagePart): Fields {
  return { type: 'image', source: toSource(part.source), ...cached(part.cacheControl) }
}

function toSource(source: MediaSource): Fields {
  switch (source.kind) {
    case 'base64':
      return { type: 'base64', media_type: source.mediaType, data: source.data }
    case 'url':
      return { type: 'url', url: source.url }
    case 'file':
      return { type: 'file', file_id: source.id }
  }
}

/** @throws GatewayError `unsupported_feature` for a kind of file that the API does not read */
function toDocument(part: FilePart, param: string): Fields {
  const { source } = part
  if (source.kind === 'base64' && source.mediaType.startsWith('image/')) {
    return { type: 'image', source: toSource(source), ...cached(part.cacheControl) }
  }
  return {
    type: 'document',
    source: toDocumentSource(source, part.name, param),
    ...(part.name === undefined ? {} : { title: part.name }),
    ...cached(part.cacheControl),
  }
}

function toDocumentSource(source: MediaSource, name: string | undefined, param: string): Fields {
  if (source.kind !== 'base64') return toSource(source)
  const mediaType = source.mediaType.split(';')[0]?.trim() ?? ''
  if (mediaType === 'application/pdf' || name?.toLowerCase().endsWith('.pdf') === true) {
    return { type: 'base64', media_type: 'application/pdf', data: source.data }
  }
  if (mediaType.startsWith('text/') || mediaType === 'application/json') {
    return { type: 'text', media_type: 'text/plain', data: Buffer.from(source.data, 'base64').toString() }
  }
  throw unsupported(
    param,
    `This provider reads PDF, text and images, not ${mediaType || 'this kind of file'}.`,
  )
}
