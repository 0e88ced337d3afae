import type { AudioPart, FilePart, ImagePart, Part, TextPart } from '../../contract/chat.ts'
import { invalidRequest } from '../../contract/formats/chat/fields.ts'
import { toMediaUrl } from '../../contract/formats/chat/media.ts'
import { GatewayError } from '../../core/errors.ts'
import type { CompatibleTraits } from './traits.ts'
import type { Warnings } from './warnings.ts'

type WirePart = Record<string, unknown>

/** @returns the error for something that cannot be left out without changing the answer */
export function unsupported(param: string, message: string): GatewayError {
  return new GatewayError('unsupported_feature', { message, param })
}

/** Between texts that stood apart: a blank line separates them as any model reads it. */
const TEXT_SEPARATOR = '\n\n'

/**
 * @returns `content` of a user or system message: a string where there is one text and nothing else, which every
 *   server takes, else an array of parts
 * @throws GatewayError `unsupported_feature` for a part that the chat format has no place for
 */
export function toContent(
  parts: readonly Part[],
  path: string,
  traits: CompatibleTraits,
  warnings: Warnings,
): string | WirePart[] {
  const texts = parts.filter((part): part is TextPart => part.type === 'text')
  if (texts.length === parts.length) {
    const only = texts.length === 1 && (texts[0]?.cacheControl === undefined || traits.cacheControl !== true)
    if (only || traits.plainText === true || texts.length === 0) {
      if (texts.some(({ cacheControl }) => cacheControl !== undefined)) warnCacheControl(warnings)
      return texts.map(({ text }) => text).join(TEXT_SEPARATOR)
    }
  }
  return parts.flatMap((part, index) => {
    const wire = toPart(part, `${path}[${index}]`, traits, warnings)
    return wire === undefined ? [] : [wire]
  })
}

function toPart(
  part: Part,
  path: string,
  traits: CompatibleTraits,
  warnings: Warnings,
): WirePart | undefined {
  switch (part.type) {
    case 'text':
      return { type: 'text', text: part.text, ...cacheFields(part.cacheControl, traits, warnings) }
    case 'image':
      return { ...toImage(part, path), ...cacheFields(part.cacheControl, traits, warnings) }
    case 'audio':
      return toAudio(part, path)
    case 'file':
      return { ...toFile(part, path), ...cacheFields(part.cacheControl, traits, warnings) }
    case 'other':
      if (part.format === 'chat' && typeof part.raw === 'object') return part.raw as WirePart
      warnings.add(path, 'A part that only its own format knows was left out.')
      return undefined
    default:
      throw invalidRequest(path, `A part of type '${part.type}' cannot stand here.`)
  }
}

/** @returns `cache_control` where the provider reads it; else nothing, and a warning */
export function cacheFields(
  cacheControl: unknown,
  traits: CompatibleTraits,
  warnings: Warnings,
): Record<string, unknown> {
  if (cacheControl === undefined) return {}
  if (traits.cacheControl === true) return { cache_control: cacheControl }
  warnCacheControl(warnings)
  return {}
}

function warnCacheControl(warnings: Warnings): void {
  warnings.add(
    'cache_control',
    'This provider caches prompts by itself or not at all; the marks were left out.',
  )
}

export function toImage(part: ImagePart, path: string): WirePart {
  const url = toMediaUrl(part.source)
  if (url === undefined)
    throw unsupported(path, 'An image by file id is known only to the provider that stores it.')
  return {
    type: 'image_url',
    image_url: { url, ...(part.detail === undefined ? {} : { detail: part.detail }) },
  }
}

function toAudio(part: AudioPart, path: string): WirePart {
  if (part.source.kind !== 'base64')
    throw unsupported(path, 'This provider takes sound as data only, not by address.')
  const format = part.encoding ?? audioFormat(part.source.mediaType)
  return { type: 'input_audio', input_audio: { data: part.source.data, format } }
}

/** @returns OpenAI's short name of a media type */
function audioFormat(mediaType: string): string {
  if (mediaType === 'audio/mpeg') return 'mp3'
  return mediaType.replace(/^audio\/(x-)?/, '')
}

function toFile(part: FilePart, path: string): WirePart {
  const { source } = part
  if (source.kind === 'url')
    throw unsupported(path, 'The chat format takes files as data or by id, not by address.')
  if (source.kind === 'file') return { type: 'file', file: { file_id: source.id, ...nameFields(part) } }
  // OpenAI's `file` is for PDF; a plain text goes as what it is.
  if (source.mediaType.startsWith('text/')) {
    const text = Buffer.from(source.data, 'base64').toString('utf8')
    return { type: 'text', text: part.name === undefined ? text : `${part.name}\n\n${text}` }
  }
  return { type: 'file', file: { file_data: toMediaUrl(source), ...nameFields(part) } }
}

/** OpenAI demands a name with data. */
function nameFields(part: FilePart): Record<string, string> {
  if (part.name !== undefined) return { filename: part.name }
  return part.source.kind === 'base64' ? { filename: 'file.pdf' } : {}
}
