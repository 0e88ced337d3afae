import type { AudioPart, FilePart, ImagePart, MediaSource, UnmappedField } from '../../chat.ts'
import { type FieldReader, invalidField } from './fields.ts'
import { encodingOfMediaType, mediaTypeOfName } from './media-type.ts'

/** Where files uploaded to Google live; nobody else can read them. */
const GOOGLE_FILES = /^(https:\/\/generativelanguage\.googleapis\.com\/|files\/)/

/** @returns an image, a sound or, for any other media type, a file of a part's `inlineData` */
export function parseInlineData(data: FieldReader): ImagePart | AudioPart | FilePart {
  const mediaType = data.string('mimeType')
  const bytes = data.string('data')
  if (mediaType === undefined) throw invalidField(data.at('mimeType'), 'is missing.')
  if (bytes === undefined) throw invalidField(data.at('data'), 'is missing.')
  const name = data.string('displayName')
  return toPart(mediaType, { kind: 'base64', mediaType, data: bytes }, name)
}

/**
 * @param unmapped takes the media type where the URL alone would not tell it again
 * @returns an image, a sound or, for any other media type, a file of a part's `fileData`
 */
export function parseFileData(
  data: FieldReader,
  unmapped: UnmappedField[],
): ImagePart | AudioPart | FilePart {
  const uri = data.string('fileUri')
  if (uri === undefined) throw invalidField(data.at('fileUri'), 'is missing.')
  const given = data.string('mimeType')
  const told = mediaTypeOfName(uri)
  if (given !== undefined && given !== told) unmapped.push({ path: data.at('mimeType'), value: given })
  const source: MediaSource = GOOGLE_FILES.test(uri) ? { kind: 'file', id: uri } : { kind: 'url', url: uri }
  return toPart(given ?? told ?? '', source, data.string('displayName'))
}

function toPart(
  mediaType: string,
  source: MediaSource,
  name: string | undefined,
): ImagePart | AudioPart | FilePart {
  if (mediaType.startsWith('image/')) return { type: 'image', source }
  if (mediaType.startsWith('audio/'))
    return { type: 'audio', source, encoding: encodingOfMediaType(mediaType) }
  return name === undefined ? { type: 'file', source } : { type: 'file', source, name }
}
