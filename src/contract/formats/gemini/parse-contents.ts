import type {
  FilePart,
  ImagePart,
  Message,
  Part,
  TextPart,
  ToolResultPart,
  UnmappedField,
} from '../../chat.ts'
import type { CallIds } from './call-ids.ts'
import { type FieldReader, invalidField, type JsonObject, readFields } from './fields.ts'
import { parseFileData, parseInlineData } from './parse-media.ts'

/** What reading contents shares: the ids given so far, and what the neutral model has no place for. */
export interface ContentsState {
  readonly ids: CallIds
  readonly unmapped: UnmappedField[]
}

/**
 * @returns the turns of a conversation: one content becomes several where it mixes results of tools with others;
 *   several of the model become one, because chats of @google/genai (3.1.0) send each chunk of a stream back as a
 *   content of its own
 */
export function parseContents(value: unknown, path: string, state: ContentsState): Message[] {
  const contents = Array.isArray(value) ? value : [value]
  const messages: Message[] = []
  for (const [index, content] of contents.entries()) {
    for (const message of parseContent(content, `${path}[${index}]`, state)) {
      const last = messages.at(-1)
      if (message.role !== 'assistant') messages.push(message)
      else if (last?.role !== 'assistant') messages.push(message)
      else messages[messages.length - 1] = { ...last, content: join(last.content, message.content) }
    }
  }
  return messages.filter((message) => message.role !== 'assistant' || message.content.length > 0)
}

/** Text and thoughts that go on in the next chunk are one. */
function join(first: readonly Part[], second: readonly Part[]): Part[] {
  const [head, ...rest] = second
  const last = first.at(-1)
  if (head?.type === 'text' && last?.type === 'text') {
    return [...first.slice(0, -1), { ...last, text: last.text + head.text }, ...rest]
  }
  if (
    head?.type === 'reasoning' &&
    last?.type === 'reasoning' &&
    last.signature === undefined &&
    head.text !== ''
  ) {
    return [...first.slice(0, -1), { ...head, text: last.text + head.text }, ...rest]
  }
  return [...first, ...second]
}

function parseContent(value: unknown, path: string, state: ContentsState): Message[] {
  const content = readFields(value, path)
  // Google takes a missing role for `user`; `function` is what its first models called the turn of results.
  const role = content.string('role') ?? 'user'
  if (role !== 'user' && role !== 'model' && role !== 'function') {
    throw invalidField(content.at('role'), 'has to be `user` or `model`.')
  }
  const parts = parseParts(content, state)
  state.unmapped.push(...content.rest())
  if (role === 'model') return [{ role: 'assistant', content: parts.filter((part) => !isEmpty(part)) }]
  return splitResults(parts)
}

/** @returns the parts of a content or a system instruction */
export function parseParts(content: FieldReader, state: ContentsState): Part[] {
  const parts = content.array('parts') ?? []
  const path = content.at('parts')
  return parts.flatMap((part, index) => parsePart(readFields(part, `${path}[${index}]`), state))
}

/** The last chunk of a stream holds an empty text, and other providers refuse those. */
function isEmpty(part: Part): boolean {
  return part.type === 'text' && part.text === ''
}

/** Results of tools stand in turns of their own in the neutral model. */
function splitResults(parts: readonly Part[]): Message[] {
  const messages: { role: 'user' | 'tool'; content: Part[] }[] = []
  for (const part of parts) {
    const role = part.type === 'tool-result' ? 'tool' : 'user'
    const last = messages.at(-1)
    if (last?.role === role) last.content.push(part)
    else messages.push({ role, content: [part] })
  }
  return messages.length === 0 ? [{ role: 'user', content: [] }] : messages
}

