import type { ChatRequest, FinishReason, StreamEvent, Usage } from '../../chat.ts'
import { mergeUsage } from '../../chat.ts'
import type { RequestContext } from '../../format.ts'
import { toArgs } from './call-arguments.ts'
import { toErrorBody, type WireError } from './error-body.ts'
import { isObject } from './fields.ts'
import { toFinishReason } from './finish-reason.ts'
import { toLogprobsResult } from './logprobs.ts'
import { toCall, toThought } from './to-parts.ts'
import { toUsageMetadata } from './usage-metadata.ts'
import type { WireCandidate, WirePart, WireReply } from './wire.ts'

export type Chunk = WireReply | WireError

/** Turns neutral events into the chunks of one stream. */
export interface ChunkBuilder {
  next(event: StreamEvent): Chunk[]
}

/** Longer than any output of a model; a bound, because we hold it. What is cut is reported as malformed. */
const ARGUMENTS_LENGTH_MAX = 8 * 1024 * 1024

interface PendingCall {
  readonly id: string
  readonly name: string
  readonly signature: string | undefined
  arguments: string
}

interface ChoiceState {
  /** Calls that are not written yet, by their index: Gemini has no parts of a call. */
  readonly calls: Map<number, PendingCall>
  /** A readable thought stands before: a signature that follows is its own. */
  thinking: boolean
  malformedCall: string | undefined
  finish: { readonly reason: FinishReason; readonly raw: string | undefined } | undefined
}

/**
 * A call is written when its arguments are complete: at the next call, or where its choice ends. Finish reasons
 * and usage wait for `reply-end`, because usage may come after the end of the last choice and Gemini's last chunk
 * carries both.
 */
export function createChunkBuilder(_request: ChatRequest, context: RequestContext): ChunkBuilder {
  const choices = new Map<number, ChoiceState>()
  let responseId = context.requestId
  let modelVersion = ''
  let usage: Usage | undefined

  function stateOf(choice: number): ChoiceState {
    let state = choices.get(choice)
    if (state === undefined) {
      state = { calls: new Map(), thinking: false, malformedCall: undefined, finish: undefined }
      choices.set(choice, state)
    }
    return state
  }

  function chunkOf(candidate: WireCandidate): WireReply {
    return { candidates: [candidate], modelVersion, responseId }
  }

  function partOf(choice: number, part: WirePart, logprobs?: unknown): WireReply {
    const logprobsResult = toLogprobsResult(logprobs)
    return chunkOf({
      content: { parts: [part], role: 'model' },
      index: choice,
      ...(logprobsResult === undefined ? {} : { logprobsResult }),
    })
  }

  /** @param all also write calls whose arguments are missing or no object yet: nothing more will come */
  function takeCalls(choice: number, all: boolean): WireReply[] {
    const state = stateOf(choice)
    const written: WireReply[] = []
    for (const [index, call] of state.calls) {
      const args = toArgs(call.arguments)
      if (!all && (args === undefined || call.arguments === '')) break
      state.calls.delete(index)
      if (args === undefined) state.malformedCall ??= `${call.name}(${call.arguments})`
      else written.push(partOf(choice, toCall(call.id, call.name, args, call.signature)))
    }
    return written
  }

  function endOfReply(): WireReply {
    const candidates = [...choices].flatMap(([index, state]) => toLastCandidate(index, state))
    return {
      ...(candidates.length === 0 ? {} : { candidates }),
      ...(usage === undefined ? {} : { usageMetadata: toUsageMetadata(usage) }),
      modelVersion,
      responseId,
    }
  }

  return {
    next(event) {
      switch (event.type) {
        case 'reply-start':
          if (event.id !== '') responseId = event.id
          modelVersion = event.model
          return []
        case 'text-delta':
        case 'refusal-delta': {
          stateOf(event.choice).thinking = false
          const logprobs = event.type === 'text-delta' ? event.logprobs : undefined
          if (event.text === '' && logprobs === undefined) return []
          return [...takeCalls(event.choice, false), partOf(event.choice, { text: event.text }, logprobs)]
        }
        case 'reasoning-delta':
          stateOf(event.choice).thinking = true
          return event.text === '' ? [] : [partOf(event.choice, toThought(event.text, undefined))]
        case 'reasoning-end': {
          const state = stateOf(event.choice)
          const part: WirePart = state.thinking ? { text: '', thought: true } : { text: '' }
          state.thinking = false
          if (event.signature === undefined) return []
          return [partOf(event.choice, { ...part, thoughtSignature: event.signature })]
        }
        case 'tool-call-start': {
          const { id, name, signature } = event
          const written = takeCalls(event.choice, false)
          stateOf(event.choice).calls.set(event.index, { id, name, signature, arguments: '' })
          return written
        }
        case 'tool-call-delta': {
          const call = stateOf(event.choice).calls.get(event.index)
          if (call !== undefined && call.arguments.length < ARGUMENTS_LENGTH_MAX)
            call.arguments += event.arguments
          return []
        }
        case 'choice-finish':
          stateOf(event.choice).finish = { reason: event.reason, raw: event.rawReason }
          return takeCalls(event.choice, true)
        case 'usage-report':
          usage = mergeUsage(usage ?? {}, event.usage)
          return []
        case 'reply-end':
          return [endOfReply()]
        case 'error':
          return [toErrorBody(event.error.code, event.error.message)]
        case 'other':
          return event.format === 'gemini' && isObject(event.raw)
            ? [{ ...event.raw, modelVersion, responseId }]
            : []
        case 'ping':
          return []
      }
    },
  }
}

/**
 * The content holds an empty text, as Google's own last chunk does: chats of @google/genai throw a turn away whose
 * last chunk has no part (`isValidResponse`, 3.1.0).
 */
function toLastCandidate(index: number, state: ChoiceState): WireCandidate[] {
  const { finish, malformedCall } = state
  if (finish === undefined) return []
  const content = { parts: [{ text: '' }], role: 'model' as const }
  if (malformedCall !== undefined) {
    return [{ content, finishReason: 'MALFORMED_FUNCTION_CALL', finishMessage: malformedCall, index }]
  }
  return [{ content, finishReason: toFinishReason(finish.reason, finish.raw), index }]
}
