import { isObject } from '../../contract/formats/chat/fields.ts'
import { parseThinking } from '../../contract/formats/chat/parse-content.ts'

/** A piece of what a model wrote, in order. */
export interface ContentPiece {
  readonly type: 'text' | 'reasoning'
  readonly text: string
}

/** @returns the pieces of `content`: a string, or Mistral's array with thoughts among the texts */
export function fromContent(content: unknown): ContentPiece[] {
  if (typeof content === 'string') return content === '' ? [] : [{ type: 'text', text: content }]
  if (!Array.isArray(content)) return []
  return content.flatMap((part): ContentPiece[] => {
    if (!isObject(part)) return []
    if (part.type === 'thinking') return [{ type: 'reasoning', text: parseThinking(part).text }]
    return typeof part.text === 'string' ? [{ type: 'text', text: part.text }] : []
  })
}

/** @returns arguments as JSON text: some servers send the object itself */
export function argumentsText(value: unknown): string {
  if (typeof value === 'string') return value
  return isObject(value) ? JSON.stringify(value) : ''
}

/** @returns an id for a call that came without one: unique in the conversation as the reply's own id is */
export function madeCallId(replyId: string, choice: number, index: number): string {
  return `call_${replyId.replace(/[^A-Za-z0-9]/g, '').slice(-16)}_${choice}_${index}`
}
