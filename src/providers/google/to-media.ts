import type { AudioPart, FilePart, ImagePart } from '../../contract/chat.ts'
import { mediaTypeOfEncoding, mediaTypeOfName } from '../../contract/formats/gemini/media-type.ts'
import { GatewayError } from '../../core/errors.ts'
import type { WarningList } from './warnings.ts'

const FILES_BASE = 'https://generativelanguage.googleapis.com/v1beta/'

/**
 * Bytes go inline. URLs go as `fileData`: since January 2026 Google fetches public and signed URLs of any host
 * itself (https://blog.google/innovation-and-ai/technology/developers-tools/gemini-api-new-file-limits), so the
 * gateway fetches nothing on behalf of callers. Files go by their address at Google; an id of another provider's
 * file store means nothing there.
 *
 * @param param the part, as its author would find it
 * @returns a part of Gemini
 * @throws GatewayError `unsupported_feature` where Google cannot get at the bytes
 */
export function toMediaPart(
  part: ImagePart | AudioPart | FilePart,
  param: string,
  warnings: WarningList,
): Record<string, unknown> {
  const { source } = part
  if (part.type === 'image' && (part.detail === 'low' || part.detail === 'high')) {
    warnings.add('detail', 'Gemini chooses the resolution of images itself.')
  }
  const name = part.type === 'file' ? part.name : undefined
  if (source.kind === 'base64')
    return { inlineData: { mimeType: typeOf(part, source.mediaType), data: source.data } }
  if (source.kind === 'url') return fromUrl(part, source.url, name, param)
  const fileUri = source.id.startsWith('files/') ? FILES_BASE + source.id : source.id
  if (!fileUri.startsWith('https://')) {
    throw new GatewayError('unsupported_feature', {
      message: 'This file is in the store of another provider, where Google cannot read it.',
      param,
    })
  }
  return { fileData: { fileUri } }
}

function fromUrl(
  part: ImagePart | AudioPart | FilePart,
  url: string,
  name: string | undefined,
  param: string,
): Record<string, unknown> {
  const inline = /^data:([^;,]*)((?:;[^;,]+)*?);base64,/i.exec(url)
  if (inline !== null) {
    return { inlineData: { mimeType: typeOf(part, inline[1] ?? ''), data: url.slice(inline[0].length) } }
  }
  if (!/^(https?|gs):\/\//i.test(url)) {
    throw new GatewayError('unsupported_feature', {
      message: 'Google reads files from http, https and gs addresses only.',
      param,
    })
  }
  const mimeType = typeOf(
    part,
    mediaTypeOfName(url) ?? (name === undefined ? '' : (mediaTypeOfName(name) ?? '')),
  )
  return { fileData: mimeType === '' ? { fileUri: url } : { mimeType, fileUri: url } }
}

/** Google wants a media type; where nobody says it, that of most images on the web is the best guess. */
function typeOf(part: ImagePart | AudioPart | FilePart, told: string): string {
  if (told !== '' && told !== 'application/octet-stream') return told
  if (part.type === 'image') return 'image/jpeg'
  if (part.type === 'audio') return mediaTypeOfEncoding(part.encoding ?? 'wav')
  return (part.name === undefined ? undefined : mediaTypeOfName(part.name)) ?? told
}
