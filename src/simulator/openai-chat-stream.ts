import type { Call } from './call.ts'
import { toDeltas } from './deltas.ts'
import { toObject } from './json.ts'
import { toLogprobs, toUsage } from './openai-usage.ts'
import type { Frame } from './reply.ts'
import type { Answer } from './script.ts'

export const CHAT_FINISH = { stop: 'stop', length: 'length', 'tool-calls': 'tool_calls' } as const

export function* toChatFrames(call: Call, answer: Answer): Generator<Frame> {
  const { body, faults } = call
  const withUsage = toObject(body.stream_options).include_usage === true && !faults['no-usage']
  const withLogprobs = body.logprobs === true
  const head = `data: {"id":"${call.newId('chatcmpl-')}","object":"chat.completion.chunk","created":${call.nowSeconds},"model":${JSON.stringify(call.model)},"service_tier":"default","system_fingerprint":"fp_simulator","choices":[`
  const tail = withUsage ? '],"usage":null}\n\n' : ']}\n\n'
  const chunk = (index: number, delta: string, logprobs: string, finish: string, tokens: number): Frame => ({
    text: `${head}{"index":${index},"delta":${delta},"logprobs":${logprobs},"finish_reason":${finish}}${tail}`,
    tokens,
  })
  for (const index of answer.choices.keys()) {
    yield chunk(index, '{"role":"assistant","content":"","refusal":null}', 'null', 'null', 0)
  }
  // Several answers arrive interleaved, as they are made at the same time.
  const open = answer.choices.map((choice, index) => ({ choice, index, deltas: toDeltas(choice) }))
  while (open.length > 0) {
    for (const line of [...open]) {
      const { choice, index } = line
      const next = line.deltas.next()
      if (next.done) {
        open.splice(open.indexOf(line), 1)
        yield chunk(index, '{}', 'null', `"${CHAT_FINISH[choice.finish]}"`, 0)
        continue
      }
      const delta = next.value
      switch (delta.kind) {
        case 'text': {
          const logprobs = withLogprobs
            ? JSON.stringify({ content: toLogprobs(delta.pieces, body.top_logprobs), refusal: null })
            : 'null'
          yield chunk(index, `{"content":${JSON.stringify(delta.text)}}`, logprobs, 'null', delta.tokens)
          break
        }
        case 'reasoning':
          yield chunk(
            index,
            `{"reasoning_content":${JSON.stringify(delta.text)}}`,
            'null',
            'null',
            delta.tokens,
          )
          break
        case 'call': {
          const made = choice.calls[delta.call]
          const start = {
            index: delta.call,
            id: made?.id,
            type: 'function',
            function: { name: made?.name, arguments: '' },
          }
          yield chunk(index, JSON.stringify({ tool_calls: [start] }), 'null', 'null', delta.tokens)
          break
        }
        case 'arguments': {
          const more = { index: delta.call, function: { arguments: delta.text } }
          yield chunk(index, JSON.stringify({ tool_calls: [more] }), 'null', 'null', delta.tokens)
          break
        }
      }
    }
  }
  if (withUsage) yield { text: `${head}],"usage":${JSON.stringify(toUsage(answer))}}\n\n`, tokens: 0 }
  yield { text: 'data: [DONE]\n\n', tokens: 0 }
}
