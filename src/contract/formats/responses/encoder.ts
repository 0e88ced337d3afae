import {
  type ChatRequest,
  type FinishReason,
  mergeUsage,
  type StreamError,
  type StreamEvent,
  type Usage,
} from '../../chat.ts'
import type { RequestContext, StreamEncoder } from '../../format.ts'
import { EventWriter } from './event-writer.ts'
import { isObject } from './fields.ts'
import {
  callItemId,
  callSignatureItem,
  encryptedContent,
  ItemIds,
  type ItemStatus,
  logprobsOf,
  type WireItem,
} from './output-items.ts'
import { incompleteReason, type ResponseStatus, toResponseId, toResponseObject } from './response-object.ts'
import { isResponsesRequest } from './responses-request.ts'
import { StreamedCall, type StreamedItem, StreamedMessage, StreamedReasoning } from './streamed-items.ts'
import { identitiesByName, type ToolIdentity } from './tool-identity.ts'
import { wireErrorCode } from './wire-error.ts'

/** An SSE comment: every parser skips it. */
export const HEARTBEAT = ': ping\n\n'

/**
 * Characters of a reply that one stream may hold, because its last event repeats everything: far above what any
 * model writes in one reply (128,000 tokens are about half a million characters).
 */
const CHARACTERS_MAX = 64 * 1024 * 1024

/**
 * Writes one stream: `response.created`, `response.in_progress`, items, and exactly one of `response.completed`,
 * `response.incomplete` and `response.failed`. Nothing follows that last event.
 */
export class ResponsesEncoder implements StreamEncoder {
  private readonly request: ChatRequest
  private readonly context: RequestContext
  private readonly writer = new EventWriter()
  private readonly identities: ReadonlyMap<string, ToolIdentity>
  private ids = new ItemIds('')
  private start: { readonly id: string; readonly model: string; readonly createdSeconds: number } | undefined
  /** Every item in the order of its `output_index`. */
  private readonly output: (WireItem | StreamedItem)[] = []
  /** The message or thought that is being written; at most one. */
  private block: { readonly index: number; readonly item: StreamedMessage | StreamedReasoning } | undefined
  /** Tool calls that still may grow, by the neutral index: providers may write several side by side. */
  private readonly calls = new Map<number, { readonly index: number; readonly item: StreamedCall }>()
  private usage: Usage = {}
  private finish: FinishReason = 'stop'
  private characters = 0
  private isOver = false

  constructor(request: ChatRequest, context: RequestContext) {
    this.request = request
    this.context = context
    this.identities = identitiesByName(isResponsesRequest(request) ? request.responses.tools : [])
  }

  encode(event: StreamEvent): string {
    if (this.isOver) return ''
    // The format has one answer: further choices have no place in it.
    if ('choice' in event && event.choice !== 0) return ''
    switch (event.type) {
      case 'reply-start':
        return this.begin(event.id, event.model, event.createdSeconds)
      case 'text-delta':
        return this.grow(event.text, () => {
          const [frames, message] = this.message()
          return frames + message.text(event.text, logprobsOf(event.logprobs))
        })
      case 'refusal-delta':
        return this.grow(event.text, () => {
          const [frames, message] = this.message()
          return frames + message.refusal(event.text)
        })
      case 'reasoning-delta':
        return this.grow(event.text, () => {
          const [frames, reasoning] = this.reasoning()
          return frames + reasoning.text(event.text)
        })
      case 'reasoning-end':
        return this.ensureBegun() + this.endReasoning(event)
      case 'tool-call-start':
        return this.ensureBegun() + this.startCall(event)
      case 'tool-call-delta':
        return this.grow(
          event.arguments,
          () => this.calls.get(event.index)?.item.arguments(event.arguments) ?? '',
        )
      case 'choice-finish':
        this.finish = event.reason
        return this.ensureBegun() + this.closeAll()
      case 'usage-report':
        this.usage = mergeUsage(this.usage, event.usage)
        return ''
      case 'ping':
        return HEARTBEAT
      case 'other':
        return event.format === 'responses' ? this.foreignItem(event.raw) : ''
      case 'error':
        return this.fail(event.error)
      case 'reply-end':
        return this.end()
    }
  }

  private begin(id: string, model: string, createdSeconds: number): string {
    // A reply that another target continues starts twice; to the client it is one.
    if (this.start !== undefined) return ''
    this.start = {
      id: toResponseId(id, this.context.requestId),
      model,
      createdSeconds: createdSeconds || this.context.nowSeconds,
    }
    this.ids = new ItemIds(this.start.id)
    const response = this.response('in_progress')
    return (
      this.writer.write('response.created', { response }) +
      this.writer.write('response.in_progress', { response })
    )
  }

  /** The SDK refuses a stream that does not begin with `response.created`, a failed one too. */
  private ensureBegun(): string {
    return this.start === undefined ? this.begin('', this.request.model, this.context.nowSeconds) : ''
  }

