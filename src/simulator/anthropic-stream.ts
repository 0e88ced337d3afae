import { toMessageUsage, toSignature, toStopReason } from './anthropic-words.ts'
import type { Call } from './call.ts'
import { type Delta, toDeltas } from './deltas.ts'
import type { Frame } from './reply.ts'
import type { Answer, AnswerChoice } from './script.ts'

/** @returns the events from `message_start`, which says one token of output, to `message_stop` */
export function* toMessageFrames(call: Call, answer: Answer): Generator<Frame> {
  const withUsage = !call.faults['no-usage']
  const choice = answer.choices[0]
  const message = {
    id: call.newId('msg_'),
    type: 'message',
    role: 'assistant',
    model: call.model,
    content: [],
    stop_reason: null,
    stop_sequence: null,
    ...(withUsage ? { usage: toMessageUsage(answer, 1, 0) } : {}),
  }
  yield event('message_start', { message })
  yield event('ping', {})
  if (choice !== undefined) yield* toBlockFrames(choice)
  yield event('message_delta', {
    delta: { stop_reason: toStopReason(choice), stop_sequence: choice?.stopSequence ?? null },
    ...(withUsage ? { usage: toMessageUsage(answer, answer.outputTokens, answer.reasoningTokens) } : {}),
  })
  yield event('message_stop', {})
}

function* toBlockFrames(choice: AnswerChoice): Generator<Frame> {
  let index = -1
  let open: 'reasoning' | 'text' | 'call' | undefined
  for (const delta of toDeltas(choice)) {
    const kind = delta.kind === 'arguments' ? 'call' : delta.kind
    if (kind !== open || delta.kind === 'call') {
      if (open !== undefined) yield* closeBlock(open, index, choice)
      open = kind
      index++
      const start = { index, content_block: toEmptyBlock(delta, choice) }
      yield event('content_block_start', start, delta.kind === 'call' ? delta.tokens : 0)
    }
    switch (delta.kind) {
      case 'reasoning':
        yield deltaEvent(index, { type: 'thinking_delta', thinking: delta.text }, delta.tokens)
        break
      case 'text':
        yield deltaEvent(index, { type: 'text_delta', text: delta.text }, delta.tokens)
        break
      case 'call':
        yield deltaEvent(index, { type: 'input_json_delta', partial_json: '' }, 0)
        break
      case 'arguments':
        yield deltaEvent(index, { type: 'input_json_delta', partial_json: delta.text }, delta.tokens)
        break
    }
  }
  if (open !== undefined) yield* closeBlock(open, index, choice)
}

function* closeBlock(open: string, index: number, choice: AnswerChoice): Generator<Frame> {
  if (open === 'reasoning') {
    yield deltaEvent(index, { type: 'signature_delta', signature: toSignature(choice.reasoning) }, 0)
  }
  yield event('content_block_stop', { index })
}

function toEmptyBlock(delta: Delta, choice: AnswerChoice): object {
  if (delta.kind === 'reasoning') return { type: 'thinking', thinking: '', signature: '' }
  if (delta.kind === 'text') return { type: 'text', text: '' }
  const made = choice.calls[delta.call]
  return { type: 'tool_use', id: made?.id, name: made?.name, input: {} }
}

function deltaEvent(index: number, delta: object, tokens: number): Frame {
  return event('content_block_delta', { index, delta }, tokens)
}

function event(type: string, fields: object, tokens = 0): Frame {
  return { text: `event: ${type}\ndata: ${JSON.stringify({ type, ...fields })}\n\n`, tokens }
}
