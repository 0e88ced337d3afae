import type { ChatChoice, ChatReply, ChatRequest, Part } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { isObject } from './fields.ts'
import {
  callItem,
  callItemId,
  callSignatureItem,
  encryptedContent,
  ItemIds,
  type ItemStatus,
  logprobsOf,
  messageItem,
  reasoningItem,
  refusalPart,
  textPart,
  type WireItem,
} from './output-items.ts'
import { incompleteReason, toResponseId, toResponseObject } from './response-object.ts'
import { isResponsesRequest } from './responses-request.ts'
import { identitiesByName, type ToolIdentity } from './tool-identity.ts'

/** @returns the `response` object of a complete reply; the format has one answer, so only the first choice counts */
export function toReply(reply: ChatReply, request: ChatRequest, context: RequestContext): unknown {
  const id = toResponseId(reply.id, context.requestId)
  const choice = reply.choices[0]
  const reason = choice === undefined ? undefined : incompleteReason(choice.finishReason)
  const identities = identitiesByName(isResponsesRequest(request) ? request.responses.tools : [])
  return toResponseObject(
    {
      id,
      model: reply.model,
      createdSeconds: reply.createdSeconds || context.nowSeconds,
      status: reason === undefined ? 'completed' : 'incomplete',
      output: choice === undefined ? [] : toOutput(choice, new ItemIds(id), identities),
      usage: reply.usage,
      incompleteReason: reason,
    },
    request,
  )
}

function toOutput(
  choice: ChatChoice,
  ids: ItemIds,
  identities: ReadonlyMap<string, ToolIdentity>,
): WireItem[] {
  const output: WireItem[] = []
  const last = choice.content.length - 1
  const logprobs = [...logprobsOf(choice.logprobs)]
  /** Parts of the message that is being collected: text and refusals that follow each other are one message. */
  let content: WireItem[] = []
  const closeMessage = (status: ItemStatus) => {
    if (content.length > 0) output.push(messageItem(ids.next('msg'), content, status))
    content = []
  }
  const lastStatus = incompleteReason(choice.finishReason) === undefined ? 'completed' : 'incomplete'
  for (const [index, part] of choice.content.entries()) {
    if (part.type === 'text') content.push(textPart(part.text, logprobs.splice(0)))
    else if (part.type === 'refusal') content.push(refusalPart(part.text))
    else {
      closeMessage('completed')
      output.push(...toItems(part, ids, identities, index === last ? lastStatus : 'completed'))
    }
  }
  closeMessage(lastStatus)
  return output
}

function toItems(
  part: Part,
  ids: ItemIds,
  identities: ReadonlyMap<string, ToolIdentity>,
  status: ItemStatus,
): WireItem[] {
  switch (part.type) {
    case 'reasoning': {
      const id = part.id?.startsWith('rs_') === true ? part.id : ids.next('rs')
      return [reasoningItem(id, part.text, encryptedContent(part, id))]
    }
    case 'tool-call': {
      const identity = identities.get(part.name)
      const callId = ids.call(part.id)
      const call = { callId, name: part.name, arguments: part.arguments }
      const item = callItem(callItemId(ids, identity), call, identity, status)
      if (part.signature === undefined) return [item]
      return [callSignatureItem(ids.next('rs'), callId, part.signature), item]
    }
    case 'image':
      // Gemini answers with pictures; this format knows them as results of a generation call.
      if (part.source.kind !== 'base64') return []
      return [
        { id: ids.next('ig'), type: 'image_generation_call', status: 'completed', result: part.source.data },
      ]
    case 'other':
      return part.format === 'responses' && isObject(part.raw) ? [{ ...part.raw }] : []
    default:
      return []
  }
}
