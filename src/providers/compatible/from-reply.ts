import type { ChatChoice, ChatReply, Part } from '../../contract/chat.ts'
import { MESSAGE_EXTRAS, pickFields, REPLY_EXTRAS, REPLY_LEVEL } from '../../contract/formats/chat/extras.ts'
import { type Fields, isObject } from '../../contract/formats/chat/fields.ts'
import { thoughtSignature } from '../../contract/formats/chat/parse-messages.ts'
import { fromThoughtFields } from '../../contract/formats/chat/reasoning-details.ts'
import { GatewayError } from '../../core/errors.ts'
import { describeError } from './errors.ts'
import { fromFinishReason, isFailure } from './finish-reason.ts'
import { argumentsText, fromContent, madeCallId } from './from-content.ts'
import { findUsage } from './usage.ts'

/**
 * @returns the reply
 * @throws GatewayError `upstream_error` where the body is no reply, or an error under a status of success
 */
export function fromReply(body: unknown): ChatReply {
  if (!isObject(body)) throw unusable('a body that is no JSON object')
  if (body.error !== undefined && body.error !== null)
    throw unusable(`an error: ${describeError(body).message}`)
  if (!Array.isArray(body.choices)) throw unusable('a body without choices')
  const id = typeof body.id === 'string' ? body.id : ''
  const choices = body.choices.filter(isObject).map((choice, index) => fromChoice(choice, index, id))
  return {
    id,
    model: typeof body.model === 'string' ? body.model : '',
    createdSeconds: typeof body.created === 'number' ? Math.floor(body.created) : 0,
    choices: withReplyExtras(choices, body),
    usage: findUsage(body) ?? {},
  }
}

function unusable(what: string): GatewayError {
  return new GatewayError('upstream_error', { message: `The provider answered with ${what}.` })
}

function fromChoice(choice: Fields, position: number, replyId: string): ChatChoice {
  if (isFailure(choice.finish_reason)) throw unusable('a generation that failed on the way')
  const index = typeof choice.index === 'number' ? choice.index : position
  const content = isObject(choice.message) ? fromMessage(choice.message, index, replyId) : []
  const hasCalls = content.some(({ type }) => type === 'tool-call')
  const finish = fromFinishReason(choice.finish_reason, hasCalls)
  return {
    index,
    content,
    finishReason: finish?.reason ?? (hasCalls ? 'tool-calls' : 'other'),
    ...(finish?.raw === undefined ? {} : { rawFinishReason: finish.raw }),
    // vLLM and SGLang name the text that ended the answer.
    ...(typeof choice.stop_reason === 'string' ? { stopSequence: choice.stop_reason } : {}),
    ...(isObject(choice.logprobs) ? { logprobs: choice.logprobs } : {}),
  }
}

function fromMessage(message: Fields, choice: number, replyId: string): Part[] {
  const parts: Part[] = fromThoughtFields(message)
  for (const piece of fromContent(message.content)) parts.push(piece)
  if (typeof message.refusal === 'string' && message.refusal !== '') {
    parts.push({ type: 'refusal', text: message.refusal })
  }
  if (isObject(message.function_call)) {
    parts.push(fromCall({ function: message.function_call }, madeCallId(replyId, choice, 0)))
  }
  if (Array.isArray(message.tool_calls)) {
    message.tool_calls.filter(isObject).forEach((call, index) => {
      parts.push(fromCall(call, madeCallId(replyId, choice, index)))
    })
  }
  const extras = pickFields(message, MESSAGE_EXTRAS)
  if (extras !== undefined) parts.push({ type: 'other', format: 'chat', raw: extras })
  return parts
}

function fromCall(call: Fields, madeId: string): Part {
  if (call.type === 'custom') return { type: 'other', format: 'chat', raw: { tool_calls: [call] } }
  const called = isObject(call.function) ? call.function : {}
  const signature = thoughtSignature(call)
  return {
    type: 'tool-call',
    id: typeof call.id === 'string' && call.id !== '' ? call.id : madeId,
    name: typeof called.name === 'string' ? called.name : '',
    arguments: argumentsText(called.arguments),
    ...(signature === undefined ? {} : { signature }),
  }
}

/** Sources and the like stand beside the choices; the model has no place there, so the first choice carries them. */
function withReplyExtras(choices: ChatChoice[], body: Fields): ChatChoice[] {
  const extras = pickFields(body, REPLY_EXTRAS)
  const [first, ...others] = choices
  if (extras === undefined || first === undefined) return choices
  const part: Part = { type: 'other', format: 'chat', raw: { [REPLY_LEVEL]: extras } }
  return [{ ...first, content: [...first.content, part] }, ...others]
}
