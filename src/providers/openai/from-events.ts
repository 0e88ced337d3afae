import type { StreamEvent } from '../../contract/chat.ts'
import { isObject, type JsonObject } from '../../contract/formats/responses/fields.ts'
import type { SseFrame } from '../../core/sse.ts'
import { argumentsOf, callOf, failureOf, finishOf, reasoningStateOf, reasoningTextOf } from './from-reply.ts'
import { usageOf } from './usage.ts'

/** What is known of one output item while it is streamed. */
interface OpenItem {
  /** Neutral index of a tool call. */
  readonly callIndex?: number
  readonly custom: boolean
  /** Some text or arguments came as deltas, so the whole text at the end says nothing new. */
  hasDeltas: boolean
  /** Which of its two texts a thought shows; a server may send both, and one is enough. */
  shows?: 'summary' | 'content'
}

export interface StreamState {
  isBegun: boolean
  isOver: boolean
  calls: number
  hasRefusal: boolean
  /** Some item was streamed, so the list in the last event says nothing new. */
  hasItems: boolean
  /** By `output_index`; an item leaves when it is done. */
  readonly items: Map<number, OpenItem>
}

export function newStreamState(): StreamState {
  return { isBegun: false, isOver: false, calls: 0, hasRefusal: false, hasItems: false, items: new Map() }
}

type Step = (state: StreamState, event: JsonObject) => StreamEvent[]

const nothing: Step = () => []

/** One small function per event type; a type that is not here becomes `other`. */
const STEPS: Readonly<Record<string, Step>> = {
  'response.created': begin,
  'response.queued': begin,
  'response.in_progress': begin,
  'response.output_item.added': itemAdded,
  'response.output_item.done': itemDone,
  'response.content_part.added': nothing,
  'response.content_part.done': nothing,
  'response.output_text.delta': textDelta,
  'response.output_text.done': nothing,
  'response.refusal.delta': refusalDelta,
  'response.refusal.done': nothing,
  'response.reasoning_summary_part.added': nextParagraph,
  'response.reasoning_summary_part.done': nothing,
  'response.reasoning_summary_text.delta': (state, event) => thoughtDelta(state, event, 'summary'),
  'response.reasoning_summary_text.done': nothing,
  'response.reasoning_text.delta': (state, event) => thoughtDelta(state, event, 'content'),
  'response.reasoning_text.done': nothing,
  'response.function_call_arguments.delta': argumentsDelta,
  'response.function_call_arguments.done': nothing,
  'response.custom_tool_call_input.delta': argumentsDelta,
  'response.custom_tool_call_input.done': nothing,
  'response.completed': complete,
  'response.incomplete': complete,
  'response.failed': fail,
  'response.cancelled': fail,
  error: errorEvent,
  keepalive: () => [{ type: 'ping' }],
}

/** One step: the frame's events in neutral form. Nothing follows the event that ends the stream. */
export function fromEvent(state: StreamState, frame: SseFrame): StreamEvent[] {
  if (frame.data === undefined || state.isOver) return []
  // Servers that grew up with Chat close their streams its way.
  if (frame.data.trim() === '[DONE]') return []
  const event = parse(frame.data)
  if (event === undefined) {
    state.isOver = true
    return [streamError('upstream_error', 'upstream_error', 'The provider sent an event that is no JSON.')]
  }
  const type = typeof event.type === 'string' ? event.type : frame.event
  const step = Object.hasOwn(STEPS, type) ? STEPS[type] : undefined
  return step === undefined ? [{ type: 'other', format: 'responses', raw: event }] : step(state, event)
}

function parse(data: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(data)
    return isObject(value) ? value : undefined
  } catch {
    return undefined
  }
}

function begin(state: StreamState, event: JsonObject): StreamEvent[] {
  if (state.isBegun) return []
  state.isBegun = true
  const response = isObject(event.response) ? event.response : {}
  return [
    {
      type: 'reply-start',
      id: text(response.id),
      model: text(response.model),
      createdSeconds: typeof response.created_at === 'number' ? Math.floor(response.created_at) : 0,
    },
  ]
}

