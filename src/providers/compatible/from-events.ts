import type { StreamEvent } from '../../contract/chat.ts'
import { MESSAGE_EXTRAS, pickFields, REPLY_EXTRAS, REPLY_LEVEL } from '../../contract/formats/chat/extras.ts'
import { type Fields, isObject } from '../../contract/formats/chat/fields.ts'
import { thoughtText } from '../../contract/formats/chat/reasoning-details.ts'
import type { SseFrame } from '../../core/sse.ts'
import { describeError } from './errors.ts'
import { fromFinishReason, isFailure } from './finish-reason.ts'
import { fromCallDelta } from './from-call-delta.ts'
import { fromContent } from './from-content.ts'
import { type ChoiceState, choiceState, type StreamState } from './stream-state.ts'
import { findUsage } from './usage.ts'

/** One step of decoding a stream of `chat.completion.chunk`, as any of the compatible providers writes it. */
export function fromEvent(state: StreamState, frame: SseFrame): StreamEvent[] {
  if (state.isClosed) return []
  const { data } = frame
  // A comment keeps the connection open (OpenRouter: `: OPENROUTER PROCESSING`).
  if (data === undefined) return [{ type: 'ping' }]
  if (data === '[DONE]') return end(state)
  if (data === '') return []
  let chunk: unknown
  try {
    chunk = JSON.parse(data)
  } catch {
    return fail(state, 'upstream_error', 'upstream_error', 'The provider sent an event that is no JSON.')
  }
  if (!isObject(chunk)) {
    return fail(state, 'upstream_error', 'upstream_error', 'The provider sent an event that is no chunk.')
  }
  return isErrorChunk(chunk, frame.event) ? fromErrorChunk(state, chunk) : fromChunk(state, chunk)
}

/**
 * The end of the bytes: some providers close a stream without `[DONE]`.
 *
 * @returns `reply-end` where every answer had its finish reason; else nothing, and the stream is a broken one
 */
export function fromEnd(state: StreamState): StreamEvent[] {
  const choices = [...state.choices.values()]
  const isComplete = choices.length > 0 && choices.every(({ isFinished }) => isFinished)
  return state.isClosed || !isComplete ? [] : end(state)
}

function end(state: StreamState): StreamEvent[] {
  state.isClosed = true
  return [{ type: 'reply-end' }]
}

function fail(state: StreamState, code: string, type: string, message: string): StreamEvent[] {
  state.isClosed = true
  return [{ type: 'error', error: { code, type, message } }]
}

/** Groq names the event; most send a chunk with `error`; older vLLM and SGLang the error itself as `object`. */
function isErrorChunk(chunk: Fields, event: string): boolean {
  return event === 'error' || (chunk.error !== undefined && chunk.error !== null) || chunk.object === 'error'
}

function fromErrorChunk(state: StreamState, chunk: Fields): StreamEvent[] {
  const { message, type, code } = describeError(chunk)
  return fail(
    state,
    code ?? 'upstream_error',
    type ?? 'upstream_error',
    message === '' ? 'The provider failed in the middle of its answer.' : message,
  )
}

function fromChunk(state: StreamState, chunk: Fields): StreamEvent[] {
  const events: StreamEvent[] = []
  const choices = Array.isArray(chunk.choices) ? chunk.choices.filter(isObject) : []
  start(state, chunk, choices.length > 0, events)
  choices.forEach((choice, position) => {
    if (!state.isClosed) fromChoice(state, choice, position, events)
  })
  if (state.isClosed) return events
  const extras = pickFields(chunk, REPLY_EXTRAS)
  if (extras !== undefined) passExtras(state, extras, true, events)
  const usage = findUsage(chunk)
  if (usage !== undefined) events.push({ type: 'usage-report', usage })
  return events
}

/** Azure opens with a chunk of filter results whose id and model are empty: the reply starts with the next. */
function start(state: StreamState, chunk: Fields, hasChoices: boolean, events: StreamEvent[]): void {
  if (state.isStarted) return
  const id = typeof chunk.id === 'string' ? chunk.id : ''
  if (id === '' && !hasChoices) return
  state.isStarted = true
  state.replyId = id
  events.push({
    type: 'reply-start',
    id,
    model: typeof chunk.model === 'string' ? chunk.model : '',
    createdSeconds: typeof chunk.created === 'number' ? Math.floor(chunk.created) : 0,
  })
}

function fromChoice(state: StreamState, wire: Fields, position: number, events: StreamEvent[]): void {
  const index = typeof wire.index === 'number' ? wire.index : position
  const choice = choiceState(state, index)
  if (choice === undefined) {
    events.push(...fail(state, 'upstream_error', 'upstream_error', 'The provider sent too many choices.'))
    return
  }
  if (choice.isFinished) return
  const delta = deltaOf(wire, choice)
  if (delta !== undefined) fromDelta(state, choice, index, delta, wire.logprobs, events)
  if (state.isClosed) return
  if (isFailure(wire.finish_reason)) {
    events.push(
      ...fail(state, 'upstream_error', 'upstream_error', 'The provider failed in the middle of its answer.'),
    )
    return
  }
  const finish = fromFinishReason(wire.finish_reason, choice.calls.length > 0)
  if (finish === undefined) return
  endThought(choice, index, events)
  choice.isFinished = true
  events.push({
    type: 'choice-finish',
    choice: index,
    reason: finish.reason,
    ...(finish.raw === undefined ? {} : { rawReason: finish.raw }),
    ...(typeof wire.stop_reason === 'string' ? { stopSequence: wire.stop_reason } : {}),
  })
}

