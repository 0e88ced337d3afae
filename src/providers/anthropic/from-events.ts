import type { StreamEvent } from '../../contract/chat.ts'
import { type Fields, isFields } from '../../contract/formats/messages/read-fields.ts'
import { fromStopReason } from '../../contract/formats/messages/stop-reason.ts'
import { fromMessagesUsage } from '../../contract/formats/messages/usage.ts'
import type { SseFrame } from '../../core/sse.ts'
import { explanationOf } from './from-reply.ts'
import { STRUCTURED_OUTPUT_TOOL } from './structured-output.ts'

/** A content block that has begun. */
interface OpenBlock {
  readonly kind: 'text' | 'thinking' | 'tool' | 'stand-in' | 'other'
  /** Which call of the choice, for a block of kind `tool`. */
  readonly call: number
  signature: string
  /** Whether any argument came: a call without any is completed to `{}`. */
  hasArguments: boolean
}

/** What decoding one stream has to remember. */
export interface AnthropicStreamState {
  readonly blocks: Map<number, OpenBlock>
  callCount: number
  /** The provider's counts so far, in its own words: an event may name only some of them. */
  usage: Fields
  ended: boolean
}

export function newStreamState(): AnthropicStreamState {
  return { blocks: new Map(), callCount: 0, usage: {}, ended: false }
}

/** One step of decoding; after an error or the end there are no more events. */
export function fromMessagesEvent(state: AnthropicStreamState, frame: SseFrame): StreamEvent[] {
  if (state.ended || frame.data === undefined) return []
  const event = parseEvent(frame.data)
  if (event === undefined) {
    return broken(state, 'upstream_error', 'The provider sent an event that is no JSON.')
  }
  switch (event.type) {
    case 'message_start':
      return fromMessageStart(state, event)
    case 'content_block_start':
      return fromBlockStart(state, event)
    case 'content_block_delta':
      return fromBlockDelta(state, event)
    case 'content_block_stop':
      return fromBlockStop(state, event)
    case 'message_delta':
      return fromMessageDelta(state, event)
    case 'message_stop':
      state.ended = true
      return [{ type: 'reply-end' }]
    case 'ping':
      return [{ type: 'ping' }]
    case 'error':
      return fromErrorEvent(state, event)
    default:
      return other(event)
  }
}

function parseEvent(data: string): Fields | undefined {
  try {
    const event: unknown = JSON.parse(data)
    return isFields(event) ? event : undefined
  } catch {
    return undefined
  }
}

function fromMessageStart(state: AnthropicStreamState, event: Fields): StreamEvent[] {
  const message = isFields(event.message) ? event.message : {}
  // The output count here is a placeholder, 1 or so; only `message_delta` knows it.
  const { output_tokens: _placeholder, ...usage } = isFields(message.usage) ? message.usage : {}
  state.usage = usage
  return [
    {
      type: 'reply-start',
      id: typeof message.id === 'string' ? message.id : '',
      model: typeof message.model === 'string' ? message.model : '',
      createdSeconds: 0,
    },
    { type: 'usage-report', usage: fromMessagesUsage(usage) },
  ]
}

function fromBlockStart(state: AnthropicStreamState, event: Fields): StreamEvent[] {
  const block = isFields(event.content_block) ? event.content_block : {}
  switch (block.type) {
    case 'text':
      open(state, event, 'text')
      return text(block.text)
    case 'thinking':
      open(state, event, 'thinking').signature = typeof block.signature === 'string' ? block.signature : ''
      return thought(block.thinking)
    case 'redacted_thinking':
      return [{ type: 'reasoning-end', choice: 0, encrypted: String(block.data) }]
    case 'tool_use':
      return fromToolStart(state, event, block)
    default:
      open(state, event, 'other')
      return other(event)
  }
}

function fromToolStart(state: AnthropicStreamState, event: Fields, block: Fields): StreamEvent[] {
  // Some servers of this dialect send all arguments at once, here.
  const whole =
    isFields(block.input) && Object.keys(block.input).length > 0 ? JSON.stringify(block.input) : ''
  if (block.name === STRUCTURED_OUTPUT_TOOL) {
    open(state, event, 'stand-in').hasArguments = whole !== ''
    return text(whole)
  }
  const opened = open(state, event, 'tool')
  opened.hasArguments = whole !== ''
  state.callCount += 1
  return [
    {
      type: 'tool-call-start',
      choice: 0,
      index: opened.call,
      id: String(block.id),
      name: String(block.name),
    },
    ...toolArguments(opened, whole),
  ]
}

