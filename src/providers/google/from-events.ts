import type { StreamEvent } from '../../contract/chat.ts'
import { isObject, type JsonObject } from '../../contract/formats/gemini/fields.ts'
import { fromLogprobsResult } from '../../contract/formats/gemini/logprobs.ts'
import type { SseFrame } from '../../core/sse.ts'
import { toCallId } from './call-id.ts'
import { fromFinishReason } from './finish-reason.ts'
import { fromPart } from './from-part.ts'
import { blockReasonOf, metadataOf, secondsOf } from './from-reply.ts'
import { fromUsageMetadata } from './usage.ts'

/** What decoding one stream remembers. */
export interface GoogleStreamState {
  started: boolean
  ended: boolean
  responseId: string
  readonly choices: Map<number, ChoiceState>
}

interface ChoiceState {
  calls: number
  /** A thought is open: it ends with its signature, or where something else begins. */
  thinking: boolean
  finished: boolean
}

/** More than Google offers (8); a bound, because we remember each. */
const CHOICES_MAX = 64

export function newStreamState(): GoogleStreamState {
  return { started: false, ended: false, responseId: '', choices: new Map() }
}

/**
 * One chunk of `streamGenerateContent?alt=sse`, a `GenerateContentResponse`.
 *
 * Gemini's stream has no terminator. The chunk that finishes the last candidate seen so far (or says that the
 * prompt is blocked) ends the reply: `reply-end` is the last event of that chunk, after its usage. Where Google
 * sends usage in a chunk of its own after that, a `usage-report` follows `reply-end`, and nothing else does. A
 * stream that stops before a finish reason has no `reply-end` and is seen as broken.
 */
export function fromEvent(state: GoogleStreamState, frame: SseFrame): StreamEvent[] {
  if (frame.data === undefined || frame.data === '[DONE]') return []
  const chunk = parseChunk(frame.data)
  if (chunk === undefined) return [failure('upstream_error', 'The provider sent an unreadable event.')]
  const error = chunk.error
  if (isObject(error)) return [fromErrorChunk(error)]
  const usage = usageEvents(chunk)
  if (state.ended) return usage
  const candidates = Array.isArray(chunk.candidates) ? chunk.candidates.filter(isObject) : []
  const blocked = candidates.length === 0 ? blockReasonOf(chunk) : undefined
  const known = candidates.length > 0 || blocked !== undefined || usage.length > 0
  if (!known && chunk.responseId === undefined) return [{ type: 'other', format: 'gemini', raw: chunk }]
  const events = startEvents(state, chunk)
  for (const candidate of candidates) events.push(...fromCandidate(state, candidate))
  if (blocked !== undefined) {
    events.push({ type: 'choice-finish', choice: 0, reason: 'content-filter', rawReason: blocked })
  }
  events.push(...usage)
  const finished = state.choices.size > 0 && [...state.choices.values()].every((choice) => choice.finished)
  if (blocked !== undefined || finished) {
    state.ended = true
    events.push({ type: 'reply-end' })
  }
  return events
}

function parseChunk(data: string): JsonObject | undefined {
  try {
    const parsed: unknown = JSON.parse(data)
    // Errors before the first chunk come as an array of one.
    const chunk: unknown = Array.isArray(parsed) ? parsed[0] : parsed
    return isObject(chunk) ? chunk : undefined
  } catch {
    return undefined
  }
}

function startEvents(state: GoogleStreamState, chunk: JsonObject): StreamEvent[] {
  if (state.started) return []
  state.started = true
  const { responseId, modelVersion, createTime } = chunk
  state.responseId = typeof responseId === 'string' ? responseId : ''
  const model = typeof modelVersion === 'string' ? modelVersion : ''
  return [{ type: 'reply-start', id: state.responseId, model, createdSeconds: secondsOf(createTime) }]
}

function usageEvents(chunk: JsonObject): StreamEvent[] {
  const usage = fromUsageMetadata(chunk.usageMetadata)
  return Object.keys(usage).length === 0 ? [] : [{ type: 'usage-report', usage }]
}