function parsePart(part: FieldReader, state: ContentsState): Part[] {
  const thought = part.boolean('thought') ?? false
  const signature = part.string('thoughtSignature')
  const parsed = parseData(part, thought, signature, state)
  if (parsed === undefined) return [{ type: 'other', format: 'gemini', raw: part.source }]
  state.unmapped.push(...part.rest())
  if (signature === undefined || parsed.type === 'tool-call' || parsed.type === 'reasoning') return [parsed]
  return [parsed, { type: 'reasoning', text: '', signature }]
}

/** @returns the one thing that a part holds; `undefined` where the neutral model has no word for it */
function parseData(
  part: FieldReader,
  thought: boolean,
  signature: string | undefined,
  state: ContentsState,
): Part | undefined {
  const text = part.string('text')
  if (text !== undefined) {
    // Google streams a signature in a part of its own, with an empty text.
    if (!thought && (text !== '' || signature === undefined)) return { type: 'text', text }
    return { type: 'reasoning', text, ...(signature === undefined ? {} : { signature }) }
  }
  const call = part.object('functionCall')
  if (call !== undefined) return parseCall(call, signature, state)
  const result = part.object('functionResponse')
  if (result !== undefined) return parseResult(result, state)
  if (thought) return undefined
  const inline = part.object('inlineData')
  if (inline !== undefined) return parseInlineData(inline)
  const file = part.object('fileData')
  return file === undefined ? undefined : parseFileData(file, state.unmapped)
}

function parseCall(call: FieldReader, signature: string | undefined, state: ContentsState): Part {
  const name = call.string('name')
  if (name === undefined) throw invalidField(call.at('name'), 'is missing.')
  const args = call.object('args')
  const id = state.ids.ofCall(call.string('id'), name)
  state.unmapped.push(...call.rest())
  return {
    type: 'tool-call',
    id,
    name,
    arguments: args === undefined ? '{}' : JSON.stringify(args.source),
    ...(signature === undefined ? {} : { signature }),
  }
}

function parseResult(result: FieldReader, state: ContentsState): ToolResultPart {
  const name = result.string('name')
  if (name === undefined) throw invalidField(result.at('name'), 'is missing.')
  const response = result.object('response')?.source ?? {}
  const callId = state.ids.ofResult(result.string('id'), name)
  const media = (result.array('parts') ?? []).map((part, index) =>
    parseResultMedia(readFields(part, `${result.at('parts')}[${index}]`), state),
  )
  state.unmapped.push(...result.rest())
  const { text, isError } = readResponse(response, name)
  return {
    type: 'tool-result',
    callId,
    name,
    content: [{ type: 'text', text }, ...media],
    ...(isError ? { isError } : {}),
  }
}

/**
 * A response holds its result as `output` or its failure as `error`; any other object is itself the result
 * (`FunctionResponse.response` in @google/genai 3.1.0). Google's own examples and LangChain write `result`, and
 * Vercel's AI SDK writes `content` beside the tool's name once more (@ai-sdk/google 3.0.141).
 */
function readResponse(response: JsonObject, tool: string): { text: string; isError: boolean } {
  const names = Object.keys(response)
  if (names.length === 2 && response.name === tool && 'content' in response)
    return { text: toText(response.content), isError: false }
  const only = names.length === 1 ? names[0] : undefined
  if (only === 'error') return { text: toText(response.error), isError: true }
  if (only === 'output' || only === 'result') return { text: toText(response[only]), isError: false }
  return { text: JSON.stringify(response), isError: false }
}

function toText(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function parseResultMedia(part: FieldReader, state: ContentsState): TextPart | ImagePart | FilePart {
  const inline = part.object('inlineData')
  const file = part.object('fileData')
  const media = inline === undefined ? file && parseFileData(file, state.unmapped) : parseInlineData(inline)
  if (media === undefined) throw invalidField(part.at('inlineData'), 'is missing.')
  state.unmapped.push(...part.rest())
  // A result of a tool holds no sound in the neutral model; as a file it keeps its media type.
  return media.type === 'audio' ? { type: 'file', source: media.source } : media
}