  private grow(text: string, write: () => string): string {
    // Some providers open every stream with an empty text, also one that only calls tools.
    if (text === '') return ''
    this.characters += text.length
    if (this.characters > CHARACTERS_MAX) {
      return this.fail({
        code: 'upstream_error',
        type: 'upstream_error',
        message: 'The reply is larger than the gateway holds.',
      })
    }
    return this.ensureBegun() + write()
  }

  private message(): [frames: string, item: StreamedMessage] {
    const open = this.block?.item
    if (open instanceof StreamedMessage) return ['', open]
    const closing = this.closeFinished()
    const index = this.output.length
    const item = new StreamedMessage(this.writer, { id: this.ids.next('msg'), outputIndex: index })
    this.output.push(item)
    this.block = { index, item }
    return [closing + item.start(), item]
  }

  private reasoning(): [frames: string, item: StreamedReasoning] {
    const open = this.block?.item
    if (open instanceof StreamedReasoning) return ['', open]
    const closing = this.closeFinished()
    const index = this.output.length
    const item = new StreamedReasoning(this.writer, { id: this.ids.next('rs'), outputIndex: index })
    this.output.push(item)
    this.block = { index, item }
    return [closing + item.start(), item]
  }

  private endReasoning(event: Extract<StreamEvent, { type: 'reasoning-end' }>): string {
    const hasContent = event.signature !== undefined || event.encrypted !== undefined
    // The end of a thought that never was, with nothing to bring back, is nothing.
    if (!hasContent && !(this.block?.item instanceof StreamedReasoning)) return ''
    const [frames, item] = this.reasoning()
    item.setEncrypted(encryptedContent(event, item.id))
    return frames + this.closeBlock('completed')
  }

  private startCall(event: Extract<StreamEvent, { type: 'tool-call-start' }>): string {
    if (this.calls.has(event.index)) return ''
    let frames = this.closeFinished()
    const callId = this.ids.call(event.id)
    const identity = this.identities.get(event.name)
    if (event.signature !== undefined) {
      frames += this.wholeItem(callSignatureItem(this.ids.next('rs'), callId, event.signature))
    }
    const index = this.output.length
    const place = { id: callItemId(this.ids, identity), outputIndex: index }
    const item = new StreamedCall(this.writer, place, { callId, name: event.name }, identity)
    this.output.push(item)
    this.calls.set(event.index, { index, item })
    return frames + item.start()
  }

  /** An item of OpenAI's that came whole, for example the record of a web search. */
  private foreignItem(raw: unknown): string {
    if (!isObject(raw) || raw.type !== 'response.output_item.done' || !isObject(raw.item)) return ''
    return this.ensureBegun() + this.closeFinished() + this.wholeItem({ ...raw.item })
  }

  private wholeItem(item: WireItem): string {
    const index = this.output.length
    this.output.push(item)
    const fields = { output_index: index, item }
    return (
      this.writer.write('response.output_item.added', fields) +
      this.writer.write('response.output_item.done', fields)
    )
  }

  /** Before another item starts: the open block is over, and so is every call whose arguments are whole. */
  private closeFinished(): string {
    let frames = this.closeBlock('completed')
    for (const [index, call] of this.calls) {
      if (call.item.isComplete) frames += this.closeCall(index, 'completed')
    }
    return frames
  }

  private closeBlock(status: ItemStatus): string {
    const block = this.block
    if (block === undefined) return ''
    this.block = undefined
    const frames = block.item.close(status)
    this.output[block.index] = block.item.snapshot(status)
    return frames
  }

  private closeCall(callIndex: number, status: ItemStatus): string {
    const call = this.calls.get(callIndex)
    if (call === undefined) return ''
    this.calls.delete(callIndex)
    const frames = call.item.close(status)
    this.output[call.index] = call.item.snapshot(status)
    return frames
  }

  private closeAll(): string {
    const status: ItemStatus = incompleteReason(this.finish) === undefined ? 'completed' : 'incomplete'
    let frames = this.closeBlock(status)
    for (const index of this.calls.keys()) frames += this.closeCall(index, status)
    return frames
  }

  private end(): string {
    const frames = this.ensureBegun() + this.closeAll()
    const reason = incompleteReason(this.finish)
    const status = reason === undefined ? 'completed' : 'incomplete'
    const response = this.response(status, { incompleteReason: reason })
    this.isOver = true
    return frames + this.writer.write(`response.${status}`, { response })
  }

  private fail(error: StreamError): string {
    const begun = this.ensureBegun()
    const response = this.response('failed', { error: { ...error, code: wireErrorCode(error) } })
    this.isOver = true
    return begun + this.writer.write('response.failed', { response })
  }

  private response(
    status: ResponseStatus,
    outcome: { incompleteReason?: string | undefined; error?: StreamError } = {},
  ): WireItem {
    const { id, model, createdSeconds } = this.start ?? { id: '', model: '', createdSeconds: 0 }
    const output = this.output.map((item) => (isStreamed(item) ? item.snapshot('incomplete') : item))
    return toResponseObject(
      { id, model, createdSeconds, status, output, usage: this.usage, ...outcome },
      this.request,
    )
  }
}

function isStreamed(item: WireItem | StreamedItem): item is StreamedItem {
  return typeof item.snapshot === 'function'
}