function fromCandidate(state: GoogleStreamState, candidate: JsonObject): StreamEvent[] {
  // Google leaves zeros out of its JSON.
  const choice = typeof candidate.index === 'number' ? candidate.index : 0
  const found = choiceOf(state, choice)
  if (found === undefined || found.finished) return []
  const content = isObject(candidate.content) ? candidate.content : {}
  const parts: readonly unknown[] = Array.isArray(content.parts) ? content.parts : []
  const events = parts.flatMap((part) => fromStreamedPart(state, found, choice, part))
  addLogprobs(events, choice, candidate)
  const metadata = metadataOf(candidate)
  if (metadata !== undefined) events.push(other(choice, metadata))
  const reason = candidate.finishReason
  if (typeof reason !== 'string' || reason === 'FINISH_REASON_UNSPECIFIED') return events
  found.finished = true
  const ours = fromFinishReason(reason, found.calls > 0)
  events.push(...endThought(found, choice), {
    type: 'choice-finish',
    choice,
    reason: ours,
    rawReason: reason,
  })
  return events
}

function choiceOf(state: GoogleStreamState, choice: number): ChoiceState | undefined {
  const found = state.choices.get(choice)
  if (found !== undefined || state.choices.size >= CHOICES_MAX) return found
  const made: ChoiceState = { calls: 0, thinking: false, finished: false }
  state.choices.set(choice, made)
  return made
}

function fromStreamedPart(
  state: GoogleStreamState,
  found: ChoiceState,
  choice: number,
  value: unknown,
): StreamEvent[] {
  const part = fromPart(value)
  if (part === undefined) return []
  const { signature } = part.kind === 'other' ? {} : part
  if (part.kind === 'thought') {
    found.thinking = signature === undefined
    const events: StreamEvent[] =
      part.text === '' ? [] : [{ type: 'reasoning-delta', choice, text: part.text }]
    return signature === undefined ? events : [...events, { type: 'reasoning-end', choice, signature }]
  }
  const events = endThought(found, choice)
  switch (part.kind) {
    case 'text':
      if (part.text !== '') events.push({ type: 'text-delta', choice, text: part.text })
      if (signature !== undefined) events.push({ type: 'reasoning-end', choice, signature })
      return events
    case 'call': {
      const index = found.calls++
      const id = toCallId(part.id, state.responseId, choice, index)
      const signed = signature === undefined ? {} : { signature }
      events.push(
        { type: 'tool-call-start', choice, index, id, name: part.name, ...signed },
        { type: 'tool-call-delta', choice, index, arguments: part.arguments },
      )
      return events
    }
    case 'media':
    case 'other':
      // The raw part holds its own signature.
      events.push(other(choice, { content: { parts: [part.raw], role: 'model' } }))
      return events
  }
}

function endThought(found: ChoiceState, choice: number): StreamEvent[] {
  if (!found.thinking) return []
  found.thinking = false
  return [{ type: 'reasoning-end', choice }]
}

/** Probabilities come beside the parts of a chunk; they go with its first text. */
function addLogprobs(events: StreamEvent[], choice: number, candidate: JsonObject): void {
  const logprobs = fromLogprobsResult(candidate.logprobsResult)
  if (logprobs === undefined) return
  const position = events.findIndex((event) => event.type === 'text-delta')
  const found = events[position]
  if (found?.type === 'text-delta') events[position] = { ...found, logprobs }
  else events.push({ type: 'text-delta', choice, text: '', logprobs })
}

/** Something only Gemini's format has, as a chunk of its own. */
function other(choice: number, fields: JsonObject): StreamEvent {
  return { type: 'other', format: 'gemini', raw: { candidates: [{ ...fields, index: choice }] } }
}

function fromErrorChunk(error: JsonObject): StreamEvent {
  const { code, status, message } = error
  const word =
    typeof status === 'string' ? status : typeof code === 'number' ? String(code) : 'upstream_error'
  return failure(word, typeof message === 'string' ? message : 'The provider broke the stream off.')
}

function failure(code: string, message: string): StreamEvent {
  return { type: 'error', error: { code, type: 'upstream_error', message } }
}
