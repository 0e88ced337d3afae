import type { Part } from '../../contract/chat.ts'
import { isObject, type JsonObject } from '../../contract/formats/gemini/fields.ts'
import { encodingOfMediaType } from '../../contract/formats/gemini/media-type.ts'

/** What one part of an answer holds. A signature on a text or on media is a part of its own after it. */
export type ReplyPart =
  | { readonly kind: 'text'; readonly text: string; readonly signature: string | undefined }
  | { readonly kind: 'thought'; readonly text: string; readonly signature: string | undefined }
  | {
      readonly kind: 'call'
      readonly id: unknown
      readonly name: string
      readonly arguments: string
      readonly signature: string | undefined
    }
  | {
      readonly kind: 'media'
      readonly part: Part
      readonly signature: string | undefined
      readonly raw: JsonObject
    }
  | { readonly kind: 'other'; readonly raw: JsonObject }

/** @returns one part of a candidate's content, or `undefined` where it is no object */
export function fromPart(part: unknown): ReplyPart | undefined {
  if (!isObject(part)) return undefined
  const given = part.thoughtSignature
  const signature = typeof given === 'string' ? given : undefined
  const thought = part.thought === true
  if (typeof part.text === 'string') {
    return { kind: thought ? 'thought' : 'text', text: part.text, signature }
  }
  const call = part.functionCall
  if (isObject(call) && typeof call.name === 'string') {
    const args = call.args
    return {
      kind: 'call',
      id: call.id,
      name: call.name,
      arguments: JSON.stringify(args ?? {}),
      signature,
    }
  }
  const data = part.inlineData
  if (!thought && isObject(data) && typeof data.data === 'string') {
    const type = data.mimeType
    return {
      kind: 'media',
      part: toMedia(typeof type === 'string' ? type : '', data.data),
      signature,
      raw: part,
    }
  }
  // A signature alone, without even an empty text.
  if (
    signature !== undefined &&
    Object.keys(part).every((name) => name === 'thoughtSignature' || name === 'thought')
  ) {
    return { kind: thought ? 'thought' : 'text', text: '', signature }
  }
  return { kind: 'other', raw: part }
}

function toMedia(mediaType: string, data: string): Part {
  const source = { kind: 'base64', mediaType, data } as const
  if (mediaType.startsWith('image/')) return { type: 'image', source }
  if (mediaType.startsWith('audio/'))
    return { type: 'audio', source, encoding: encodingOfMediaType(mediaType) }
  return { type: 'file', source }
}
