import type { FilePart, ImagePart, MediaSource, TextPart, UnmappedField } from '../../chat.ts'
import {
  arrayAt,
  cacheControlOf,
  type Fields,
  objectAt,
  optionalString,
  refuseField,
  stringAt,
} from './read-fields.ts'

export function parseImage(block: Fields, path: string): ImagePart {
  const source = parseSource(objectAt(block.source, `${path}.source`), `${path}.source`)
  return { type: 'image', source, cacheControl: cacheControlOf(block) }
}

/**
 * @returns a file, or for a document that was given as text that text, because every provider and every
 *   inspection can read it
 */
export function parseDocument(
  block: Fields,
  path: string,
  unmapped: UnmappedField[],
): readonly (TextPart | ImagePart | FilePart)[] {
  const source = objectAt(block.source, `${path}.source`)
  const title = optionalString(block.title, `${path}.title`)
  const context = optionalString(block.context, `${path}.context`)
  if (block.citations !== undefined && block.citations !== null) {
    unmapped.push({ path: `${path}.citations`, value: block.citations })
  }
  const cacheControl = cacheControlOf(block)
  const heading = [title, context].filter((line) => line !== undefined && line !== '').join('\n')
  if (source.type === 'text') {
    const text = stringAt(source.data, `${path}.source.data`)
    return [{ type: 'text', text: heading === '' ? text : `${heading}\n\n${text}`, cacheControl }]
  }
  if (source.type === 'content') {
    const parts = parseContentSource(source.content, `${path}.source.content`)
    return heading === '' ? parts : [{ type: 'text', text: heading }, ...parts]
  }
  const file: FilePart = {
    type: 'file',
    source: parseSource(source, `${path}.source`),
    name: title,
    cacheControl,
  }
  return context === undefined || context === '' ? [file] : [{ type: 'text', text: context }, file]
}

function parseContentSource(content: unknown, path: string): readonly (TextPart | ImagePart)[] {
  if (typeof content === 'string') return [{ type: 'text', text: content }]
  return arrayAt(content, path).map((entry, index): TextPart | ImagePart => {
    const place = `${path}[${index}]`
    const block = objectAt(entry, place)
    if (block.type === 'image') return parseImage(block, place)
    return { type: 'text', text: stringAt(block.text, `${place}.text`), cacheControl: cacheControlOf(block) }
  })
}

function parseSource(source: Fields, path: string): MediaSource {
  switch (source.type) {
    case 'base64':
      return {
        kind: 'base64',
        mediaType: stringAt(source.media_type, `${path}.media_type`),
        data: stringAt(source.data, `${path}.data`),
      }
    case 'url':
      return { kind: 'url', url: stringAt(source.url, `${path}.url`) }
    case 'file':
      return { kind: 'file', id: stringAt(source.file_id, `${path}.file_id`) }
    default:
      return refuseField(`${path}.type`, 'a known kind of source')
  }
}
