import { expect, test } from 'vitest'
import type { ChatRequest, Message } from '../../contract/chat.ts'
import { parseRequest } from '../../contract/formats/responses/parse-request.ts'
import type { ChatTarget } from '../provider.ts'
import { toRequest } from './to-request.ts'

const target: ChatTarget = { model: 'gpt-4o', traits: {} }
const user: Message = { role: 'user', content: [{ type: 'text', text: 'Hi' }] }

function request(fields: Partial<ChatRequest> = {}): ChatRequest {
  return { model: 'alias', messages: [user], stream: false, includeUsage: true, unmapped: [], ...fields }
}

function bodyOf(fields: Partial<ChatRequest>, of: ChatTarget = target): Record<string, unknown> {
  return toRequest(request(fields), of).body
}

test('toRequest() writes the smallest request and stores nothing', () => {
  expect(toRequest(request(), target)).toEqual({
    path: '/responses',
    body: {
      model: 'gpt-4o',
      input: [{ type: 'message', role: 'user', content: [{ type: 'input_text', text: 'Hi' }] }],
      store: false,
    },
    warnings: [],
  })
})

test('toRequest() writes the first system turn as instructions, later ones in place', () => {
  const system = (text: string): Message => ({ role: 'system', content: [{ type: 'text', text }] })
  const body = bodyOf({ messages: [system('One.'), user, system('Two.')] })
  expect(body.instructions).toBe('One.')
  expect(body.input).toMatchObject([{ role: 'user' }, { role: 'developer' }])
  const asSystem = bodyOf(
    { messages: [user, system('Two.')] },
    { model: 'm', traits: { systemRole: 'system' } },
  )
  expect(asSystem.input).toMatchObject([{ role: 'user' }, { role: 'system' }])
})

test('toRequest() writes a turn of the model item by item', () => {
  const messages: Message[] = [
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'hm', encrypted: 'gAAA', id: 'rs_1' },
        { type: 'text', text: 'a' },
        { type: 'tool-call', id: 'c1', name: 'run', arguments: '' },
      ],
    },
    {
      role: 'tool',
      content: [
        { type: 'tool-result', callId: 'c1', content: [{ type: 'text', text: 'done' }] },
        {
          type: 'tool-result',
          callId: 'c2',
          content: [
            { type: 'text', text: 'see' },
            { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AA' } },
          ],
        },
      ],
    },
  ]
  expect(bodyOf({ messages }).input).toEqual([
    {
      type: 'reasoning',
      id: 'rs_1',
      summary: [{ type: 'summary_text', text: 'hm' }],
      encrypted_content: 'gAAA',
    },
    { type: 'message', role: 'assistant', content: [{ type: 'output_text', text: 'a', annotations: [] }] },
    { type: 'function_call', call_id: 'c1', name: 'run', arguments: '{}' },
    { type: 'function_call_output', call_id: 'c1', output: 'done' },
    {
      type: 'function_call_output',
      call_id: 'c2',
      output: [
        { type: 'input_text', text: 'see' },
        { type: 'input_image', detail: 'auto', image_url: 'data:image/png;base64,AA' },
      ],
    },
  ])
})

test.each([
  [{ type: 'reasoning', text: 'hm', signature: 'anthropic' }],
  [{ type: 'reasoning', text: '', encrypted: 'redacted by Anthropic' }],
  [{ type: 'reasoning', text: 'shown only' }],
] as const)('toRequest() leaves out a thought that OpenAI cannot read, with a warning', (part) => {
  const { body, warnings } = toRequest(
    request({ messages: [{ role: 'assistant', content: [part] }] }),
    target,
  )
  expect(body.input).toEqual([])
  expect(warnings.map((warning) => warning.param)).toEqual(['messages[].reasoning'])
})

test('toRequest() asks for encrypted thoughts only where there are some', () => {
  const thinking = { ...target, model: 'o3-pro' }
  expect(bodyOf({}, thinking).include).toEqual(['reasoning.encrypted_content'])
  expect(bodyOf({ reasoning: { effort: 'none' } }, thinking).include).toBeUndefined()
  expect(bodyOf({ reasoning: { effort: 'low' } }).include).toEqual(['reasoning.encrypted_content'])
  expect(bodyOf({ logprobs: true, topLogprobs: 2 })).toMatchObject({
    include: ['message.output_text.logprobs'],
    top_logprobs: 2,
  })
})

