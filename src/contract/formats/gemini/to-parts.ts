import type { AudioPart, FilePart, ImagePart, MediaSource, Part } from '../../chat.ts'
import { toArgs } from './call-arguments.ts'
import { isObject } from './fields.ts'
import { mediaTypeOfName } from './media-type.ts'
import { CANDIDATE_METADATA, type WirePart } from './wire.ts'

export interface WireContent {
  readonly parts: readonly (WirePart | object)[]
  /** Facts that stand beside the content of a candidate. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** What the model wrote where a call was no JSON object: Gemini has a finish reason for that. */
  readonly malformedCall: string | undefined
}

/** @returns the content of a reply as Gemini spells it */
export function toWireContent(content: readonly Part[]): WireContent {
  const parts: (WirePart | object)[] = []
  const metadata: Record<string, unknown> = {}
  let malformedCall: string | undefined
  for (const part of content) {
    switch (part.type) {
      case 'text':
      case 'refusal':
        parts.push({ text: part.text })
        break
      case 'reasoning':
        // What only its own provider can read (`encrypted`) has no place in Gemini's format.
        if (part.text !== '' || part.signature !== undefined) parts.push(toThought(part.text, part.signature))
        break
      case 'tool-call': {
        const args = toArgs(part.arguments)
        if (args === undefined) malformedCall ??= `${part.name}(${part.arguments})`
        else parts.push(toCall(part.id, part.name, args, part.signature))
        break
      }
      case 'image':
      case 'audio':
      case 'file':
        parts.push(toMedia(part))
        break
      case 'other':
        if (part.format === 'gemini' && isObject(part.raw)) {
          if (CANDIDATE_METADATA.some((name) => Object.hasOwn(Object(part.raw), name)))
            Object.assign(metadata, part.raw)
          else parts.push(part.raw)
        }
        break
      case 'tool-result':
        // No model answers with the result of a tool.
        break
    }
  }
  return { parts, metadata, malformedCall }
}

/** Without a text it is a signature alone, as Google streams it after the text that it belongs to. */
export function toThought(text: string, signature: string | undefined): WirePart {
  const signed = signature === undefined ? {} : { thoughtSignature: signature }
  return text === '' ? { text, ...signed } : { text, thought: true, ...signed }
}

export function toCall(id: string, name: string, args: unknown, signature: string | undefined): WirePart {
  const functionCall = { id, name, args }
  return signature === undefined ? { functionCall } : { functionCall, thoughtSignature: signature }
}

function toMedia(part: ImagePart | AudioPart | FilePart): WirePart {
  const { source } = part
  const named = part.type === 'file' && part.name !== undefined ? { displayName: part.name } : {}
  if (source.kind === 'base64') {
    return { inlineData: { mimeType: source.mediaType, data: source.data, ...named } }
  }
  const fileUri = addressOf(source)
  const mimeType = mediaTypeOfName(fileUri)
  return { fileData: { fileUri, ...(mimeType === undefined ? {} : { mimeType }), ...named } }
}

function addressOf(source: Exclude<MediaSource, { kind: 'base64' }>): string {
  return source.kind === 'url' ? source.url : source.id
}
