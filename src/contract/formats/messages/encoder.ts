import { type ChatRequest, mergeUsage, type StreamEvent, type Usage } from '../../chat.ts'
import type { RequestContext, StreamEncoder } from '../../format.ts'
import { BlockWriter } from './block-writer.ts'
import { toErrorBody, toStreamErrorType } from './error-body.ts'
import { estimateInput } from './estimate-input.ts'
import { toFrame } from './frame.ts'
import { isFields } from './read-fields.ts'
import { type Finish, toStopReason } from './stop-reason.ts'
import { toEnvelope, toStopDetails } from './to-reply.ts'
import { toMessagesUsage } from './usage.ts'

/** Keeps a silent stream open; the official SDKs skip it. */
export const HEARTBEAT = 'event: ping\ndata: {"type": "ping"}\n\n'

export interface MessagesContext extends RequestContext {
  /**
   * Our own count of the input, where there is a better one than its length gives. Clients take a message's input
   * tokens from `message_start` (Claude Code does: https://github.com/vercel/ai/issues/17326), when most other
   * providers have not said them yet.
   */
  readonly inputTokensEstimate?: number | undefined
}

/** Writes one stream of this format, choice 0 of it. */
export class MessagesEncoder implements StreamEncoder {
  private readonly request: ChatRequest
  private readonly context: MessagesContext
  private readonly blocks = new BlockWriter()
  /** What waits for the next event, which may bring the usage that belongs into `message_start`. */
  private start: { id: string; model: string } | undefined
  private usage: Usage = {}
  private finish: Finish = { reason: 'stop' }
  private refusal = ''
  private calledTools = false
  private ended = false

  constructor(request: ChatRequest, context: MessagesContext) {
    this.request = request
    this.context = context
  }

  encode(event: StreamEvent): string {
    if (this.ended) return ''
    if ('choice' in event && event.choice !== 0) return ''
    if (event.type === 'usage-report') {
      this.usage = mergeUsage(this.usage, event.usage)
      return this.flushStart()
    }
    if (event.type === 'error') {
      this.ended = true
      const { error } = event
      return toFrame('error', toErrorBody(toStreamErrorType(error), error.message, this.context.requestId))
    }
    return this.flushStart() + this.encodeContent(event)
  }

  private encodeContent(event: Exclude<StreamEvent, { type: 'usage-report' | 'error' }>): string {
    switch (event.type) {
      case 'reply-start':
        this.start = { id: event.id, model: event.model }
        return ''
      case 'text-delta':
        return this.blocks.text(event.text)
      case 'refusal-delta':
        this.refusal += event.text
        return this.blocks.text(event.text)
      case 'reasoning-delta':
        return this.blocks.thought(event.text)
      case 'reasoning-end':
        return this.blocks.endThought(event)
      case 'tool-call-start':
        this.calledTools = true
        return this.blocks.call(event.index, event.id, event.name, event.signature)
      case 'tool-call-delta':
        return this.blocks.callArguments(event.index, event.arguments)
      case 'choice-finish':
        this.finish = { reason: event.reason, rawReason: event.rawReason, stopSequence: event.stopSequence }
        return this.blocks.finish()
      case 'ping':
        return HEARTBEAT
      case 'other':
        return event.format === 'messages' && isFields(event.raw) ? this.blocks.raw(event.raw) : ''
      case 'reply-end':
        this.ended = true
        return this.blocks.finish() + this.encodeEnd()
    }
  }

  private flushStart(): string {
    const { start } = this
    if (start === undefined) return ''
    this.start = undefined
    const envelope = toEnvelope(start.id, start.model, this.context)
    const inputTokens =
      this.usage.inputTokens ?? this.context.inputTokensEstimate ?? estimateInput(this.request)
    const known = { ...this.usage, inputTokens }
    const usage = isFields(envelope.usage) ? { ...envelope.usage, ...toMessagesUsage(known) } : {}
    return toFrame('message_start', { type: 'message_start', message: { ...envelope, usage } })
  }

  private encodeEnd(): string {
    const finish = this.refusal === '' ? this.finish : { ...this.finish, reason: 'refusal' as const }
    const delta = {
      stop_reason: toStopReason(finish, this.calledTools),
      stop_sequence: finish.stopSequence ?? null,
      stop_details: toStopDetails(this.refusal),
      container: null,
    }
    const { inputTokens } = this.usage
    const usage = toMessagesUsage(this.usage)
    return (
      toFrame('message_delta', {
        type: 'message_delta',
        delta,
        // Null leaves a client with what `message_start` said; 0 would replace our estimate by nothing.
        usage: inputTokens === undefined ? { ...usage, input_tokens: null } : usage,
      }) + toFrame('message_stop', { type: 'message_stop' })
    )
  }
}
