import type { ChatReply, ChatRequest, Part, ReasoningPart } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { toCarriedId, toCarriedSignature } from './carried-state.ts'
import type { Fields } from './read-fields.ts'
import { toStopReason } from './stop-reason.ts'
import { toToolInput } from './tool-input.ts'
import { toMessagesUsage } from './usage.ts'

/** A call that the model made itself, not code that Anthropic ran for it. */
export const DIRECT_CALLER = { type: 'direct' }

/** Usage fields that only Anthropic can fill; its SDK types list them as always present. */
const OWN_USAGE = { cache_creation: null, inference_geo: null, service_tier: null, speed: null }

/** @returns the `message` object of a complete reply; this format holds one answer, so choice 0 */
export function toMessagesReply(reply: ChatReply, _request: ChatRequest, context: RequestContext): Fields {
  const choice = reply.choices[0]
  const parts = choice?.content ?? []
  const refusal = parts.filter((part) => part.type === 'refusal').map((part) => part.text)
  const calledTools = parts.some((part) => part.type === 'tool-call')
  const finish = {
    reason: refusal.length > 0 ? ('refusal' as const) : (choice?.finishReason ?? 'other'),
    rawReason: choice?.rawFinishReason,
    stopSequence: choice?.stopSequence,
  }
  return {
    ...toEnvelope(reply.id, reply.model, context),
    content: parts.flatMap(toBlock),
    stop_reason: toStopReason(finish, calledTools),
    stop_sequence: finish.stopSequence ?? null,
    stop_details: toStopDetails(refusal.join('')),
    usage: { ...OWN_USAGE, ...toMessagesUsage(reply.usage) },
  }
}

/** @returns what a whole reply and the `message_start` of a stream have in common, with nothing said yet */
export function toEnvelope(id: string, model: string, context: RequestContext): Fields {
  return {
    id: id === '' ? `msg_${context.requestId}` : id,
    type: 'message',
    role: 'assistant',
    model,
    content: [],
    container: null,
    diagnostics: null,
    stop_reason: null,
    stop_sequence: null,
    stop_details: null,
    usage: { ...OWN_USAGE, ...toMessagesUsage({}) },
  }
}

/** @param refusal the words of the refusal, `''` where there was none */
export function toStopDetails(refusal: string): Fields | null {
  return refusal === '' ? null : { type: 'refusal', category: null, explanation: refusal }
}

function toBlock(part: Part): readonly Fields[] {
  switch (part.type) {
    // The words of a refusal stand in the text too: most clients show nothing else.
    case 'text':
    case 'refusal':
      // Without `citations`: @ai-sdk/anthropic (3.0.138) refuses a whole message whose text has it as null.
      return part.text === '' ? [] : [{ type: 'text', text: part.text }]
    case 'reasoning':
      return [toReasoningBlock(part)]
    case 'tool-call':
      return [
        {
          type: 'tool_use',
          id: toCarriedId(part.id, part.signature),
          name: part.name,
          input: toToolInput(part.arguments),
          caller: DIRECT_CALLER,
        },
      ]
    case 'other':
      return part.format === 'messages' ? [part.raw as Fields] : []
    case 'image':
    case 'audio':
    case 'file':
    case 'tool-result':
      // A reply of this format cannot hold them.
      return []
  }
}

function toReasoningBlock(part: ReasoningPart): Fields {
  return isRedacted(part.text, part)
    ? { type: 'redacted_thinking', data: part.encrypted }
    : { type: 'thinking', thinking: part.text, signature: toCarriedSignature(part) }
}

/** Whether a thought came encrypted and without anything else, as Anthropic sends it. */
export function isRedacted(
  text: string,
  state: Pick<ReasoningPart, 'signature' | 'encrypted' | 'id'>,
): boolean {
  return (
    text === '' && state.encrypted !== undefined && state.id === undefined && state.signature === undefined
  )
}
