import type { Message, Part, ToolCallPart, ToolResultPart } from '../../contract/chat.ts'
import { toArgs } from '../../contract/formats/gemini/call-arguments.ts'
import { toCall, toThought } from '../../contract/formats/gemini/to-parts.ts'
import { GatewayError } from '../../core/errors.ts'
import { toMediaPart } from './to-media.ts'
import type { WarningList } from './warnings.ts'

export interface GeminiContent {
  readonly role: 'user' | 'model'
  readonly parts: object[]
}

export interface GeminiContents {
  readonly contents: readonly GeminiContent[]
  readonly systemInstruction: { readonly parts: readonly object[] } | undefined
}

export interface ContentsOptions {
  /** Gemini 3 and later: results of tools may hold media; before, media stand beside them. */
  readonly mediaInResults: boolean
  /** Gemini 3 and later: the first call of each answer since the last user turn has to bear a signature. */
  readonly signedCalls: boolean
  readonly warnings: WarningList
}

/**
 * Stands for the signature of a call that Gemini did not make itself: without one, Gemini 3 refuses the turn with
 * a 400 (https://ai.google.dev/gemini-api/docs/thought-signatures, read 2026-11-21).
 */
const UNSIGNED = 'skip_thought_signature_validator'

/**
 * @returns turns as Gemini wants them: all calls of one answer in one content, all their results in the next
 * @throws GatewayError `unsupported_feature` for parts that Google cannot read, `invalid_request` for a result
 *   whose call is unknown
 */
export function toContents(messages: readonly Message[], options: ContentsOptions): GeminiContents {
  const { warnings } = options
  const contents: (GeminiContent & { readonly from: Message['role'] })[] = []
  const system: object[] = []
  const names = new Map<string, string>()
  const turnStart = messages.findLastIndex((message) => message.role === 'user')
  for (const [index, message] of messages.entries()) {
    const param = `messages[${index}]`
    if (message.name !== undefined) warnings.add('name', 'Gemini has no names of participants.')
    if (message.role === 'system') {
      if (contents.length > 0) {
        warnings.add(
          `${param}.role`,
          'Gemini reads system text only before the conversation; it was moved there.',
        )
      }
      system.push(...toSystemParts(message, param))
      continue
    }
    const parts = toParts(message, param, names, {
      ...options,
      signedCalls: options.signedCalls && index > turnStart,
    })
    if (parts.length === 0) continue
    const role = message.role === 'assistant' ? 'model' : 'user'
    const last = contents.at(-1)
    if (last?.from === message.role && message.role !== 'user') last.parts.push(...parts)
    else contents.push({ role, parts, from: message.role })
  }
  const turns = contents.map(({ role, parts }) => ({ role, parts }))
  if (turns.length > 0)
    return { contents: turns, systemInstruction: system.length === 0 ? undefined : { parts: system } }
  // Google wants at least one content; a request of system text alone is one that other providers answer.
  if (system.length > 0)
    warnings.add('messages', 'There is no user text: Gemini gets the system text in its place.')
  return { contents: [{ role: 'user', parts: system }], systemInstruction: undefined }
}

function toSystemParts(message: Message, param: string): object[] {
  return message.content.flatMap((part) => {
    if (part.type === 'text') return part.text === '' ? [] : [{ text: part.text }]
    throw new GatewayError('unsupported_feature', {
      message: 'Gemini takes only text as system text.',
      param,
    })
  })
}

function toParts(
  message: Message,
  param: string,
  names: Map<string, string>,
  options: ContentsOptions,
): object[] {
  let firstCall = true
  return message.content.flatMap((part, index) => {
    const at = `${param}.content[${index}]`
    if ('cacheControl' in part && part.cacheControl !== undefined) {
      options.warnings.add('cache_control', 'Gemini chooses by itself what it caches.')
    }
    if (part.type === 'tool-call') {
      names.set(part.id, part.name)
      const written = toCallPart(part, at, options.signedCalls && firstCall, options.warnings)
      firstCall = false
      return [written]
    }
    return part.type === 'tool-result'
      ? toResultParts(part, at, names, options)
      : toPart(part, at, options.warnings)
  })
}

function toPart(
  part: Exclude<Part, ToolCallPart | ToolResultPart>,
  param: string,
  warnings: WarningList,
): object[] {
  switch (part.type) {
    case 'text':
    case 'refusal':
      // Google refuses parts without anything in them.
      return part.text === '' ? [] : [{ text: part.text }]
    case 'reasoning': {
      const { text, signature } = part
      if (signature !== undefined && !/^[\w+/=-]+$/.test(signature)) {
        warnings.add(
          `${param}.signature`,
          'This signature is not one of Gemini; its thought goes without it.',
        )
        return text === '' ? [] : [toThought(text, undefined)]
      }
      return text === '' && signature === undefined ? [] : [toThought(text, signature)]
    }
    case 'image':
    case 'audio':
    case 'file':
      return [toMediaPart(part, param, warnings)]
    case 'other':
      if (part.format === 'gemini' && typeof part.raw === 'object' && part.raw !== null) return [part.raw]
      warnings.add(param, 'Gemini has nothing like this part; it was left out.')
      return []
  }
}

function toCallPart(part: ToolCallPart, param: string, sign: boolean, warnings: WarningList): object {
  const args = toArgs(part.arguments)
  if (args === undefined) {
    warnings.add(`${param}.arguments`, 'These arguments are no JSON object; Gemini gets them as one text.')
  }
  const signature = part.signature ?? (sign ? UNSIGNED : undefined)
  return toCall(part.id, part.name, args ?? { arguments: part.arguments }, signature)
}

function toResultParts(
  part: ToolResultPart,
  param: string,
  names: ReadonlyMap<string, string>,
  options: ContentsOptions,
): object[] {
  const name = names.get(part.callId) ?? part.name
  if (name === undefined) {
    throw new GatewayError('invalid_request', {
      message: `This is the result of the call \`${part.callId}\`, which stands nowhere before it.`,
      param,
    })
  }
  const text = part.content.map((item) => (item.type === 'text' ? item.text : '')).join('')
  const media = part.content.flatMap((item) =>
    item.type === 'text' ? [] : [toMediaPart(item, param, options.warnings)],
  )
  const response = part.isError === true ? { error: text } : toResponse(text)
  const functionResponse = { id: part.callId, name, response }
  if (media.length > 0 && options.mediaInResults)
    return [{ functionResponse: { ...functionResponse, parts: media } }]
  return [{ functionResponse }, ...media]
}

/**
 * A result that is a JSON object goes as one, where nothing is lost by reading it; any other is text. Reading
 * would round numbers beyond 2^53 and drop repeated names: then writing it again gives another text.
 */
function toResponse(text: string): object {
  const object = text.startsWith('{') ? toArgs(text) : undefined
  return object !== undefined && JSON.stringify(object) === text ? object : { output: text }
}
