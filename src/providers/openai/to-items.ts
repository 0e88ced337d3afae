import type { Message, Part, ReasoningPart, ToolCallPart, ToolResultPart } from '../../contract/chat.ts'
import { unwrapCustomInput } from '../../contract/formats/responses/custom-input.ts'
import { identitiesByName, type ToolIdentity } from '../../contract/formats/responses/tool-identity.ts'
import type { Warning } from '../provider.ts'
import { toContentPart } from './to-content.ts'

export interface ItemContext {
  readonly identities: readonly ToolIdentity[]
  /** Role of system turns that are no `instructions`. */
  readonly systemRole: 'system' | 'developer'
  /** The caller speaks this format, so its encrypted thoughts are OpenAI's. */
  readonly speaksResponses: boolean
  /** Collects what is left out. */
  readonly warnings: Warning[]
}

type Item = Record<string, unknown>

/** What writing one conversation has to remember. */
interface Writing extends ItemContext {
  readonly byName: ReadonlyMap<string, ToolIdentity>
  /** Calls of custom tools: their results have a type of their own. */
  readonly customCalls: Set<string>
  readonly input: Item[]
}

/** @returns the first system turn as `instructions`, everything else as items */
export function toItems(
  messages: readonly Message[],
  context: ItemContext,
): { readonly instructions?: string; readonly input: readonly Item[] } {
  const writing: Writing = {
    ...context,
    byName: identitiesByName(context.identities),
    customCalls: new Set(),
    input: [],
  }
  const instructions = instructionsOf(messages[0])
  const rest = instructions === undefined ? messages : messages.slice(1)
  for (const message of rest) addMessage(message, writing)
  return { ...(instructions === undefined ? {} : { instructions }), input: writing.input }
}

function instructionsOf(first: Message | undefined): string | undefined {
  if (first === undefined || first.role !== 'system') return undefined
  const texts = first.content.map((part) => (part.type === 'text' ? part.text : undefined))
  return texts.includes(undefined) ? undefined : texts.join('\n\n')
}

function addMessage(message: Message, writing: Writing): void {
  if (message.name !== undefined)
    warnOnce(writing, 'messages[].name', 'The Responses API has no names of participants.')
  switch (message.role) {
    case 'assistant':
      addAssistant(message.content, writing)
      return
    case 'tool':
      for (const part of message.content) if (part.type === 'tool-result') addResult(part, writing)
      return
    case 'system':
    case 'user': {
      const role = message.role === 'system' ? writing.systemRole : 'user'
      addInputMessage(role, message.content, writing)
    }
  }
}

function addInputMessage(role: string, parts: readonly Part[], writing: Writing): void {
  const content: Item[] = []
  for (const part of parts) {
    if (part.type === 'other' && isResultItem(part.raw)) addOther(part, writing)
    else content.push(...contentOf(part, writing))
  }
  if (content.length > 0) writing.input.push({ type: 'message', role, content })
}

/** One turn becomes several items; text and refusals that follow each other are one message. */
function addAssistant(parts: readonly Part[], writing: Writing): void {
  let content: Item[] = []
  const closeMessage = () => {
    if (content.length > 0) writing.input.push({ type: 'message', role: 'assistant', content })
    content = []
  }
  for (const part of parts) {
    if (part.type === 'text') content.push({ type: 'output_text', text: part.text, annotations: [] })
    else if (part.type === 'refusal') content.push({ type: 'refusal', refusal: part.text })
    else {
      closeMessage()
      if (part.type === 'tool-call') addCall(part, writing)
      else if (part.type === 'reasoning') addReasoning(part, writing)
      else addOther(part, writing)
    }
  }
  closeMessage()
}

function addCall(part: ToolCallPart, writing: Writing): void {
  const identity = writing.byName.get(part.name)
  const namespace = identity?.namespace === undefined ? {} : { namespace: identity.namespace }
  const name = identity?.wireName ?? part.name
  if (identity?.custom === true) {
    writing.customCalls.add(part.id)
    const input = unwrapCustomInput(part.arguments)
    writing.input.push({ type: 'custom_tool_call', call_id: part.id, name, ...namespace, input })
    return
  }
  const argumentsText = part.arguments === '' ? '{}' : part.arguments
  writing.input.push({
    type: 'function_call',
    call_id: part.id,
    name,
    ...namespace,
    arguments: argumentsText,
  })
}

function addResult(part: ToolResultPart, writing: Writing): void {
  if (part.isError === true) {
    warnOnce(writing, 'messages[].is_error', 'The Responses API does not mark a result as an error.')
  }
  const custom = writing.customCalls.has(part.callId)
  const only = part.content[0]
  const output =
    part.content.length === 1 && only?.type === 'text'
      ? only.text
      : part.content.flatMap((content) => contentOf(content, writing))
  writing.input.push({
    type: custom ? 'custom_tool_call_output' : 'function_call_output',
    call_id: part.callId,
    output: Array.isArray(output) && output.length === 0 ? '' : output,
  })
}

/**
 * A thought goes back only where OpenAI can read it: encrypted, and OpenAI's own. Others would be refused, and an
 * item without content would be looked for among stored ones.
 */
function addReasoning(part: ReasoningPart, writing: Writing): void {
  const isOwn = part.id === undefined ? writing.speaksResponses : part.id.startsWith('rs_')
  if (part.encrypted === undefined || part.signature !== undefined || !isOwn) {
    warnOnce(writing, 'messages[].reasoning', 'Thoughts of another provider cannot be sent to OpenAI.')
    return
  }
  writing.input.push({
    type: 'reasoning',
    ...(part.id === undefined ? {} : { id: part.id }),
    summary: part.text === '' ? [] : [{ type: 'summary_text', text: part.text }],
    encrypted_content: part.encrypted,
  })
}

function addOther(part: Part, writing: Writing): void {
  if (part.type === 'other' && part.format === 'responses' && isItem(part.raw)) {
    writing.input.push({ ...part.raw })
    return
  }
  warnOnce(writing, `messages[].${part.type}`, 'This content has no place in a turn of the model.')
}

function contentOf(part: Part, writing: Writing): Item[] {
  const content = toContentPart(part)
  if (content === undefined) {
    warnOnce(writing, `messages[].${part.type}`, 'This content has no counterpart in the Responses API.')
    return []
  }
  return [content]
}

function isItem(raw: unknown): raw is Item {
  return typeof raw === 'object' && raw !== null && 'type' in raw
}

/** Results stand on the user's side; any other unknown part of a user's turn is content. */
function isResultItem(raw: unknown): boolean {
  return isItem(raw) && /_(output|response)$/.test(String(raw.type))
}

function warnOnce(writing: Writing, param: string, message: string): void {
  if (writing.warnings.some((warning) => warning.param === param)) return
  writing.warnings.push({ param, message: `${message} It was left out.` })
}