test('toRequest() spells tools and formats as this API does', () => {
  const schema = { type: 'object' }
  expect(
    bodyOf({
      tools: [
        { name: 'run', description: 'Runs.', parameters: schema },
        { name: 'bare', strict: true },
      ],
      toolChoice: { type: 'tool', name: 'run' },
      parallelToolCalls: false,
      responseFormat: { type: 'json-schema', name: 'out', schema, strict: true },
      reasoning: { effort: 'high', summary: 'auto' },
      outputTokensMax: 50,
      temperature: 0,
      topP: 1,
      user: 'u1',
      stream: true,
    }),
  ).toMatchObject({
    tools: [
      { type: 'function', name: 'run', description: 'Runs.', parameters: schema, strict: false },
      { type: 'function', name: 'bare', parameters: { type: 'object', properties: {} }, strict: true },
    ],
    tool_choice: { type: 'function', name: 'run' },
    parallel_tool_calls: false,
    text: { format: { type: 'json_schema', name: 'out', schema, strict: true } },
    reasoning: { effort: 'high', summary: 'auto' },
    max_output_tokens: 50,
    temperature: 0,
    top_p: 1,
    user: 'u1',
    stream: true,
  })
})

test.each([
  [0, 'low'],
  [2000, 'low'],
  [8000, 'medium'],
  [32_000, 'high'],
])(
  'toRequest() makes an effort of a thinking budget of %d tokens, with a warning',
  (budgetTokens, effort) => {
    const { body, warnings } = toRequest(request({ reasoning: { budgetTokens } }), target)
    expect(body.reasoning).toEqual({ effort })
    expect(warnings).toHaveLength(1)
  },
)

test.each([
  [{ n: 2 }, 'n'],
  [{ stop: ['END'] }, 'stop'],
  [{ logitBias: { '50256': -100 } }, 'logit_bias'],
])('toRequest() refuses %j', (fields, param) => {
  expect(() => toRequest(request(fields), target)).toThrow(
    expect.objectContaining({ code: 'unsupported_feature', param }),
  )
})

test('toRequest() warns of every setting that it leaves out', () => {
  const { warnings } = toRequest(
    request({
      topK: 5,
      seed: 1,
      presencePenalty: 1,
      frequencyPenalty: 1,
      metadata: { deal: 7, cycle: 'a' },
      unmapped: [{ path: 'prediction', value: {} }],
      messages: [{ ...user, name: 'Ann' }],
    }),
    target,
  )
  expect(warnings.map((warning) => warning.param)).toEqual([
    'messages[].name',
    'metadata.deal',
    'top_k',
    'seed',
    'presence_penalty',
    'frequency_penalty',
    'prediction',
  ])
})

test('toRequest() keeps the fields of Chat that mean the same here', () => {
  const body = bodyOf({
    responseFormat: { type: 'json' },
    unmapped: [
      { path: 'service_tier', value: 'flex' },
      { path: 'verbosity', value: 'low' },
    ],
  })
  expect(body).toMatchObject({
    service_tier: 'flex',
    text: { format: { type: 'json_object' }, verbosity: 'low' },
  })
})

test('toRequest() leaves out what the model refuses, with a warning', () => {
  const of: ChatTarget = { model: 'm', traits: { refuses: ['temperature', 'reasoning.summary', 'top_p'] } }
  const fields = { temperature: 1, reasoning: { effort: 'low', summary: 'auto' } }
  const { body, warnings } = toRequest(request(fields), of)
  expect(body.temperature).toBeUndefined()
  expect(body.reasoning).toEqual({ effort: 'low' })
  expect(warnings.map((warning) => warning.param)).toEqual(['temperature', 'reasoning.summary'])
})

test('toRequest() gives a request of this format back what only this format has', () => {
  const tools = [
    { type: 'function', name: 'run', parameters: { type: 'object', properties: {} }, defer_loading: true },
    { type: 'custom', name: 'apply_patch', format: { type: 'grammar', syntax: 'lark', definition: 'x' } },
    {
      type: 'namespace',
      name: 'mcp__files',
      description: 'Files.',
      tools: [{ type: 'function', name: 'read', parameters: { type: 'object', properties: {} } }],
    },
    { type: 'web_search' },
  ]
  const body = {
    model: 'alias',
    instructions: 'Be brief.',
    previous_response_id: 'resp_1',
    input: [
      { type: 'custom_tool_call', call_id: 'c1', name: 'apply_patch', input: 'x' },
      { type: 'custom_tool_call_output', call_id: 'c1', output: 'ok' },
      { type: 'function_call', call_id: 'c2', name: 'read', namespace: 'mcp__files', arguments: '{}' },
      { type: 'function_call_output', call_id: 'c2', output: 'ok' },
      { type: 'reasoning', summary: [], encrypted_content: 'gAAA' },
      { type: 'web_search_call', id: 'ws_1', status: 'completed' },
      { type: 'computer_call_output', call_id: 'c3', output: { type: 'computer_screenshot' } },
    ],
    tools,
    tool_choice: { type: 'custom', name: 'apply_patch' },
    text: { verbosity: 'low' },
    include: ['file_search_call.results'],
    prompt_cache_key: 'k',
    safety_identifier: 'u1',
  }
  const written = toRequest(parseRequest(body), target)
  expect(written.body).toEqual({ ...body, model: 'gpt-4o', store: false })
  expect(written.warnings).toEqual([])
})
