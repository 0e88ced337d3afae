import { type ChatRequest, mergeUsage, type StreamEvent, type Usage } from '../../chat.ts'
import type { RequestContext, StreamEncoder } from '../../format.ts'
import { REPLY_LEVEL } from './extras.ts'
import { isObject } from './fields.ts'
import { toFinishReason } from './finish-reason.ts'
import { hasProof, toReasoningDetails } from './reasoning-details.ts'
import { signatureFields, usesFunctions } from './to-reply.ts'
import { toWireUsage } from './usage.ts'

/** A comment (WHATWG HTML, section 9.2.6): every client skips it. */
export const HEARTBEAT = ': ping\n\n'
const DONE = 'data: [DONE]\n\n'

interface ChoiceState {
  /** The `role` goes into a choice's first delta. */
  hasRole: boolean
  /** Thought so far, in case a signature asks for the whole of it. */
  thought: string
  thoughts: number
}

/** @returns an encoder of one stream of `chat.completion.chunk` events */
export function createEncoder(request: ChatRequest, context: RequestContext): StreamEncoder {
  return new ChatEncoder(request, context)
}

class ChatEncoder implements StreamEncoder {
  private readonly request: ChatRequest
  private readonly context: RequestContext
  private readonly legacy: boolean
  /** OpenAI: with `include_usage` every chunk but the last says `usage: null`. */
  private readonly tail: string
  /** The chunk up to its `choices`, which is the same for all. */
  private head = ''
  private usage: Usage = {}
  private isClosed = false
  private readonly choices = new Map<number, ChoiceState>()

  constructor(request: ChatRequest, context: RequestContext) {
    this.request = request
    this.context = context
    this.legacy = usesFunctions(request)
    this.tail = request.includeUsage ? ',"usage":null}\n\n' : '}\n\n'
  }

  encode(event: StreamEvent): string {
    if (this.isClosed) return ''
    switch (event.type) {
      case 'reply-start':
        this.head = this.headOf(event.id, event.createdSeconds, event.model)
        return ''
      case 'text-delta':
        return this.delta(event.choice, `"content":${JSON.stringify(event.text)}`, event.logprobs)
      case 'refusal-delta':
        return this.delta(event.choice, `"refusal":${JSON.stringify(event.text)}`)
      case 'reasoning-delta':
        this.choice(event.choice).thought += event.text
        return this.delta(event.choice, `"reasoning_content":${JSON.stringify(event.text)}`)
      case 'reasoning-end':
        return this.endThought(event)
      case 'tool-call-start':
        return this.startCall(event)
      case 'tool-call-delta':
        return this.continueCall(event)
      case 'choice-finish':
        return this.finish(event.choice, toFinishReason(event.reason))
      case 'usage-report':
        this.usage = mergeUsage(this.usage, event.usage)
        return ''
      case 'ping':
        return HEARTBEAT
      case 'other':
        return event.format === 'chat' && isObject(event.raw) ? this.extras(event.raw) : ''
      case 'error': {
        this.isClosed = true
        const { message, type, code } = event.error
        return `data: ${JSON.stringify({ error: { message, type, param: null, code } })}\n\n`
      }
      case 'reply-end':
        this.isClosed = true
        return this.usageChunk() + DONE
    }
  }

  private headOf(id: string, createdSeconds: number, model: string): string {
    const fields = {
      id: id || `chatcmpl-${this.context.requestId}`,
      object: 'chat.completion.chunk',
      created: createdSeconds || this.context.nowSeconds,
      model: model || this.request.model,
    }
    return `data: ${JSON.stringify(fields).slice(0, -1)},`
  }

  private choice(index: number): ChoiceState {
    let state = this.choices.get(index)
    if (state === undefined) {
      state = { hasRole: false, thought: '', thoughts: 0 }
      this.choices.set(index, state)
    }
    return state
  }

  /** @param fields JSON of the delta's fields, without braces */
  private delta(index: number, fields: string, logprobs?: unknown, finishReason = 'null'): string {
    const state = this.choice(index)
    let delta = fields
    if (!state.hasRole) {
      state.hasRole = true
      delta = fields === '' ? '"role":"assistant"' : `"role":"assistant",${fields}`
    }
    const probabilities = logprobs === undefined ? 'null' : JSON.stringify(logprobs)
    return this.chunk(
      `"choices":[{"index":${index},"delta":{${delta}},"logprobs":${probabilities},"finish_reason":${finishReason}}]`,
    )
  }

  private chunk(fields: string): string {
    if (this.head === '') this.head = this.headOf('', 0, '')
    return this.head + fields + this.tail
  }

  private endThought(event: StreamEvent & { type: 'reasoning-end' }): string {
    const state = this.choice(event.choice)
    const text = state.thought
    state.thought = ''
    const index = state.thoughts++
    if (!hasProof(event)) return ''
    const details = toReasoningDetails(
      { type: 'reasoning', text, signature: event.signature, encrypted: event.encrypted, id: event.id },
      index,
    )
    return this.delta(event.choice, `"reasoning_details":${JSON.stringify(details)}`)
  }

  private startCall(event: StreamEvent & { type: 'tool-call-start' }): string {
    const name = JSON.stringify(event.name)
    if (this.legacy) {
      // `function_call` holds one call; the wire has no place for a second.
      if (event.index > 0) return ''
      return this.delta(event.choice, `"function_call":{"name":${name},"arguments":""}`)
    }
    const signature = event.signature === undefined ? '' : `,${inner(signatureFields(event.signature))}`
    return this.delta(
      event.choice,
      `"tool_calls":[{"index":${event.index},"id":${JSON.stringify(event.id)},"type":"function",` +
        `"function":{"name":${name},"arguments":""}${signature}}]`,
    )
  }

  private continueCall(event: StreamEvent & { type: 'tool-call-delta' }): string {
    const text = JSON.stringify(event.arguments)
    if (this.legacy) {
      return event.index > 0 ? '' : this.delta(event.choice, `"function_call":{"arguments":${text}}`)
    }
    return this.delta(
      event.choice,
      `"tool_calls":[{"index":${event.index},"function":{"arguments":${text}}}]`,
    )
  }

  private finish(choice: number, reason: string): string {
    const word = this.legacy && reason === 'tool_calls' ? 'function_call' : reason
    return this.delta(choice, '', undefined, JSON.stringify(word))
  }

  private extras(raw: Readonly<Record<string, unknown>>): string {
    const { [REPLY_LEVEL]: reply, ...message } = raw
    let frames = ''
    if (Object.keys(message).length > 0) frames += this.delta(0, inner(message))
    if (isObject(reply) && Object.keys(reply).length > 0) {
      // With an empty delta and not with empty `choices`, which clients expect of the usage chunk alone.
      const empty = '{"index":0,"delta":{},"logprobs":null,"finish_reason":null}'
      frames += this.chunk(`"choices":[${empty}],${inner(reply)}`)
    }
    return frames
  }

  /** OpenAI: the last chunk has an empty `choices` and the usage; only for callers who asked, since others index it. */
  private usageChunk(): string {
    const usage = toWireUsage(this.usage)
    if (!this.request.includeUsage || usage === undefined) return ''
    if (this.head === '') this.head = this.headOf('', 0, '')
    return `${this.head}"choices":[],"usage":${JSON.stringify(usage)}}\n\n`
  }
}

/** @returns the JSON of an object's fields, without braces */
function inner(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify(fields).slice(1, -1)
}
