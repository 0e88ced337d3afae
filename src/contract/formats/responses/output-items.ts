import { unwrapCustomInput } from './custom-input.ts'
import { isObject } from './fields.ts'
import { type SealedReasoning, seal } from './sealed-reasoning.ts'
import type { ToolIdentity } from './tool-identity.ts'

export type ItemStatus = 'in_progress' | 'completed' | 'incomplete'

/** An output item or a content part, as the wire has it. */
export type WireItem = Record<string, unknown>

export function textPart(text: string, logprobs: readonly unknown[]): WireItem {
  return { type: 'output_text', annotations: [], logprobs, text }
}

export function refusalPart(refusal: string): WireItem {
  return { type: 'refusal', refusal }
}

export function messageItem(id: string, content: readonly WireItem[], status: ItemStatus): WireItem {
  return { id, type: 'message', status, content, role: 'assistant' }
}

/** @param encrypted `undefined` where there is nothing to bring back in the next turn */
export function reasoningItem(id: string, text: string, encrypted: string | undefined): WireItem {
  return {
    id,
    type: 'reasoning',
    summary: text === '' ? [] : [{ type: 'summary_text', text }],
    ...(encrypted === undefined ? {} : { encrypted_content: encrypted }),
  }
}

/**
 * @param itemId id that the item has on the wire
 * @returns `encrypted_content`: OpenAI's own value unchanged, everything else in an envelope of ours. Foreign
 *   thoughts get an id of ours, so that they are never taken for OpenAI's.
 */
export function encryptedContent(part: SealedReasoning, itemId: string): string | undefined {
  if (part.signature === undefined && part.encrypted === undefined) return undefined
  const isOpenAi = part.signature === undefined && part.id?.startsWith('rs_') === true
  if (isOpenAi && part.id === itemId) return part.encrypted
  return seal({ ...part, id: part.id ?? `gatehouse_${itemId}` })
}

export interface Call {
  readonly callId: string
  readonly name: string
  readonly arguments: string
}

/** @returns a call in the caller's own spelling: function or custom tool, with its namespace */
export function callItem(
  id: string,
  call: Call,
  identity: ToolIdentity | undefined,
  status: ItemStatus,
): WireItem {
  const namespace = identity?.namespace === undefined ? {} : { namespace: identity.namespace }
  const name = identity?.wireName ?? call.name
  if (identity?.custom === true) {
    return {
      id,
      type: 'custom_tool_call',
      status,
      call_id: call.callId,
      input: unwrapCustomInput(call.arguments),
      name,
      ...namespace,
    }
  }
  return {
    id,
    type: 'function_call',
    status,
    // Callers parse this text: no arguments at all is an empty object.
    arguments: call.arguments === '' && status === 'completed' ? '{}' : call.arguments,
    call_id: call.callId,
    name,
    ...namespace,
  }
}

/** A tool call's signature travels in a thought of its own, directly before the call. */
export function callSignatureItem(id: string, callId: string, signature: string): WireItem {
  return reasoningItem(id, '', seal({ signature, callId }))
}

/** Log probabilities in Chat's shape (`{content: [...]}`) as the list this format has. */
export function logprobsOf(logprobs: unknown): readonly unknown[] {
  return isObject(logprobs) && Array.isArray(logprobs.content) ? logprobs.content : []
}

/** Hands out ids of items and keeps those of calls apart: the official SDK refuses two items with one id. */
export class ItemIds {
  private count = 0
  private readonly callIds = new Set<string>()
  private readonly base: string

  constructor(responseId: string) {
    this.base = responseId.replace(/^resp_/, '')
  }

  /** @param kind OpenAI's prefix: `msg`, `rs`, `fc`, `ctc` */
  next(kind: string): string {
    return `${kind}_${this.base}_${this.count++}`
  }

  /** @returns the provider's id of the call, or one of ours where it gave none or gave it twice */
  call(id: string): string {
    const callId = id === '' || this.callIds.has(id) ? `call_${this.base}_${this.count}` : id
    this.callIds.add(callId)
    return callId
  }
}

export function callItemId(ids: ItemIds, identity: ToolIdentity | undefined): string {
  return ids.next(identity?.custom === true ? 'ctc' : 'fc')
}
