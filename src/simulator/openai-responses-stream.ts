import { type Delta, toDeltas } from './deltas.ts'
import type { JsonObject } from './json.ts'
import type { Frame } from './reply.ts'
import type { Answer } from './script.ts'

/** One finished item of the output. */
export type OutputItem = JsonObject & { readonly id: string; readonly type: string }

/**
 * @param response the finished reply without output
 * @param output its items
 * @returns the typed events, numbered, from `response.created` to `response.completed` or `response.incomplete`
 */
export function* toResponseFrames(
  response: JsonObject,
  output: readonly OutputItem[],
  answer: Answer,
): Generator<Frame> {
  let sequence = 0
  const frame = (type: string, fields: object, tokens = 0): Frame => ({
    text: `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: sequence++, ...fields })}\n\n`,
    tokens,
  })
  const begun = {
    ...response,
    status: 'in_progress',
    completed_at: null,
    incomplete_details: null,
    usage: null,
  }
  yield frame('response.created', { response: begun })
  yield frame('response.in_progress', { response: begun })
  const choice = answer.choices[0]
  const deltas = choice === undefined ? [] : [...toDeltas(choice)]
  let call = -1
  for (const [outputIndex, item] of output.entries()) {
    if (item.type === 'function_call') call++
    const own = deltas.filter((delta) => belongs(delta, item.type, call))
    yield frame(
      'response.output_item.added',
      { output_index: outputIndex, item: toEmpty(item) },
      startTokens(own),
    )
    const place = { item_id: item.id, output_index: outputIndex }
    switch (item.type) {
      case 'reasoning': {
        const part = { type: 'summary_text', text: choice?.reasoning ?? '' }
        const at = { ...place, summary_index: 0 }
        yield frame('response.reasoning_summary_part.added', { ...at, part: { ...part, text: '' } })
        for (const delta of own) {
          if (delta.kind !== 'reasoning') continue
          yield frame('response.reasoning_summary_text.delta', { ...at, delta: delta.text }, delta.tokens)
        }
        yield frame('response.reasoning_summary_text.done', { ...at, text: part.text })
        yield frame('response.reasoning_summary_part.done', { ...at, part })
        break
      }
      case 'message': {
        const part = { type: 'output_text', text: choice?.text ?? '', annotations: [], logprobs: [] }
        const at = { ...place, content_index: 0 }
        yield frame('response.content_part.added', { ...at, part: { ...part, text: '' } })
        for (const delta of own) {
          if (delta.kind !== 'text') continue
          yield frame('response.output_text.delta', { ...at, delta: delta.text, logprobs: [] }, delta.tokens)
        }
        yield frame('response.output_text.done', { ...at, text: part.text, logprobs: [] })
        yield frame('response.content_part.done', { ...at, part })
        break
      }
      case 'function_call': {
        for (const delta of own) {
          if (delta.kind !== 'arguments') continue
          yield frame('response.function_call_arguments.delta', { ...place, delta: delta.text }, delta.tokens)
        }
        const { name, arguments: callArguments } = item
        yield frame('response.function_call_arguments.done', { ...place, name, arguments: callArguments })
        break
      }
    }
    yield frame('response.output_item.done', { output_index: outputIndex, item })
  }
  const type = response.status === 'incomplete' ? 'response.incomplete' : 'response.completed'
  yield frame(type, { response: { ...response, output } })
}

function belongs(delta: Delta, itemType: string, call: number): boolean {
  if (delta.kind === 'reasoning') return itemType === 'reasoning'
  if (delta.kind === 'text') return itemType === 'message'
  return itemType === 'function_call' && delta.call === call
}

/** The name of a call is already said when its item is added. */
function startTokens(deltas: readonly Delta[]): number {
  const start = deltas[0]
  return start?.kind === 'call' ? start.tokens : 0
}

function toEmpty(item: OutputItem): JsonObject {
  switch (item.type) {
    case 'reasoning':
      return { ...item, summary: [] }
    case 'message':
      return { ...item, status: 'in_progress', content: [] }
    default:
      return { ...item, status: 'in_progress', arguments: '' }
  }
}
