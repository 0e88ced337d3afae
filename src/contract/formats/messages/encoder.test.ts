import Anthropic from '@anthropic-ai/sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { SseFramer } from '../../../core/sse.ts'
import type { ChatRequest, StreamEvent } from '../../chat.ts'
import { type MessagesContext, MessagesEncoder } from './encoder.ts'
import { messagesFormat } from './format.ts'

const REQUEST: ChatRequest = { model: 'm', messages: [], stream: true, includeUsage: true, unmapped: [] }
const CONTEXT: MessagesContext = { requestId: 'req_1', nowSeconds: 0 }
const START: StreamEvent = { type: 'reply-start', id: 'msg_1', model: 'gpt-x', createdSeconds: 5 }

function encode(events: readonly StreamEvent[], context = CONTEXT): string {
  const encoder = new MessagesEncoder(REQUEST, context)
  return events.map((event) => encoder.encode(event)).join('')
}

/** Every frame as its name and data; the name must be the data's type. */
function framesOf(text: string): Record<string, unknown>[] {
  return new SseFramer().push(new TextEncoder().encode(text)).map((frame) => {
    const data = JSON.parse(frame.data ?? 'null')
    expect(frame.event).toBe(data.type)
    return data
  })
}

/** What the official SDK makes of a stream. */
async function finalMessage(text: string): Promise<Anthropic.Message> {
  const client = new Anthropic({
    apiKey: 'k',
    maxRetries: 0,
    fetch: async () => new Response(text, { headers: { 'content-type': 'text/event-stream' } }),
  })
  const params = { model: 'm', max_tokens: 1, messages: [{ role: 'user' as const, content: 'x' }] }
  return await client.messages.stream(params).finalMessage()
}

