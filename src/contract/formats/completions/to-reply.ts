import type { ChatChoice, ChatReply, ChatRequest, FinishReason } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { toFinishReason } from '../chat/finish-reason.ts'
import { toWireUsage } from '../chat/usage.ts'
import { toCompletionLogprobs } from './logprobs.ts'
import { echoedPrompt } from './parse-request.ts'

/** @returns the word of this route, which knows no tools */
export function completionFinishReason(reason: FinishReason): string {
  return reason === 'tool-calls' ? 'stop' : toFinishReason(reason)
}

/** @returns the `text_completion` body; thoughts have no place in it */
export function toReply(
  reply: ChatReply,
  request: ChatRequest,
  context: RequestContext,
): Record<string, unknown> {
  const echo = echoedPrompt(request)
  const usage = toWireUsage(reply.usage)
  return {
    id: reply.id || `cmpl-${context.requestId}`,
    object: 'text_completion',
    created: reply.createdSeconds || context.nowSeconds,
    model: reply.model || request.model,
    choices: reply.choices.map((choice) => ({
      text: echo + textOf(choice),
      index: choice.index,
      logprobs: toCompletionLogprobs(choice.logprobs, echo.length),
      finish_reason: completionFinishReason(choice.finishReason),
    })),
    ...(usage === undefined ? {} : { usage }),
  }
}

function textOf(choice: ChatChoice): string {
  return choice.content
    .map((part) => (part.type === 'text' || part.type === 'refusal' ? part.text : ''))
    .join('')
}
