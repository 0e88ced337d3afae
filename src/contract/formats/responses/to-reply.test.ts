import { expect, test } from 'vitest'
import type { ChatReply, FinishReason, Part } from '../../chat.ts'
import { parseRequest } from './parse-request.ts'
import { responsesFormat } from './responses-format.ts'
import { unseal } from './sealed-reasoning.ts'

const context = { requestId: 'req_1', nowSeconds: 1000 }
const request = parseRequest({
  model: 'm',
  input: 'x',
  instructions: 'Be brief.',
  tools: [
    { type: 'custom', name: 'apply_patch' },
    { type: 'namespace', name: 'mcp__files', description: '', tools: [{ type: 'function', name: 'read' }] },
  ],
  temperature: 0.5,
  metadata: { a: 'b' },
  reasoning: { effort: 'low' },
})

function reply(content: readonly Part[], finishReason: FinishReason = 'stop'): ChatReply {
  return {
    id: 'chatcmpl-1',
    model: 'served',
    createdSeconds: 5,
    choices: [{ index: 0, content, finishReason }],
    usage: { inputTokens: 10, outputTokens: 4, cachedInputTokens: 3, reasoningTokens: 2 },
  }
}

function render(content: readonly Part[], finishReason?: FinishReason): Record<string, unknown> {
  return responsesFormat.toReply(reply(content, finishReason), request, context) as Record<string, unknown>
}

test('toReply() repeats the settings of the request', () => {
  expect(render([{ type: 'text', text: 'Hi' }])).toMatchObject({
    id: 'resp_chatcmpl-1',
    object: 'response',
    created_at: 5,
    status: 'completed',
    error: null,
    incomplete_details: null,
    instructions: 'Be brief.',
    model: 'served',
    temperature: 0.5,
    metadata: { a: 'b' },
    reasoning: { effort: 'low', summary: null },
    tool_choice: 'auto',
    tools: [{ type: 'custom', name: 'apply_patch' }, { type: 'namespace' }],
    store: false,
    usage: {
      input_tokens: 10,
      input_tokens_details: { cached_tokens: 3, cache_write_tokens: 0 },
      output_tokens: 4,
      output_tokens_details: { reasoning_tokens: 2 },
      total_tokens: 14,
    },
    output: [
      {
        type: 'message',
        role: 'assistant',
        status: 'completed',
        content: [{ type: 'output_text', text: 'Hi', annotations: [], logprobs: [] }],
      },
    ],
  })
})

test('toReply() spells tool calls as the caller spelled the tools', () => {
  const output = render([
    { type: 'tool-call', id: 'c1', name: 'apply_patch', arguments: '{"input":"a\\nb"}' },
    { type: 'tool-call', id: 'c2', name: 'mcp__files__read', arguments: '' },
    { type: 'tool-call', id: '', name: 'other', arguments: '{}' },
  ]).output
  expect(output).toMatchObject([
    { type: 'custom_tool_call', call_id: 'c1', name: 'apply_patch', input: 'a\nb' },
    { type: 'function_call', call_id: 'c2', name: 'read', namespace: 'mcp__files', arguments: '{}' },
    { type: 'function_call', call_id: expect.stringMatching(/./), name: 'other' },
  ])
})

test('toReply() keeps the order of thoughts, text, refusals and calls', () => {
  const output = render([
    { type: 'reasoning', text: 'hm', encrypted: 'gAAA', id: 'rs_9' },
    { type: 'text', text: 'a' },
    { type: 'refusal', text: 'b' },
    { type: 'tool-call', id: 'c1', name: 'run', arguments: '{}' },
    { type: 'text', text: 'c' },
  ]).output
  expect(output).toMatchObject([
    {
      type: 'reasoning',
      id: 'rs_9',
      summary: [{ type: 'summary_text', text: 'hm' }],
      encrypted_content: 'gAAA',
    },
    {
      type: 'message',
      content: [
        { type: 'output_text', text: 'a' },
        { type: 'refusal', refusal: 'b' },
      ],
    },
    { type: 'function_call', call_id: 'c1' },
    { type: 'message', content: [{ type: 'output_text', text: 'c' }] },
  ])
})

test('toReply() seals what other providers want back', () => {
  const [thought, callState, call] = render([
    { type: 'reasoning', text: '', signature: 'sig' },
    { type: 'tool-call', id: 'c1', name: 'run', arguments: '{}', signature: 'call-sig' },
  ]).output as Record<string, string>[]
  expect(unseal(thought?.encrypted_content ?? '')).toMatchObject({ signature: 'sig' })
  expect(unseal(callState?.encrypted_content ?? '')).toMatchObject({ signature: 'call-sig', callId: 'c1' })
  expect(call).toMatchObject({ type: 'function_call', call_id: 'c1' })
})

test.each([
  ['length', 'max_output_tokens'],
  ['content-filter', 'content_filter'],
] as const)('toReply() marks a reply that ended by %s as incomplete', (finish, reason) => {
  expect(render([{ type: 'text', text: 'Hal' }], finish)).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason },
    output: [{ type: 'message', status: 'incomplete' }],
  })
})

test('toReply() says null where the usage is unknown, and gives a picture its item', () => {
  const picture: Part = { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } }
  const body = responsesFormat.toReply({ ...reply([picture]), id: '', usage: {} }, request, context)
  expect(body).toMatchObject({
    id: 'resp_req_1',
    usage: null,
    output: [{ type: 'image_generation_call', status: 'completed', result: 'AAAA' }],
  })
})