const TURN: StreamEvent[] = [
  START,
  { type: 'reasoning-delta', choice: 0, text: 'think' },
  { type: 'reasoning-delta', choice: 0, text: 'ing' },
  { type: 'reasoning-end', choice: 0, signature: 'sig' },
  { type: 'reasoning-end', choice: 0, encrypted: 'xx' },
  { type: 'text-delta', choice: 0, text: 'Grüße ' },
  { type: 'text-delta', choice: 0, text: '東京' },
  { type: 'tool-call-start', choice: 0, index: 0, id: 'a', name: 'f' },
  { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"x":' },
  { type: 'tool-call-delta', choice: 0, index: 0, arguments: '1}' },
  { type: 'tool-call-start', choice: 0, index: 1, id: 'b', name: 'g' },
  { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{}' },
  { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
  { type: 'usage-report', usage: { inputTokens: 20, cachedInputTokens: 5, outputTokens: 9 } },
  { type: 'reply-end' },
]

describe('MessagesEncoder', () => {
  it('writes a turn that the official SDK reads', async () => {
    const message = await finalMessage(encode(TURN))
    expect(message).toMatchObject({
      id: 'msg_1',
      model: 'gpt-x',
      role: 'assistant',
      stop_reason: 'tool_use',
      usage: { input_tokens: 15, cache_read_input_tokens: 5, output_tokens: 9 },
      content: [
        { type: 'thinking', thinking: 'thinking', signature: 'sig' },
        { type: 'redacted_thinking', data: 'xx' },
        { type: 'text', text: 'Grüße 東京' },
        { type: 'tool_use', id: 'a', name: 'f', input: { x: 1 } },
        { type: 'tool_use', id: 'b', name: 'g', input: {} },
      ],
    })
  })

  it('numbers blocks from 0 and opens one at a time', () => {
    let open: number | undefined
    let next = 0
    for (const frame of framesOf(encode(TURN))) {
      if (frame.type === 'content_block_start') {
        expect([open, frame.index]).toEqual([undefined, next])
        open = next
        next += 1
      } else if (frame.type === 'content_block_delta') {
        expect(frame.index).toBe(open)
      } else if (frame.type === 'content_block_stop') {
        expect(frame.index).toBe(open)
        open = undefined
      }
    }
    expect([open, next]).toEqual([undefined, 5])
  })

  it('puts usage that is already known into message_start', () => {
    const events: StreamEvent[] = [
      START,
      { type: 'usage-report', usage: { inputTokens: 30, cachedInputTokens: 10 } },
    ]
    expect(framesOf(encode(events))).toMatchObject([
      { type: 'message_start', message: { usage: { input_tokens: 20, cache_read_input_tokens: 10 } } },
    ])
  })

  it('puts our estimate there where nothing is known, and the truth at the end', async () => {
    const text = encode(TURN, { ...CONTEXT, inputTokensEstimate: 18 })
    expect(framesOf(text)[0]).toMatchObject({ message: { usage: { input_tokens: 18 } } })
    expect((await finalMessage(text)).usage.input_tokens).toBe(15)
  })

  it('leaves the estimate standing where no usage ever comes', async () => {
    const events: StreamEvent[] = [
      START,
      { type: 'text-delta', choice: 0, text: 'x' },
      { type: 'choice-finish', choice: 0, reason: 'stop' },
      { type: 'reply-end' },
    ]
    const message = await finalMessage(encode(events, { ...CONTEXT, inputTokensEstimate: 18 }))
    expect(message.usage.input_tokens).toBe(18)
  })

  it('writes interleaved calls one after the other and loses nothing', async () => {
    const parts = fc.array(fc.tuple(fc.integer({ min: 0, max: 2 }), fc.nat({ max: 6 })), { maxLength: 30 })
    await fc.assert(
      fc.asyncProperty(parts, async (cuts) => {
        const wanted = ['{"a":[1,2,{"b":"x"}]}', '{"long":"yyyyyyyyyyyy"}', '{}']
        const rest = [...wanted]
        const events: StreamEvent[] = [START]
        for (const [index] of wanted.entries()) {
          events.push({ type: 'tool-call-start', choice: 0, index, id: `id${index}`, name: 'f' })
        }
        const all = [...cuts, [0, 99], [1, 99], [2, 99]] as const
        for (const [index, length] of all) {
          events.push({
            type: 'tool-call-delta',
            choice: 0,
            index,
            arguments: (rest[index] ?? '').slice(0, length),
          })
          rest[index] = (rest[index] ?? '').slice(length)
        }
        events.push({ type: 'choice-finish', choice: 0, reason: 'tool-calls' }, { type: 'reply-end' })
        const { content } = await finalMessage(encode(events))
        expect(content.map((block) => (block.type === 'tool_use' ? block.input : block))).toEqual(
          wanted.map((json) => JSON.parse(json)),
        )
      }),
      { numRuns: 50 },
    )
  })

  it('does not hold a call back whose predecessor is complete', () => {
    const encoder = new MessagesEncoder(REQUEST, CONTEXT)
    for (const event of TURN.slice(0, 11)) encoder.encode(event)
    expect(encoder.encode(TURN[11] ?? START)).toContain('"partial_json":"{}"')
  })

  it('ends a broken stream in an error that the SDK throws, and in nothing else', async () => {
    const events: StreamEvent[] = [
      START,
      { type: 'text-delta', choice: 0, text: 'half' },
      { type: 'error', error: { code: 'upstream_timeout', type: 'upstream_error', message: 'Too slow.' } },
      { type: 'reply-end' },
    ]
    const text = encode(events)
    expect(framesOf(text).at(-1)).toEqual({
      type: 'error',
      error: { type: 'timeout_error', message: 'Too slow.' },
      request_id: 'req_1',
    })
    expect(text).not.toContain('message_stop')
    await expect(finalMessage(text)).rejects.toThrow('Too slow.')
  })

  it.each([
    ['overloaded_error', 'overloaded_error'],
    ['overloaded', 'overloaded_error'],
    ['internal_error', 'api_error'],
    ['model_not_allowed', 'permission_error'],
  ])('names the error %s %s', (code, type) => {
    const event: StreamEvent = { type: 'error', error: { code, type: 'x', message: 'm' } }
    expect(framesOf(encode([event]))).toMatchObject([{ error: { type } }])
  })

  it('carries the state of other providers in ids and signatures', async () => {
    const message = await finalMessage(
      encode([
        START,
        { type: 'reasoning-delta', choice: 0, text: 'sum' },
        { type: 'reasoning-end', choice: 0, encrypted: 'enc', id: 'rs_1' },
        { type: 'tool-call-start', choice: 0, index: 0, id: 'c1', name: 'f', signature: 'gem==' },
        { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{}' },
        { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
        { type: 'reply-end' },
      ]),
    )
    // What every client does with an answer: send it back as it came.
    const result = {
      type: 'tool_result',
      tool_use_id: (message.content[1] as { id: string }).id,
      content: 'r',
    }
    const turns = [message, { role: 'user', content: [result] }]
    const { messages } = messagesFormat.parseRequest({ model: 'm', max_tokens: 1, messages: turns }, CONTEXT)
    expect(messages.map((turn) => turn.content)).toEqual([
      [
        { type: 'reasoning', text: 'sum', encrypted: 'enc', id: 'rs_1' },
        { type: 'tool-call', id: 'c1', name: 'f', arguments: '{}', signature: 'gem==' },
      ],
      [{ type: 'tool-result', callId: 'c1', content: [{ type: 'text', text: 'r' }] }],
    ])
  })

  it('shows choice 0 alone', () => {
    expect(encode([START, { type: 'text-delta', choice: 1, text: 'second' }])).not.toContain('second')
  })

  it('sends a heartbeat that the SDK skips', async () => {
    const text = messagesFormat.heartbeat + encode(TURN) + messagesFormat.heartbeat
    expect(messagesFormat.heartbeat).toBe('event: ping\ndata: {"type": "ping"}\n\n')
    expect((await finalMessage(text)).stop_reason).toBe('tool_use')
  })
})
