import { describe, expect, it } from 'vitest'
import type { ChatChoice, ChatReply, ChatRequest, Usage } from '../../chat.ts'
import { toMessagesReply } from './to-reply.ts'

const REQUEST: ChatRequest = { model: 'm', messages: [], stream: false, includeUsage: true, unmapped: [] }
const CONTEXT = { requestId: 'req_1', nowSeconds: 0 }

function reply(choice: Partial<ChatChoice>, usage: Usage = {}): ChatReply {
  const whole = { index: 0, content: [], finishReason: 'stop', ...choice } satisfies ChatChoice
  return { id: 'msg_1', model: 'm-1', createdSeconds: 0, choices: [whole], usage }
}

describe('toMessagesReply()', () => {
  it('writes the blocks in the order the model made them', () => {
    const body = toMessagesReply(
      reply({
        finishReason: 'tool-calls',
        content: [
          { type: 'reasoning', text: 'hm', signature: 's' },
          { type: 'reasoning', text: '', encrypted: 'xx' },
          { type: 'text', text: 'ok' },
          { type: 'text', text: '' },
          { type: 'tool-call', id: 't', name: 'f', arguments: '{"a":[1]}' },
          { type: 'tool-call', id: 'u', name: 'g', arguments: '' },
          { type: 'tool-call', id: 'v', name: 'h', arguments: '{"cut' },
        ],
      }),
      REQUEST,
      CONTEXT,
    )
    const caller = { type: 'direct' }
    expect(body).toMatchObject({ id: 'msg_1', type: 'message', role: 'assistant', model: 'm-1' })
    expect(body.stop_reason).toBe('tool_use')
    expect(body.content).toEqual([
      { type: 'thinking', thinking: 'hm', signature: 's' },
      { type: 'redacted_thinking', data: 'xx' },
      { type: 'text', text: 'ok' },
      { type: 'tool_use', id: 't', name: 'f', input: { a: [1] }, caller },
      { type: 'tool_use', id: 'u', name: 'g', input: {}, caller },
      { type: 'tool_use', id: 'v', name: 'h', input: { arguments: '{"cut' }, caller },
    ])
  })

  it('counts cached tokens beside the input, not in it', () => {
    const usage = { inputTokens: 100, cachedInputTokens: 60, cacheWriteTokens: 30, outputTokens: 7 }
    expect(toMessagesReply(reply({}, usage), REQUEST, CONTEXT).usage).toMatchObject({
      input_tokens: 10,
      cache_read_input_tokens: 60,
      cache_creation_input_tokens: 30,
      output_tokens: 7,
    })
  })

  it.each([
    [{ finishReason: 'stop' }, 'end_turn', null],
    [{ finishReason: 'stop', stopSequence: 'END' }, 'stop_sequence', 'END'],
    [{ finishReason: 'length' }, 'max_tokens', null],
    [{ finishReason: 'content-filter' }, 'refusal', null],
    [{ finishReason: 'refusal' }, 'refusal', null],
    [{ finishReason: 'pause' }, 'pause_turn', null],
    [{ finishReason: 'other', rawFinishReason: 'weird' }, 'end_turn', null],
    [
      { finishReason: 'length', rawFinishReason: 'model_context_window_exceeded' },
      'model_context_window_exceeded',
      null,
    ],
    // Gemini says STOP beside a call; clients run tools only after `tool_use`.
    [
      { finishReason: 'stop', content: [{ type: 'tool-call', id: 't', name: 'f', arguments: '' }] },
      'tool_use',
      null,
    ],
  ] satisfies [Partial<ChatChoice>, string, string | null][])('ends %j', (choice, reason, sequence) => {
    const body = toMessagesReply(reply(choice), REQUEST, CONTEXT)
    expect([body.stop_reason, body.stop_sequence]).toEqual([reason, sequence])
  })

  it('shows a refusal as text and says that it is one', () => {
    const body = toMessagesReply(reply({ content: [{ type: 'refusal', text: 'No.' }] }), REQUEST, CONTEXT)
    expect(body).toMatchObject({
      content: [{ type: 'text', text: 'No.' }],
      stop_reason: 'refusal',
      stop_details: { type: 'refusal', category: null, explanation: 'No.' },
    })
  })
})
