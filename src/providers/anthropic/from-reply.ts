import type { ChatReply, FinishReason, Part, Usage } from '../../contract/chat.ts'
import { type Fields, isFields } from '../../contract/formats/messages/read-fields.ts'
import { fromStopReason } from '../../contract/formats/messages/stop-reason.ts'
import { fromMessagesUsage } from '../../contract/formats/messages/usage.ts'
import { GatewayError } from '../../core/errors.ts'
import { STRUCTURED_OUTPUT_TOOL } from './structured-output.ts'

/** @throws GatewayError `upstream_error` where the body is no message */
export function fromMessagesReply(body: unknown): ChatReply {
  if (!isFields(body) || !Array.isArray(body.content)) {
    throw new GatewayError('upstream_error', {
      message: 'The provider answered something that is no message.',
    })
  }
  const content = body.content.flatMap((block: unknown): Part[] => (isFields(block) ? fromBlock(block) : []))
  const finish = fromStopReason(body.stop_reason, body.stop_sequence)
  const refusal = explanationOf(body.stop_details)
  const said = content.some((part) => part.type === 'text' && part.text === refusal)
  return {
    id: typeof body.id === 'string' ? body.id : '',
    model: typeof body.model === 'string' ? body.model : '',
    // The API does not say when.
    createdSeconds: 0,
    choices: [
      {
        index: 0,
        content: refusal === '' || said ? content : [...content, { type: 'refusal', text: refusal }],
        finishReason: withoutStandIn(finish.reason, content),
        ...(finish.rawReason === undefined ? {} : { rawFinishReason: finish.rawReason }),
        ...(finish.stopSequence === undefined ? {} : { stopSequence: finish.stopSequence }),
      },
    ],
    usage: fromMessagesUsage(body.usage),
  }
}

export function usageOfMessage(body: unknown): Usage {
  return isFields(body) ? fromMessagesUsage(body.usage) : {}
}

/** @returns why the provider refused, `''` where it does not say */
export function explanationOf(stopDetails: unknown): string {
  return isFields(stopDetails) && typeof stopDetails.explanation === 'string' ? stopDetails.explanation : ''
}

function fromBlock(block: Fields): Part[] {
  switch (block.type) {
    case 'text':
      return typeof block.text === 'string' && block.text !== '' ? [{ type: 'text', text: block.text }] : []
    case 'thinking':
      return [
        {
          type: 'reasoning',
          text: typeof block.thinking === 'string' ? block.thinking : '',
          ...(typeof block.signature === 'string' && block.signature !== ''
            ? { signature: block.signature }
            : {}),
        },
      ]
    case 'redacted_thinking':
      return [{ type: 'reasoning', text: '', encrypted: String(block.data) }]
    case 'tool_use':
      return [fromToolUse(block)]
    default:
      return [{ type: 'other', format: 'messages', raw: block }]
  }
}

/** The call of the tool that stands in for a response format is the text of the answer. */
function fromToolUse(block: Fields): Part {
  const input = JSON.stringify(block.input ?? {})
  return block.name === STRUCTURED_OUTPUT_TOOL
    ? { type: 'text', text: input }
    : { type: 'tool-call', id: String(block.id), name: String(block.name), arguments: input }
}

/** @returns `stop` where the only call was the stand-in, which the caller never sees */
function withoutStandIn(reason: FinishReason, content: readonly Part[]): FinishReason {
  return reason === 'tool-calls' && !content.some((part) => part.type === 'tool-call') ? 'stop' : reason
}