function itemAdded(state: StreamState, event: JsonObject): StreamEvent[] {
  state.hasItems = true
  const item = isObject(event.item) ? event.item : {}
  const custom = item.type === 'custom_tool_call'
  if (!custom && item.type !== 'function_call') {
    state.items.set(indexOf(event), { custom: false, hasDeltas: false })
    return []
  }
  const callIndex = state.calls++
  const open: OpenItem = { callIndex, custom, hasDeltas: false }
  state.items.set(indexOf(event), open)
  const events: StreamEvent[] = [{ type: 'tool-call-start', choice: 0, index: callIndex, ...callOf(item) }]
  const already = text(custom ? item.input : item.arguments)
  if (already !== '') events.push(...callDelta(open, already))
  return events
}

function argumentsDelta(state: StreamState, event: JsonObject): StreamEvent[] {
  const open = state.items.get(indexOf(event))
  const delta = text(event.delta)
  return open === undefined || delta === '' ? [] : callDelta(open, delta)
}

/** Free text of a custom tool becomes the inside of a JSON string: `{"input":"…`, closed when the item is done. */
function callDelta(open: OpenItem, delta: string): StreamEvent[] {
  if (open.callIndex === undefined) return []
  const opening = open.custom && !open.hasDeltas ? '{"input":"' : ''
  open.hasDeltas = true
  const piece = open.custom ? JSON.stringify(delta).slice(1, -1) : delta
  return [{ type: 'tool-call-delta', choice: 0, index: open.callIndex, arguments: opening + piece }]
}

function textDelta(state: StreamState, event: JsonObject): StreamEvent[] {
  touch(state, event)
  const logprobs = Array.isArray(event.logprobs) && event.logprobs.length > 0 ? event.logprobs : undefined
  return [
    {
      type: 'text-delta',
      choice: 0,
      text: text(event.delta),
      ...(logprobs === undefined ? {} : { logprobs: { content: logprobs, refusal: null } }),
    },
  ]
}

function refusalDelta(state: StreamState, event: JsonObject): StreamEvent[] {
  touch(state, event)
  state.hasRefusal = true
  return [{ type: 'refusal-delta', choice: 0, text: text(event.delta) }]
}

function thoughtDelta(
  state: StreamState,
  event: JsonObject,
  shows: NonNullable<OpenItem['shows']>,
): StreamEvent[] {
  const open = touch(state, event)
  open.shows ??= shows
  if (open.shows !== shows) return [{ type: 'other', format: 'responses', raw: event }]
  return [{ type: 'reasoning-delta', choice: 0, text: text(event.delta) }]
}

/** A summary has several parts; in the neutral model they are paragraphs of one text. */
function nextParagraph(state: StreamState, event: JsonObject): StreamEvent[] {
  const open = state.items.get(indexOf(event))
  return open?.hasDeltas === true && open.shows === 'summary'
    ? [{ type: 'reasoning-delta', choice: 0, text: '\n\n' }]
    : []
}

/** The whole item: closes what was streamed, and stands in for deltas that a server did not send. */
function itemDone(state: StreamState, event: JsonObject): StreamEvent[] {
  state.hasItems = true
  const item = isObject(event.item) ? event.item : {}
  const open = state.items.get(indexOf(event))
  switch (item.type) {
    case 'message':
      state.items.delete(indexOf(event))
      return open?.hasDeltas === true ? [] : wholeMessage(state, item)
    case 'reasoning': {
      state.items.delete(indexOf(event))
      const whole = open?.hasDeltas === true ? '' : reasoningTextOf(item)
      return [
        ...(whole === '' ? [] : [{ type: 'reasoning-delta', choice: 0, text: whole } as const]),
        { type: 'reasoning-end', choice: 0, ...reasoningStateOf(item) },
      ]
    }
    case 'function_call':
    case 'custom_tool_call':
      return callDone(state, event, item)
    default:
      state.items.delete(indexOf(event))
      return [{ type: 'other', format: 'responses', raw: event }]
  }
}

