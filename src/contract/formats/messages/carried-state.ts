import type { ReasoningPart } from '../../chat.ts'
import { isFields } from './read-fields.ts'

/**
 * Opaque state of other providers that has to come back in the next turn, carried where a client of this format
 * keeps it: a client returns the `id` of a call and the `signature` of a thought exactly as it got them.
 */

/** Stands between a call's id and the signature of its thought; both sides keep to `[A-Za-z0-9_-]`. */
const ID_MARK = '__signature__'
const REASONING_MARK = 'gatehouse-reasoning.'

/** @returns an id that carries Gemini's signature of the call, which that API demands back */
export function toCarriedId(id: string, signature: string | undefined): string {
  return signature === undefined ? id : `${id}${ID_MARK}${Buffer.from(signature).toString('base64url')}`
}

export function fromCarriedId(carried: string): { id: string; signature?: string } {
  const mark = carried.lastIndexOf(ID_MARK)
  if (mark < 0) return { id: carried }
  const signature = Buffer.from(carried.slice(mark + ID_MARK.length), 'base64url').toString()
  return { id: carried.slice(0, mark), signature }
}

/** What has to come back with a thought, whatever its text. */
export type ReasoningState = Pick<ReasoningPart, 'signature' | 'encrypted' | 'id'>

/**
 * @returns the `signature` of a `thinking` block: the model's own where there is no more to keep, else one that
 *   holds all of it (OpenAI's item id and encrypted content)
 */
export function toCarriedSignature(state: ReasoningState): string {
  if (state.encrypted === undefined && state.id === undefined) return state.signature ?? ''
  const { signature, encrypted, id } = state
  return REASONING_MARK + Buffer.from(JSON.stringify({ signature, encrypted, id })).toString('base64url')
}

export function fromCarriedSignature(carried: string): ReasoningState {
  if (carried === '') return {}
  if (!carried.startsWith(REASONING_MARK)) return { signature: carried }
  try {
    const state: unknown = JSON.parse(
      Buffer.from(carried.slice(REASONING_MARK.length), 'base64url').toString(),
    )
    if (!isFields(state)) return { signature: carried }
    return {
      ...(typeof state.signature === 'string' ? { signature: state.signature } : {}),
      ...(typeof state.encrypted === 'string' ? { encrypted: state.encrypted } : {}),
      ...(typeof state.id === 'string' ? { id: state.id } : {}),
    }
  } catch {
    // Somebody else's signature that happens to begin like ours.
    return { signature: carried }
  }
}
