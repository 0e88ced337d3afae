import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { fromReply } from './from-reply.ts'
import { usageOf } from './usage.ts'

const reply: Record<string, unknown> = JSON.parse(
  readFileSync(new URL('./fixtures/reply.json', import.meta.url), 'utf8'),
)

test('fromReply() reads thoughts, text, log probabilities and parallel calls in their order', () => {
  const read = fromReply(reply)
  expect(read).toMatchObject({ id: 'resp_reply', model: 'gpt-5-pro-2025-10-06', createdSeconds: 1763700000 })
  const choice = read.choices[0]
  expect(choice?.finishReason).toBe('tool-calls')
  expect(choice?.content).toEqual([
    {
      type: 'reasoning',
      text: '**Weighing it**\n\nTwo ways.\n\n**Deciding**\n\nThe second.',
      encrypted: 'gAAAAABmfinalCipher==',
      id: 'rs_01',
    },
    { type: 'text', text: 'Done: 東京 👋🏽' },
    { type: 'tool-call', id: 'call_a', name: 'get_weather', arguments: '{"city":"Zürich"}' },
    { type: 'tool-call', id: 'call_b', name: 'get_time', arguments: '{}' },
  ])
  expect(choice?.logprobs).toMatchObject({ content: [{ token: 'Done', logprob: -0.1 }] })
})

test('usageOf() keeps what was said and leaves out what was not', () => {
  expect(usageOf(reply)).toEqual({
    inputTokens: 120,
    outputTokens: 90,
    cachedInputTokens: 64,
    cacheWriteTokens: 16,
    reasoningTokens: 40,
  })
  expect(usageOf({ response: { usage: { input_tokens: 0, output_tokens: 3 } } })).toEqual({
    inputTokens: 0,
    outputTokens: 3,
  })
  expect(usageOf({ usage: null })).toEqual({})
  expect(usageOf('no object')).toEqual({})
})

test.each([
  ['max_output_tokens', 'length', undefined],
  ['content_filter', 'content-filter', undefined],
  ['steered', 'other', 'steered'],
])('fromReply() reads incomplete with %s as %s', (reason, finishReason, rawFinishReason) => {
  const body = { ...reply, output: [], status: 'incomplete', incomplete_details: { reason } }
  expect(fromReply(body).choices[0]).toMatchObject({
    finishReason,
    ...(rawFinishReason && { rawFinishReason }),
  })
})

test('fromReply() reads a refusal, a custom tool and a namespaced one', () => {
  const output = [
    { id: 'm', type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
    { id: 'c', type: 'custom_tool_call', call_id: 'call_1', name: 'apply_patch', input: 'a "b"\n' },
    {
      id: 'f',
      type: 'function_call',
      call_id: 'call_2',
      name: 'run',
      namespace: 'mcp__shell',
      arguments: '{}',
    },
    { id: 'w', type: 'web_search_call', status: 'completed' },
  ]
  expect(fromReply({ ...reply, output }).choices[0]?.content).toEqual([
    { type: 'refusal', text: 'No.' },
    { type: 'tool-call', id: 'call_1', name: 'apply_patch', arguments: '{"input":"a \\"b\\"\\n"}' },
    { type: 'tool-call', id: 'call_2', name: 'mcp__shell__run', arguments: '{}' },
    { type: 'other', format: 'responses', raw: { id: 'w', type: 'web_search_call', status: 'completed' } },
  ])
})

test.each([
  [{ choices: [] }],
  ['text'],
  [null],
  [{ ...reply, status: 'failed', error: { code: 'server_error', message: 'Broken.' } }],
  [{ ...reply, status: 'queued' }],
])('fromReply() refuses what is no complete reply', (body) => {
  expect(() => fromReply(body)).toThrow(expect.objectContaining({ code: 'upstream_error' }))
})
