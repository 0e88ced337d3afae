import type { ChatReply, FinishReason, Part } from '../../contract/chat.ts'
import { wrapCustomInput } from '../../contract/formats/responses/custom-input.ts'
import { isObject, type JsonObject } from '../../contract/formats/responses/fields.ts'
import { neutralToolName } from '../../contract/formats/responses/tool-identity.ts'
import { GatewayError } from '../../core/errors.ts'
import { usageOf } from './usage.ts'

/** @throws GatewayError `upstream_error` where the body is no response object, or says that it failed */
export function fromReply(body: unknown): ChatReply {
  if (!isObject(body) || !Array.isArray(body.output)) {
    throw unusable('The provider answered something that is no response object.')
  }
  if (body.status === 'failed' || body.status === 'cancelled') throw unusable(failureOf(body))
  if (body.status === 'in_progress' || body.status === 'queued') {
    throw unusable('The provider answered before the reply was complete.')
  }
  const content = body.output.flatMap((item) => fromItem(item))
  const logprobs = body.output.flatMap((item) => logprobsOf(item))
  return {
    id: text(body.id),
    model: text(body.model),
    createdSeconds: typeof body.created_at === 'number' ? Math.floor(body.created_at) : 0,
    choices: [
      {
        index: 0,
        content,
        ...finishOf(body, content),
        ...(logprobs.length === 0 ? {} : { logprobs: { content: logprobs, refusal: null } }),
      },
    ],
    usage: usageOf(body),
  }
}

/** @returns the neutral finish, with the provider's own word where there is no other */
export function finishOf(
  response: JsonObject,
  content: readonly { readonly type: Part['type'] }[],
): { readonly finishReason: FinishReason; readonly rawFinishReason?: string } {
  if (response.status === 'incomplete') {
    const reason = isObject(response.incomplete_details) ? text(response.incomplete_details.reason) : ''
    if (reason === 'max_output_tokens') return { finishReason: 'length' }
    if (reason === 'content_filter') return { finishReason: 'content-filter' }
    return { finishReason: 'other', rawFinishReason: reason === '' ? 'incomplete' : reason }
  }
  if (content.some((part) => part.type === 'tool-call')) return { finishReason: 'tool-calls' }
  if (content.some((part) => part.type === 'refusal')) return { finishReason: 'refusal' }
  return { finishReason: 'stop' }
}

/** @returns the parts of one output item; an item of an unknown type stays whole */
export function fromItem(item: unknown): Part[] {
  if (!isObject(item)) return [{ type: 'other', format: 'responses', raw: item }]
  switch (item.type) {
    case 'message':
      return Array.isArray(item.content) ? item.content.map(fromContentPart) : []
    case 'function_call':
    case 'custom_tool_call':
      return [{ type: 'tool-call', ...callOf(item), arguments: argumentsOf(item) }]
    case 'reasoning': {
      const state = reasoningStateOf(item)
      return [{ type: 'reasoning', text: reasoningTextOf(item), ...state }]
    }
    default:
      return [{ type: 'other', format: 'responses', raw: item }]
  }
}

function fromContentPart(part: unknown): Part {
  if (isObject(part) && part.type === 'output_text') return { type: 'text', text: text(part.text) }
  if (isObject(part) && part.type === 'refusal') return { type: 'refusal', text: text(part.refusal) }
  return { type: 'other', format: 'responses', raw: part }
}

/** @returns id and neutral name of a call */
export function callOf(item: JsonObject): { readonly id: string; readonly name: string } {
  const namespace = typeof item.namespace === 'string' ? item.namespace : undefined
  return { id: text(item.call_id) || text(item.id), name: neutralToolName(namespace, text(item.name)) }
}

/** @returns the neutral arguments of a call; free text of a custom tool becomes the string `input` */
export function argumentsOf(item: JsonObject): string {
  return item.type === 'custom_tool_call' ? wrapCustomInput(text(item.input)) : text(item.arguments)
}

/** @returns the summary, or the thought itself where a server shows it (`content`), its parts one paragraph each */
export function reasoningTextOf(item: JsonObject): string {
  return textsOf(item.summary) || textsOf(item.content)
}

/** @returns what has to come back with the thought */
export function reasoningStateOf(item: JsonObject): { readonly encrypted?: string; readonly id?: string } {
  const encrypted = text(item.encrypted_content)
  const id = text(item.id)
  return { ...(encrypted === '' ? {} : { encrypted }), ...(id === '' ? {} : { id }) }
}

/** @returns the provider's reason why a response failed */
export function failureOf(response: JsonObject): string {
  const message = isObject(response.error) ? text(response.error.message) : ''
  return message === '' ? 'The provider could not complete the reply.' : message
}

function logprobsOf(item: unknown): unknown[] {
  if (!isObject(item) || item.type !== 'message' || !Array.isArray(item.content)) return []
  return item.content.flatMap((part) => (isObject(part) && Array.isArray(part.logprobs) ? part.logprobs : []))
}

function textsOf(parts: unknown): string {
  if (!Array.isArray(parts)) return ''
  return parts
    .map((part) => (isObject(part) ? text(part.text) : ''))
    .filter((part) => part !== '')
    .join('\n\n')
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function unusable(message: string): GatewayError {
  return new GatewayError('upstream_error', { message })
}
