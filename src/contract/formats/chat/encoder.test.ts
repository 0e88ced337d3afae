import { describe, expect, it } from 'vitest'
import type { ChatRequest, StreamEvent } from '../../chat.ts'
import { createEncoder } from './encoder.ts'
import { parseRequest } from './parse-request.ts'

const CONTEXT = { requestId: 'r1', nowSeconds: 1_700_000_000 }
const START: StreamEvent = { type: 'reply-start', id: 'i', model: 'm', createdSeconds: 9 }

function request(fields: Record<string, unknown> = {}): ChatRequest {
  return parseRequest({ model: 'm', messages: [{ role: 'user', content: 'x' }], stream: true, ...fields })
}

const WITH_USAGE = { stream_options: { include_usage: true } }

function encode(events: readonly StreamEvent[], fields?: Record<string, unknown>): string {
  const encoder = createEncoder(request(fields), CONTEXT)
  return events.map((event) => encoder.encode(event)).join('')
}

/** The data of every frame; JSON is parsed. */
function data(text: string): unknown[] {
  const frames = text.split('\n\n')
  expect(frames.pop()).toBe('')
  return frames.map((frame) => {
    expect(frame).toMatch(/^data: [^\n]*$/)
    const value = frame.slice('data: '.length)
    return value === '[DONE]' ? value : JSON.parse(value)
  })
}

describe('createEncoder()', () => {
  it('createEncoder() writes the role once per choice, the text, the finish reason and [DONE]', () => {
    const frames = data(
      encode([
        START,
        { type: 'text-delta', choice: 0, text: 'He\n\n' },
        { type: 'text-delta', choice: 0, text: 'llo 👋' },
        { type: 'text-delta', choice: 1, text: 'B' },
        { type: 'choice-finish', choice: 0, reason: 'stop' },
        { type: 'usage-report', usage: { inputTokens: 1, outputTokens: 2 } },
        { type: 'reply-end' },
      ]),
    )
    const head = { id: 'i', object: 'chat.completion.chunk', created: 9, model: 'm' }
    const choice = (index: number, delta: object, finish: string | null = null) => ({
      ...head,
      choices: [{ index, delta, logprobs: null, finish_reason: finish }],
    })
    expect(frames).toEqual([
      choice(0, { role: 'assistant', content: 'He\n\n' }),
      choice(0, { content: 'llo 👋' }),
      choice(1, { role: 'assistant', content: 'B' }),
      choice(0, {}, 'stop'),
      '[DONE]',
    ])
  })

  it('createEncoder() writes the usage chunk only for callers who asked, with empty choices', () => {
    const events: StreamEvent[] = [
      START,
      { type: 'text-delta', choice: 0, text: 'a' },
      { type: 'usage-report', usage: { inputTokens: 10, outputTokens: 1 } },
      { type: 'choice-finish', choice: 0, reason: 'stop' },
      { type: 'usage-report', usage: { outputTokens: 3 } },
      { type: 'reply-end' },
    ]
    expect(encode(events)).not.toContain('usage')
    const frames = data(encode(events, WITH_USAGE))
    expect(frames.slice(0, -2)).toMatchObject([{ usage: null }, { usage: null }])
    expect(frames.at(-2)).toMatchObject({
      choices: [],
      usage: { prompt_tokens: 10, completion_tokens: 3, total_tokens: 13 },
    })
  })

  it('createEncoder() writes tool calls by index, the id and name first', () => {
    const frames = data(
      encode([
        START,
        { type: 'tool-call-start', choice: 0, index: 0, id: 'c0', name: 'f', signature: 's' },
        { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"a"' },
        { type: 'tool-call-start', choice: 0, index: 1, id: 'c1', name: 'g' },
        { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
      ]),
    ) as { choices: { delta: unknown; finish_reason: unknown }[] }[]
    expect(frames.map(({ choices }) => choices[0]?.delta)).toEqual([
      {
        role: 'assistant',
        tool_calls: [
          {
            index: 0,
            id: 'c0',
            type: 'function',
            function: { name: 'f', arguments: '' },
            extra_content: { google: { thought_signature: 's' } },
          },
        ],
      },
      { tool_calls: [{ index: 0, function: { arguments: '{"a"' } }] },
      { tool_calls: [{ index: 1, id: 'c1', type: 'function', function: { name: 'g', arguments: '' } }] },
      {},
    ])
    expect(frames.at(-1)?.choices[0]?.finish_reason).toBe('tool_calls')
  })

  it('createEncoder() gives the whole of a thought with its signature, and nothing at the end of a plain one', () => {
    const thought: StreamEvent[] = [
      START,
      { type: 'reasoning-delta', choice: 0, text: 'one ' },
      { type: 'reasoning-delta', choice: 0, text: 'two' },
    ]
    const signed = data(encode([...thought, { type: 'reasoning-end', choice: 0, signature: 's' }]))
    expect(signed).toHaveLength(3)
    expect(signed.at(-1)).toMatchObject({
      choices: [
        {
          delta: {
            reasoning_details: [{ type: 'reasoning.text', text: 'one two', signature: 's', index: 0 }],
          },
        },
      ],
    })
    expect(data(encode([...thought, { type: 'reasoning-end', choice: 0 }]))).toHaveLength(2)
  })

  it('createEncoder() ends a stream that breaks in an error, without [DONE] whatever follows', () => {
    const text = encode([
      START,
      { type: 'text-delta', choice: 0, text: 'a' },
      { type: 'error', error: { code: 'upstream_error', type: 'upstream_error', message: 'Gone.' } },
      { type: 'text-delta', choice: 0, text: 'b' },
      { type: 'reply-end' },
    ])
    expect(data(text).at(-1)).toEqual({
      error: { message: 'Gone.', type: 'upstream_error', param: null, code: 'upstream_error' },
    })
    expect(text).not.toContain('[DONE]')
    expect(data(text)).toHaveLength(2)
  })

  it('createEncoder() answers a caller of functions with function_call', () => {
    const text = encode(
      [
        START,
        { type: 'tool-call-start', choice: 0, index: 0, id: 'c', name: 'f' },
        { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{}' },
        { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
      ],
      { functions: [{ name: 'f' }] },
    )
    expect(text).toContain('"function_call":{"name":"f","arguments":""}')
    expect(text).toContain('"finish_reason":"function_call"')
    expect(text).not.toContain('tool_calls')
  })

  it('createEncoder() passes sources on with an empty delta, never with empty choices', () => {
    const [frame] = data(
      encode([START, { type: 'other', format: 'chat', raw: { reply: { citations: ['u'] } } }]),
    )
    expect(frame).toMatchObject({ citations: ['u'], choices: [{ index: 0, delta: {} }] })
    expect(encode([START, { type: 'other', format: 'gemini', raw: { a: 1 } }])).toBe('')
  })

  it('createEncoder() writes pings as comments and names the reply itself where nobody did', () => {
    expect(encode([{ type: 'ping' }])).toBe(': ping\n\n')
    const [frame] = data(encode([{ type: 'text-delta', choice: 0, text: 'a' }]))
    expect(frame).toMatchObject({ id: 'chatcmpl-r1', created: 1_700_000_000, model: 'm' })
  })
})
