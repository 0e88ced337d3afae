/**
 * `reasoning_details`: how OpenRouter carries thoughts with their signatures in the chat format, so that a client
 * can hand them back (https://openrouter.ai/docs/use-cases/reasoning-tokens, read 2026-11-21). We write it too,
 * since nothing else in this format keeps what Anthropic and Gemini demand back.
 */

import type { ReasoningPart } from '../../chat.ts'
import { type Fields, isObject } from './fields.ts'

/** Entries with the same index belong to one thought. */
interface Draft {
  text: string
  signature?: string
  encrypted?: string
  id?: string
}

/** @returns one part per thought; `[]` where the field is absent or of another shape */
export function fromReasoningDetails(value: unknown): ReasoningPart[] {
  if (!Array.isArray(value)) return []
  const drafts: Draft[] = []
  const byIndex = new Map<number, Draft>()
  for (const detail of value) {
    if (!isObject(detail)) continue
    const index = typeof detail.index === 'number' ? detail.index : undefined
    let draft = index === undefined ? undefined : byIndex.get(index)
    if (draft === undefined) {
      draft = { text: '' }
      drafts.push(draft)
      if (index !== undefined) byIndex.set(index, draft)
    }
    addDetail(draft, detail)
  }
  return drafts.map((draft) => ({ type: 'reasoning', ...draft }))
}

function addDetail(draft: Draft, detail: Readonly<Record<string, unknown>>): void {
  if (typeof detail.text === 'string') draft.text += detail.text
  if (typeof detail.summary === 'string') draft.text += detail.summary
  if (typeof detail.signature === 'string') draft.signature = detail.signature
  if (typeof detail.data === 'string') draft.encrypted = detail.data
  if (typeof detail.id === 'string') draft.id = detail.id
}

/** @returns the thought, under either of its names; some servers send both with the same text */
export function thoughtText(message: Fields): string {
  const { reasoning_content: content, reasoning } = message
  if (typeof content === 'string' && content !== '') return content
  return typeof reasoning === 'string' ? reasoning : ''
}

/**
 * Thoughts are no field of OpenAI's chat format. DeepSeek, Moonshot, Zhipu and SGLang name them
 * `reasoning_content`, vLLM and OpenRouter `reasoning`; only `reasoning_details` keeps signatures.
 *
 * @returns the thoughts of an assistant's message, in order
 */
export function fromThoughtFields(message: Fields): ReasoningPart[] {
  const details = fromReasoningDetails(message.reasoning_details)
  const text = thoughtText(message)
  if (text === '' || details.some((detail) => detail.text !== '')) return details
  const [only, ...others] = details
  // Where the details hold proofs alone, the plain field has their text.
  return only !== undefined && others.length === 0
    ? [{ ...only, text }]
    : [{ type: 'reasoning', text }, ...details]
}

/** @returns whether the part holds something that plain text would lose */
export function hasProof(part: Omit<ReasoningPart, 'type' | 'text'>): boolean {
  return part.signature !== undefined || part.encrypted !== undefined || part.id !== undefined
}

/** @returns the entries of one thought, the `index`th of its reply */
export function toReasoningDetails(part: ReasoningPart, index: number): Record<string, unknown>[] {
  const id = part.id === undefined ? {} : { id: part.id }
  if (part.encrypted === undefined) {
    const signature = part.signature === undefined ? {} : { signature: part.signature }
    return [{ type: 'reasoning.text', text: part.text, ...signature, ...id, index }]
  }
  const encrypted = { type: 'reasoning.encrypted', data: part.encrypted, ...id, index }
  if (part.text === '' && part.signature === undefined) return [encrypted]
  const signature = part.signature === undefined ? {} : { signature: part.signature }
  return [{ type: 'reasoning.summary', summary: part.text, ...signature, ...id, index }, encrypted]
}