/** A server that cannot stream sends its whole `message` as the only chunk; Perplexity repeats it beside the delta. */
function deltaOf(wire: Fields, choice: ChoiceState): Fields | undefined {
  if (isObject(wire.delta)) return wire.delta
  return isObject(wire.message) && !choice.hasOutput ? wire.message : undefined
}

function fromDelta(
  state: StreamState,
  choice: ChoiceState,
  index: number,
  delta: Fields,
  logprobs: unknown,
  events: StreamEvent[],
): void {
  const before = events.length
  think(choice, index, thoughtText(delta), events)
  if (Array.isArray(delta.reasoning_details)) thinkInDetail(choice, index, delta.reasoning_details, events)
  const pieces = fromContent(delta.content)
  pieces.forEach((piece, at) => {
    if (piece.type === 'reasoning') {
      think(choice, index, piece.text, events)
      return
    }
    endThought(choice, index, events)
    // The probabilities cover the chunk's text, which is one piece wherever there are any.
    const own = at === pieces.length - 1 && isObject(logprobs) ? { logprobs } : {}
    events.push({ type: 'text-delta', choice: index, text: piece.text, ...own })
  })
  // A token may be no text of its own (half a character): its probability still counts.
  if (pieces.length === 0 && hasTokens(logprobs)) {
    events.push({ type: 'text-delta', choice: index, text: '', logprobs })
  }
  if (typeof delta.refusal === 'string' && delta.refusal !== '') {
    endThought(choice, index, events)
    events.push({ type: 'refusal-delta', choice: index, text: delta.refusal })
  }
  callTools(state, choice, index, delta, events)
  const extras = pickFields(delta, MESSAGE_EXTRAS)
  if (extras !== undefined) passExtras(state, extras, false, events)
  if (events.length > before) choice.hasOutput = true
}

function hasTokens(logprobs: unknown): boolean {
  return isObject(logprobs) && Array.isArray(logprobs.content) && logprobs.content.length > 0
}

function think(choice: ChoiceState, index: number, text: string, events: StreamEvent[]): void {
  if (text === '') return
  // A proof closes its thought: more text is the next one.
  if (isProven(choice)) endThought(choice, index, events)
  choice.isThinking = true
  choice.hasThoughtText = true
  events.push({ type: 'reasoning-delta', choice: index, text })
}

function isProven({ proof }: ChoiceState): boolean {
  return proof.signature !== undefined || proof.encrypted !== undefined
}

/** Details carry what has to come back. Their text counts only where no plain field brings it as well. */
function thinkInDetail(
  choice: ChoiceState,
  index: number,
  details: readonly unknown[],
  events: StreamEvent[],
): void {
  for (const detail of details.filter(isObject)) {
    const { signature, data, id } = detail
    const number = typeof detail.index === 'number' ? detail.index : undefined
    if (choice.isThinking && isOtherThought(choice, detail, number)) endThought(choice, index, events)
    choice.isThinking = true
    choice.thoughtNumber = number
    const text = typeof detail.text === 'string' ? detail.text : detail.summary
    if (typeof text === 'string' && text !== '' && !choice.hasThoughtText) {
      events.push({ type: 'reasoning-delta', choice: index, text })
    }
    if (typeof id === 'string') choice.proof.id = id
    if (typeof signature === 'string') choice.proof.signature = signature
    if (typeof data === 'string') choice.proof.encrypted = data
  }
}

/** Entries of one thought share a number; without numbers a second proof of the same sort belongs to the next. */
function isOtherThought(choice: ChoiceState, detail: Fields, number: number | undefined): boolean {
  if (number !== undefined && choice.thoughtNumber !== undefined) return number !== choice.thoughtNumber
  const { signature, encrypted } = choice.proof
  return (
    (signature !== undefined && typeof detail.signature === 'string') ||
    (encrypted !== undefined && typeof detail.data === 'string')
  )
}

function endThought(choice: ChoiceState, index: number, events: StreamEvent[]): void {
  if (!choice.isThinking) return
  events.push({ type: 'reasoning-end', choice: index, ...choice.proof })
  choice.isThinking = false
  choice.hasThoughtText = false
  choice.thoughtNumber = undefined
  choice.proof = {}
}

function callTools(
  state: StreamState,
  choice: ChoiceState,
  index: number,
  delta: Fields,
  events: StreamEvent[],
): void {
  const calls = Array.isArray(delta.tool_calls) ? delta.tool_calls.filter(isObject) : []
  // The deprecated spelling of a single call.
  if (isObject(delta.function_call)) calls.push({ index: 0, function: delta.function_call })
  if (calls.length > 0) endThought(choice, index, events)
  for (const call of calls) {
    const made = fromCallDelta(choice, index, call, state.replyId)
    if (made === undefined) {
      events.push(
        ...fail(state, 'upstream_error', 'upstream_error', 'The provider sent too many tool calls.'),
      )
      return
    }
    events.push(...made)
  }
}

function passExtras(
  state: StreamState,
  extras: Readonly<Record<string, unknown>>,
  isReplyLevel: boolean,
  events: StreamEvent[],
): void {
  if (!isReplyLevel) {
    events.push({ type: 'other', format: 'chat', raw: extras })
    return
  }
  const fresh: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(extras)) {
    if (state.extrasGiven.has(name)) continue
    state.extrasGiven.add(name)
    fresh[name] = value
  }
  if (Object.keys(fresh).length > 0)
    events.push({ type: 'other', format: 'chat', raw: { [REPLY_LEVEL]: fresh } })
}
