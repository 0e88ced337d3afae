import type { ChatChoice, ChatReply, ChatRequest, ToolCallPart } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { REPLY_LEVEL } from './extras.ts'
import { isObject } from './fields.ts'
import { toFinishReason } from './finish-reason.ts'
import { hasProof, toReasoningDetails } from './reasoning-details.ts'
import { toWireUsage } from './usage.ts'

/** @returns whether the caller speaks of `functions`, deprecated since 2023, and not of `tools` */
export function usesFunctions(request: ChatRequest): boolean {
  return request.unmapped.some(({ path }) => path === 'functions')
}

/** @returns the `chat.completion` body */
export function toReply(
  reply: ChatReply,
  request: ChatRequest,
  context: RequestContext,
): Record<string, unknown> {
  const legacy = usesFunctions(request)
  const extras: Record<string, unknown> = {}
  const choices = reply.choices.map((choice) => toChoice(choice, legacy, extras))
  const usage = toWireUsage(reply.usage)
  return {
    id: reply.id || `chatcmpl-${context.requestId}`,
    object: 'chat.completion',
    created: reply.createdSeconds || context.nowSeconds,
    model: reply.model || request.model,
    choices,
    ...(usage === undefined ? {} : { usage }),
    ...extras,
  }
}

function toChoice(
  choice: ChatChoice,
  legacy: boolean,
  replyExtras: Record<string, unknown>,
): Record<string, unknown> {
  const message = toMessage(choice, legacy, replyExtras)
  const reason = toFinishReason(choice.finishReason)
  return {
    index: choice.index,
    message,
    logprobs: choice.logprobs ?? null,
    finish_reason: legacy && reason === 'tool_calls' ? 'function_call' : reason,
  }
}

function toMessage(
  choice: ChatChoice,
  legacy: boolean,
  replyExtras: Record<string, unknown>,
): Record<string, unknown> {
  let text: string | undefined
  let refusal: string | undefined
  let reasoning: string | undefined
  const details: Record<string, unknown>[] = []
  const calls: Record<string, unknown>[] = []
  const extras: Record<string, unknown> = {}
  let thoughts = 0
  let keepsDetails = false
  for (const part of choice.content) {
    switch (part.type) {
      case 'text':
        text = (text ?? '') + part.text
        break
      case 'refusal':
        refusal = (refusal ?? '') + part.text
        break
      case 'reasoning':
        if (part.text !== '') reasoning = (reasoning ?? '') + part.text
        keepsDetails ||= hasProof(part)
        details.push(...toReasoningDetails(part, thoughts++))
        break
      case 'tool-call':
        calls.push(toToolCall(part))
        break
      case 'other':
        if (part.format === 'chat' && isObject(part.raw)) addExtras(part.raw, extras, calls, replyExtras)
        break
    }
  }
  // OpenAI: `content` is null where the model only called tools or refused.
  const content = text ?? (calls.length > 0 || refusal !== undefined ? null : '')
  return {
    role: 'assistant',
    content,
    refusal: refusal ?? null,
    ...(reasoning === undefined ? {} : { reasoning_content: reasoning }),
    ...(keepsDetails ? { reasoning_details: details } : {}),
    ...(calls.length === 0 ? {} : legacy ? { function_call: calls[0]?.function } : { tool_calls: calls }),
    ...extras,
  }
}

function toToolCall(part: ToolCallPart): Record<string, unknown> {
  return {
    id: part.id,
    type: 'function',
    function: { name: part.name, arguments: part.arguments },
    ...signatureFields(part.signature),
  }
}

/** @returns the field in which Google's compatible endpoint keeps a call's thought signature */
export function signatureFields(signature: string | undefined): Record<string, unknown> {
  return signature === undefined ? {} : { extra_content: { google: { thought_signature: signature } } }
}

function addExtras(
  raw: Readonly<Record<string, unknown>>,
  messageExtras: Record<string, unknown>,
  calls: Record<string, unknown>[],
  replyExtras: Record<string, unknown>,
): void {
  for (const [name, value] of Object.entries(raw)) {
    if (name === 'tool_calls' && Array.isArray(value)) calls.push(...value.filter(isObject))
    else if (name === REPLY_LEVEL && isObject(value)) Object.assign(replyExtras, value)
    else messageExtras[name] = value
  }
}
