import type { AudioPart, FilePart, ImagePart, MediaSource, Part } from '../../contract/chat.ts'
import { isObject } from '../../contract/formats/responses/fields.ts'

type WirePart = Record<string, unknown>

/** @returns the content part of a message or of a tool's result, or `undefined` where there is none such */
export function toContentPart(part: Part): WirePart | undefined {
  switch (part.type) {
    case 'text':
      return { type: 'input_text', text: part.text }
    case 'image':
      return toImage(part)
    case 'file':
      return toFile(part)
    case 'audio':
      return toAudio(part)
    case 'other':
      return part.format === 'responses' && isObject(part.raw) ? { ...part.raw } : undefined
    default:
      return undefined
  }
}

function toImage(part: ImagePart): WirePart {
  const source = part.source.kind === 'file' ? { file_id: part.source.id } : { image_url: urlOf(part.source) }
  return { type: 'input_image', detail: part.detail ?? 'auto', ...source }
}

function toFile(part: FilePart): WirePart {
  const name = part.name === undefined ? {} : { filename: part.name }
  if (part.source.kind === 'file') return { type: 'input_file', file_id: part.source.id, ...name }
  if (part.source.kind === 'url') return { type: 'input_file', file_url: part.source.url, ...name }
  // OpenAI refuses data without a file name.
  return { type: 'input_file', filename: part.name ?? 'file', file_data: urlOf(part.source) }
}

/** This API takes sound as data only. */
function toAudio(part: AudioPart): WirePart | undefined {
  if (part.source.kind !== 'base64') return undefined
  const format = part.encoding ?? (part.source.mediaType === 'audio/mpeg' ? 'mp3' : 'wav')
  return { type: 'input_audio', input_audio: { data: part.source.data, format } }
}

function urlOf(source: Exclude<MediaSource, { kind: 'file' }>): string {
  return source.kind === 'url' ? source.url : `data:${source.mediaType};base64,${source.data}`
}
