import type { ChatChoice, ChatReply, ChatRequest } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { toFinishReason } from './finish-reason.ts'
import { toLogprobsResult } from './logprobs.ts'
import { toWireContent } from './to-parts.ts'
import { toUsageMetadata } from './usage-metadata.ts'
import type { WireCandidate, WireReply } from './wire.ts'

/** @returns the body of a complete reply, a `GenerateContentResponse` */
export function toReply(reply: ChatReply, _request: ChatRequest, context: RequestContext): WireReply {
  return {
    candidates: reply.choices.map(toCandidate),
    usageMetadata: toUsageMetadata(reply.usage),
    modelVersion: reply.model,
    responseId: reply.id === '' ? context.requestId : reply.id,
  }
}

function toCandidate(choice: ChatChoice): WireCandidate {
  const { parts, metadata, malformedCall } = toWireContent(choice.content)
  const logprobsResult = toLogprobsResult(choice.logprobs)
  return {
    content: { parts, role: 'model' },
    ...(malformedCall === undefined
      ? { finishReason: toFinishReason(choice.finishReason, choice.rawFinishReason) }
      : { finishReason: 'MALFORMED_FUNCTION_CALL', finishMessage: malformedCall }),
    index: choice.index,
    ...metadata,
    ...(logprobsResult === undefined ? {} : { logprobsResult }),
  }
}
