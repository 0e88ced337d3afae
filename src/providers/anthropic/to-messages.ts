import type { ChatRequest, Message } from '../../contract/chat.ts'
import type { Fields } from '../../contract/formats/messages/read-fields.ts'
import { type Notes, unsupported } from './notes.ts'
import { toAssistantBlocks, toText, toUserBlocks } from './to-blocks.ts'
import type { AnthropicTraits } from './traits.ts'

export interface WireTurn {
  readonly role: 'user' | 'assistant' | 'system'
  readonly content: readonly Fields[]
}

export interface Conversation {
  readonly system: readonly Fields[]
  readonly messages: readonly WireTurn[]
}

/**
 * @returns the conversation as the API wants it: system text apart, results of tools inside user turns and first in
 *   them, and no two turns of one role in a row
 * @throws GatewayError `unsupported_feature` for audio, and for a turn to be continued by a model that cannot
 */
export function toConversation(request: ChatRequest, traits: AnthropicTraits, notes: Notes): Conversation {
  const leading = request.messages.findIndex((message) => message.role !== 'system')
  const systemCount = leading < 0 ? request.messages.length : leading
  const system = request.messages.slice(0, systemCount).map((message) => systemBlocks(message, notes))
  const turns: WireTurn[] = []
  if (leading < 0) {
    // The API wants at least one turn. Applications that put everything into one system message are common.
    const last = system.pop() ?? []
    if (last.length > 0) {
      notes.warn('messages', 'The conversation has no user turn; its last system message was sent as one.')
      turns.push({ role: 'user', content: last })
    }
  }
  for (let index = systemCount; index < request.messages.length; index++) {
    const message = request.messages[index]
    if (message !== undefined) append(turns, toTurn(request.messages, index, message, turns, traits, notes))
  }
  return { system: system.flat(), messages: endWell(turns.map(resultsFirst), traits, notes) }
}

function toTurn(
  messages: readonly Message[],
  index: number,
  message: Message,
  turns: readonly WireTurn[],
  traits: AnthropicTraits,
  notes: Notes,
): WireTurn {
  const param = `messages[${index}]`
  if (message.name !== undefined)
    notes.warn(`${param}.name`, 'The provider does not tell participants apart by name.')
  switch (message.role) {
    case 'assistant':
      return { role: 'assistant', content: toAssistantBlocks(message.content, param, notes) }
    case 'user':
    case 'tool':
      return { role: 'user', content: toUserBlocks(message.content, param, notes) }
    case 'system':
      return toSystemTurn(messages, index, message, turns, traits, notes)
  }
}

/**
 * A system message in the middle stays where it stands: moved to the top it would change what was said when, and
 * void the prompt cache of all that follows. Models that know system turns take one after a user turn; elsewhere it
 * becomes marked user text, which has less authority but never more than its author gave it.
 */
function toSystemTurn(
  messages: readonly Message[],
  index: number,
  message: Message,
  turns: readonly WireTurn[],
  traits: AnthropicTraits,
  notes: Notes,
): WireTurn {
  const content = systemBlocks(message, notes)
  const before = turns.at(-1)?.role
  const after = messages.slice(index + 1).find((next) => next.role !== 'system')?.role
  const placed = (before === 'user' || before === 'system') && (after === undefined || after === 'assistant')
  if (traits.systemTurns === true && placed) return { role: 'system', content }
  notes.warn(
    `messages[${index}]`,
    'The provider takes no system message at this place; it was sent as user text.',
  )
  return {
    role: 'user',
    content: content.map((block) => ({ ...block, text: `<system>\n${String(block.text)}\n</system>` })),
  }
}

function systemBlocks(message: Message, notes: Notes): Fields[] {
  return message.content.flatMap((part) => {
    if (part.type === 'text') return toText(part.text, part.cacheControl)
    notes.warn('messages', 'System messages of this provider hold text only; another part was left out.')
    return []
  })
}

/** Consecutive turns of one role become one. Turns without content are left out: the API refuses them. */
function append(turns: WireTurn[], turn: WireTurn): void {
  if (turn.content.length === 0) return
  const last = turns.at(-1)
  if (last?.role === turn.role)
    turns[turns.length - 1] = { ...last, content: [...last.content, ...turn.content] }
  else turns.push(turn)
}

function resultsFirst(turn: WireTurn): WireTurn {
  if (turn.role !== 'user') return turn
  const isResult = (block: Fields) => block.type === 'tool_result'
  const results = turn.content.filter(isResult)
  return results.length === 0
    ? turn
    : { ...turn, content: [...results, ...turn.content.filter((b) => !isResult(b))] }
}

/** A last turn of the assistant is one to be continued, and may not end in white space. */
function endWell(turns: WireTurn[], traits: AnthropicTraits, notes: Notes): WireTurn[] {
  const last = turns.at(-1)
  if (last?.role !== 'assistant') return turns
  if (traits.refusesPrefill === true) {
    throw unsupported(
      'messages',
      'This model does not continue an assistant turn: the last one must be the user’s.',
    )
  }
  const block = last.content.at(-1)
  if (block?.type !== 'text' || typeof block.text !== 'string') return turns
  const text = block.text.trimEnd()
  if (text === block.text) return turns
  notes.warn('messages', 'White space at the end of the assistant turn to be continued was left out.')
  const content = [...last.content.slice(0, -1), ...(text === '' ? [] : [{ ...block, text }])]
  return [...turns.slice(0, -1), ...(content.length === 0 ? [] : [{ ...last, content }])]
}

/** Whether the assistant turn whose calls the last user turn answers lacks the thought that led to them. */
export function isThoughtMissing(messages: readonly WireTurn[]): boolean {
  const last = messages.at(-1)
  if (last?.role !== 'user' || last.content[0]?.type !== 'tool_result') return false
  const first = messages.at(-2)?.content[0]?.type
  return first !== 'thinking' && first !== 'redacted_thinking'
}