function fromBlockDelta(state: AnthropicStreamState, event: Fields): StreamEvent[] {
  const block = state.blocks.get(Number(event.index))
  const delta = isFields(event.delta) ? event.delta : {}
  if (block === undefined || block.kind === 'other') return other(event)
  switch (delta.type) {
    case 'text_delta':
      return text(delta.text)
    case 'thinking_delta':
      return thought(delta.thinking)
    case 'signature_delta':
      if (typeof delta.signature === 'string') block.signature = delta.signature
      return []
    case 'input_json_delta': {
      const json = typeof delta.partial_json === 'string' ? delta.partial_json : ''
      if (json !== '') block.hasArguments = true
      return block.kind === 'stand-in' ? text(json) : toolArguments(block, json)
    }
    default:
      return other(event)
  }
}

function fromBlockStop(state: AnthropicStreamState, event: Fields): StreamEvent[] {
  const index = Number(event.index)
  const block = state.blocks.get(index)
  state.blocks.delete(index)
  switch (block?.kind) {
    case 'thinking':
      return [
        {
          type: 'reasoning-end',
          choice: 0,
          ...(block.signature === '' ? {} : { signature: block.signature }),
        },
      ]
    case 'tool':
      return block.hasArguments ? [] : toolArguments(block, '{}')
    case 'stand-in':
      return block.hasArguments ? [] : text('{}')
    case 'other':
      return other(event)
    default:
      return []
  }
}

function fromMessageDelta(state: AnthropicStreamState, event: Fields): StreamEvent[] {
  const events: StreamEvent[] = []
  if (isFields(event.usage)) {
    // Counts are cumulative, and null or absent where they have not changed.
    const named = Object.entries(event.usage).filter(([, value]) => value !== null && value !== undefined)
    state.usage = { ...state.usage, ...Object.fromEntries(named) }
    events.push({ type: 'usage-report', usage: fromMessagesUsage(state.usage) })
  }
  const delta = isFields(event.delta) ? event.delta : {}
  if (typeof delta.stop_reason !== 'string') return events
  const finish = fromStopReason(delta.stop_reason, delta.stop_sequence)
  const refusal = explanationOf(delta.stop_details)
  if (refusal !== '') events.push({ type: 'refusal-delta', choice: 0, text: refusal })
  // Where the stand-in for a response format was the only call, the caller sees none.
  const reason = finish.reason === 'tool-calls' && state.callCount === 0 ? 'stop' : finish.reason
  events.push({ type: 'choice-finish', choice: 0, ...finish, reason })
  return events
}

function fromErrorEvent(state: AnthropicStreamState, event: Fields): StreamEvent[] {
  const error = isFields(event.error) ? event.error : {}
  const code = typeof error.type === 'string' ? error.type : 'upstream_error'
  const message = typeof error.message === 'string' ? error.message : 'The provider broke the stream off.'
  return broken(state, code, message)
}

function broken(state: AnthropicStreamState, code: string, message: string): StreamEvent[] {
  state.ended = true
  return [{ type: 'error', error: { code, type: 'upstream_error', message } }]
}

function open(state: AnthropicStreamState, event: Fields, kind: OpenBlock['kind']): OpenBlock {
  const block: OpenBlock = { kind, call: state.callCount, signature: '', hasArguments: false }
  state.blocks.set(Number(event.index), block)
  return block
}

function text(value: unknown): StreamEvent[] {
  return typeof value === 'string' && value !== '' ? [{ type: 'text-delta', choice: 0, text: value }] : []
}

function thought(value: unknown): StreamEvent[] {
  return typeof value === 'string' && value !== ''
    ? [{ type: 'reasoning-delta', choice: 0, text: value }]
    : []
}

function toolArguments(block: OpenBlock, json: string): StreamEvent[] {
  return json === '' ? [] : [{ type: 'tool-call-delta', choice: 0, index: block.call, arguments: json }]
}

function other(event: Fields): StreamEvent[] {
  return [{ type: 'other', format: 'messages', raw: event }]
}