function callDone(state: StreamState, event: JsonObject, item: JsonObject): StreamEvent[] {
  const start = state.items.has(indexOf(event))
    ? []
    : itemAdded(state, { ...event, item: withoutInput(item) })
  const open = state.items.get(indexOf(event))
  state.items.delete(indexOf(event))
  if (open?.callIndex === undefined) return start
  const closing = open.hasDeltas ? (open.custom ? '"}' : '') : argumentsOf(item)
  if (closing === '') return start
  return [...start, { type: 'tool-call-delta', choice: 0, index: open.callIndex, arguments: closing }]
}

function withoutInput(item: JsonObject): JsonObject {
  const { arguments: _arguments, input: _input, ...rest } = item
  return rest
}

function wholeMessage(state: StreamState, item: JsonObject): StreamEvent[] {
  const parts: readonly unknown[] = Array.isArray(item.content) ? item.content : []
  return parts.flatMap((part): StreamEvent[] => {
    if (!isObject(part)) return []
    if (part.type === 'output_text' && text(part.text) !== '') {
      return [{ type: 'text-delta', choice: 0, text: text(part.text) }]
    }
    if (part.type !== 'refusal' || text(part.refusal) === '') return []
    state.hasRefusal = true
    return [{ type: 'refusal-delta', choice: 0, text: text(part.refusal) }]
  })
}

/** `response.completed` and `response.incomplete` carry the whole response, and with it the usage. */
function complete(state: StreamState, event: JsonObject): StreamEvent[] {
  const start = begin(state, event)
  state.isOver = true
  const status = event.type === 'response.incomplete' ? 'incomplete' : 'completed'
  const response = isObject(event.response) ? event.response : {}
  const output: readonly unknown[] = !state.hasItems && Array.isArray(response.output) ? response.output : []
  const missed = output.flatMap((item, index) => itemDone(state, { output_index: index, item }))
  const seen: { type: 'tool-call' | 'refusal' }[] = []
  if (state.calls > 0) seen.push({ type: 'tool-call' })
  if (state.hasRefusal) seen.push({ type: 'refusal' })
  const { finishReason, rawFinishReason } = finishOf({ ...response, status }, seen)
  return [
    ...start,
    ...missed,
    ...usageReport(event),
    {
      type: 'choice-finish',
      choice: 0,
      reason: finishReason,
      ...(rawFinishReason === undefined ? {} : { rawReason: rawFinishReason }),
    },
    { type: 'reply-end' },
  ]
}

/** A reply that failed may have cost something: its usage comes first. */
function fail(state: StreamState, event: JsonObject): StreamEvent[] {
  state.isOver = true
  const response = isObject(event.response) ? event.response : {}
  const error = isObject(response.error) ? response.error : {}
  const code = text(error.code) || 'upstream_error'
  return [...usageReport(event), streamError(code, text(error.type) || 'upstream_error', failureOf(response))]
}

/** The API documents the fields beside `type`; what it sends nests them in `error`. */
function errorEvent(state: StreamState, event: JsonObject): StreamEvent[] {
  state.isOver = true
  const error = isObject(event.error) ? event.error : event
  const type = error === event ? '' : text(error.type)
  const message = text(error.message) || 'The provider could not complete the reply.'
  return [streamError(text(error.code) || 'upstream_error', type || 'upstream_error', message)]
}

function usageReport(event: JsonObject): StreamEvent[] {
  const usage = usageOf(event)
  return Object.keys(usage).length === 0 ? [] : [{ type: 'usage-report', usage }]
}

/** @returns the item of the event, with a note that it came in pieces */
function touch(state: StreamState, event: JsonObject): OpenItem {
  const index = indexOf(event)
  const open = state.items.get(index) ?? { custom: false, hasDeltas: false }
  state.hasItems = true
  open.hasDeltas = true
  state.items.set(index, open)
  return open
}

function indexOf(event: JsonObject): number {
  return typeof event.output_index === 'number' ? event.output_index : 0
}

function streamError(code: string, type: string, message: string): StreamEvent {
  return { type: 'error', error: { code, type, message } }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
