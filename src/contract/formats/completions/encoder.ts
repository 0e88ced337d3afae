import { type ChatRequest, mergeUsage, type StreamEvent, type Usage } from '../../chat.ts'
import type { RequestContext, StreamEncoder } from '../../format.ts'
import { HEARTBEAT } from '../chat/encoder.ts'
import { toWireUsage } from '../chat/usage.ts'
import { toCompletionLogprobs } from './logprobs.ts'
import { echoedPrompt } from './parse-request.ts'
import { completionFinishReason } from './to-reply.ts'

const DONE = 'data: [DONE]\n\n'

/** @returns an encoder of one stream of `text_completion` events */
export function createEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  return new CompletionEncoder(request, context)
}

class CompletionEncoder implements StreamEncoder {
  private readonly request: ChatRequest
  private readonly context: RequestContext
  private readonly echo: string
  private head: Record<string, unknown> | undefined
  private usage: Usage = {}
  private isClosed = false
  /** Characters given per choice: where the next token stands, and whether the echo is out. */
  private readonly lengths = new Map<number, number>()

  constructor(request: ChatRequest, context: RequestContext) {
    this.request = request
    this.context = context
    this.echo = echoedPrompt(request)
  }

  encode(event: StreamEvent): string {
    if (this.isClosed) return ''
    switch (event.type) {
      case 'reply-start':
        this.head = this.headOf(event.id, event.createdSeconds, event.model)
        return ''
      case 'text-delta':
        return this.chunk(event.choice, event.text, null, event.logprobs)
      case 'refusal-delta':
        return this.chunk(event.choice, event.text, null)
      case 'choice-finish':
        return this.chunk(event.choice, '', completionFinishReason(event.reason))
      case 'usage-report':
        this.usage = mergeUsage(this.usage, event.usage)
        return ''
      case 'ping':
        return HEARTBEAT
      case 'error': {
        this.isClosed = true
        const { message, type, code } = event.error
        return `data: ${JSON.stringify({ error: { message, type, param: null, code } })}\n\n`
      }
      case 'reply-end':
        this.isClosed = true
        return this.usageChunk() + DONE
      default:
        return ''
    }
  }

  private headOf(id: string, createdSeconds: number, model: string): Record<string, unknown> {
    return {
      id: id || `cmpl-${this.context.requestId}`,
      object: 'text_completion',
      created: createdSeconds || this.context.nowSeconds,
      model: model || this.request.model,
    }
  }

  private chunk(index: number, text: string, finishReason: string | null, logprobs?: unknown): string {
    const before = this.lengths.get(index)
    const echo = before === undefined ? this.echo : ''
    const offset = (before ?? 0) + echo.length
    this.lengths.set(index, offset + text.length)
    const choice = {
      text: echo + text,
      index,
      logprobs: toCompletionLogprobs(logprobs, offset),
      finish_reason: finishReason,
    }
    const usage = this.request.includeUsage ? { usage: null } : {}
    return this.frame({ choices: [choice], ...usage })
  }

  private usageChunk(): string {
    const usage = toWireUsage(this.usage)
    return !this.request.includeUsage || usage === undefined ? '' : this.frame({ choices: [], usage })
  }

  private frame(fields: Record<string, unknown>): string {
    this.head ??= this.headOf('', 0, '')
    return `data: ${JSON.stringify({ ...this.head, ...fields })}\n\n`
  }
}
