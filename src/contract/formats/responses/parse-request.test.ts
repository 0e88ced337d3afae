import { expect, test } from 'vitest'
import type { ChatRequest } from '../../chat.ts'
import { parseRequest } from './parse-request.ts'
import { requireTranslatable } from './responses-request.ts'
import { seal } from './sealed-reasoning.ts'

function parse(body: object): ChatRequest {
  return parseRequest({ model: 'm', ...body })
}

test('parseRequest() reads a text as one turn of the user, after the instructions', () => {
  expect(parse({ input: 'Hi', instructions: 'Be brief.' }).messages).toEqual([
    { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
    { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
  ])
})

test('parseRequest() reads every kind of content', () => {
  const content = [
    { type: 'input_text', text: 'look' },
    { type: 'input_image', image_url: 'https://x.test/a.png', detail: 'high' },
    { type: 'input_image', image_url: 'data:image/png;base64,AAAA', detail: 'auto' },
    { type: 'input_image', file_id: 'file_1' },
    { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,BBBB' },
    { type: 'input_file', file_url: 'https://x.test/b.pdf' },
    { type: 'input_audio', input_audio: { data: 'CCCC', format: 'mp3' } },
    { type: 'input_video', url: 'x' },
  ]
  expect(parse({ input: [{ role: 'user', content }] }).messages[0]?.content).toEqual([
    { type: 'text', text: 'look' },
    { type: 'image', source: { kind: 'url', url: 'https://x.test/a.png' }, detail: 'high' },
    { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AAAA' } },
    { type: 'image', source: { kind: 'file', id: 'file_1' } },
    {
      type: 'file',
      source: { kind: 'base64', mediaType: 'application/pdf', data: 'BBBB' },
      name: 'a.pdf',
    },
    { type: 'file', source: { kind: 'url', url: 'https://x.test/b.pdf' } },
    { type: 'audio', source: { kind: 'base64', mediaType: 'audio/mpeg', data: 'CCCC' }, encoding: 'mp3' },
    { type: 'other', format: 'responses', raw: { type: 'input_video', url: 'x' } },
  ])
})

test('parseRequest() reads the items of one turn of the model as one message, and results as one turn', () => {
  const { messages } = parse({
    input: [
      { type: 'message', role: 'developer', content: 'Rules.' },
      { role: 'user', content: 'Go' },
      {
        type: 'reasoning',
        id: 'rs_1',
        summary: [
          { type: 'summary_text', text: 'a' },
          { type: 'summary_text', text: 'b' },
        ],
        encrypted_content: 'gAAA',
      },
      { type: 'message', role: 'assistant', id: 'msg_1', content: [{ type: 'output_text', text: 'Ok' }] },
      { type: 'function_call', call_id: 'c1', name: 'run', arguments: '{"a":1}' },
      { type: 'custom_tool_call', call_id: 'c2', name: 'apply_patch', input: 'x "y"' },
      { type: 'function_call_output', call_id: 'c1', output: 'done' },
      { type: 'custom_tool_call_output', call_id: 'c2', output: [{ type: 'input_text', text: 'patched' }] },
      { type: 'message', role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] },
    ],
  })
  expect(messages).toEqual([
    { role: 'system', content: [{ type: 'text', text: 'Rules.' }] },
    { role: 'user', content: [{ type: 'text', text: 'Go' }] },
    {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'a\n\nb', encrypted: 'gAAA', id: 'rs_1' },
        { type: 'text', text: 'Ok' },
        { type: 'tool-call', id: 'c1', name: 'run', arguments: '{"a":1}' },
        { type: 'tool-call', id: 'c2', name: 'apply_patch', arguments: '{"input":"x \\"y\\""}' },
      ],
    },
    {
      role: 'tool',
      content: [
        { type: 'tool-result', callId: 'c1', content: [{ type: 'text', text: 'done' }] },
        { type: 'tool-result', callId: 'c2', content: [{ type: 'text', text: 'patched' }] },
      ],
    },
    { role: 'assistant', content: [{ type: 'refusal', text: 'No.' }] },
  ])
})

test('parseRequest() opens what was sealed for another provider', () => {
  const { messages } = parse({
    input: [
      {
        type: 'reasoning',
        id: 'rs_x',
        summary: [{ type: 'summary_text', text: 'hm' }],
        encrypted_content: seal({ signature: 'sig', id: 'gatehouse_rs_x' }),
      },
      {
        type: 'reasoning',
        summary: [],
        encrypted_content: seal({ signature: 'call-sig', callId: 'c1' }),
      },
      { type: 'function_call', call_id: 'c1', name: 'run', arguments: '{}' },
    ],
  })
  expect(messages[0]?.content).toEqual([
    { type: 'reasoning', text: 'hm', signature: 'sig', id: 'gatehouse_rs_x' },
    { type: 'tool-call', id: 'c1', name: 'run', arguments: '{}', signature: 'call-sig' },
  ])
})

test('parseRequest() reads every setting that the neutral model has', () => {
  const schema = { type: 'object' }
  expect(
    parse({
      input: 'x',
      tool_choice: 'required',
      parallel_tool_calls: false,
      text: { format: { type: 'json_schema', name: 'out', schema, strict: true }, verbosity: 'low' },
      reasoning: { effort: 'high', summary: 'auto' },
      max_output_tokens: 100,
      temperature: 0,
      top_p: 0.5,
      top_logprobs: 3,
      include: ['reasoning.encrypted_content', 'message.output_text.logprobs', 'file_search_call.results'],
      store: false,
      metadata: { deal: 'D-17' },
      safety_identifier: 'u1',
      stream: true,
      service_tier: 'flex',
      truncation: 'disabled',
      client_metadata: { a: 'b' },
    }),
  ).toMatchObject({
    toolChoice: { type: 'required' },
    parallelToolCalls: false,
    responseFormat: { type: 'json-schema', name: 'out', schema, strict: true },
    reasoning: { effort: 'high', summary: 'auto' },
    outputTokensMax: 100,
    temperature: 0,
    topP: 0.5,
    logprobs: true,
    topLogprobs: 3,
    metadata: { deal: 'D-17' },
    user: 'u1',
    stream: true,
    includeUsage: true,
    unmapped: [
      { path: 'service_tier', value: 'flex' },
      { path: 'client_metadata', value: { a: 'b' } },
      { path: 'text.verbosity', value: 'low' },
      { path: 'include', value: ['file_search_call.results'] },
    ],
  })
})

const TOOLS = [
  { type: 'function', name: 'run', description: 'Runs.', parameters: { type: 'object' }, strict: false },
  {
    type: 'custom',
    name: 'apply_patch',
    description: 'Patches.',
    format: { type: 'grammar', syntax: 'lark', definition: 'start: x' },
  },
  {
    type: 'namespace',
    name: 'mcp__files',
    description: 'Files.',
    tools: [{ type: 'function', name: 'read', parameters: null, defer_loading: true }],
  },
]

test('parseRequest() makes functions of custom and namespaced tools and says what that loses', () => {
  const request = parse({ input: 'x', tools: TOOLS, tool_choice: { type: 'custom', name: 'apply_patch' } })
  expect(request.tools).toEqual([
    { name: 'run', description: 'Runs.', parameters: { type: 'object' }, strict: false },
    {
      name: 'apply_patch',
      description: 'Patches.',
      parameters: expect.objectContaining({ required: ['input'] }),
    },
    { name: 'mcp__files__read' },
  ])
  expect(request.toolChoice).toEqual({ type: 'tool', name: 'apply_patch' })
  expect(request.unmapped.map((field) => field.path)).toEqual([
    'tools[1].format',
    'tools[2].description',
    'tools[2].tools[0].defer_loading',
  ])
  expect(() => requireTranslatable(request)).not.toThrow()
})

test('parseRequest() offers only the tools that the choice allows', () => {
  const request = parse({
    input: 'x',
    tools: TOOLS,
    tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'read' }] },
  })
  expect(request.tools?.map((tool) => tool.name)).toEqual(['mcp__files__read'])
  expect(request.toolChoice).toEqual({ type: 'required' })
})

test('parseRequest() takes tools that come with the input', () => {
  const input = [
    { type: 'additional_tools', role: 'developer', tools: TOOLS },
    { role: 'user', content: 'x' },
  ]
  const request = parse({ input })
  expect(request.tools).toHaveLength(3)
  expect(request.messages).toHaveLength(1)
})

test.each([
  [{ tools: [{ type: 'web_search' }] }, 'tools[0]'],
  [{ tools: [{ type: 'mcp', server_label: 'x' }] }, 'tools[0]'],
  [{ tool_choice: { type: 'file_search' } }, 'tool_choice'],
  [{ previous_response_id: 'resp_1' }, 'previous_response_id'],
  [{ conversation: { id: 'conv_1' } }, 'conversation'],
  [{ prompt: { id: 'pmpt_1' } }, 'prompt'],
  [{ background: true }, 'background'],
  [{ text: { format: { type: 'grammar' } } }, 'text.format'],
  [{ input: [{ type: 'item_reference', id: 'msg_1' }] }, 'input'],
  [{ input: [{ id: 'msg_1' }] }, 'input'],
  [{ input: [{ type: 'compaction', encrypted_content: 'x' }] }, 'input'],
  [{ input: [{ type: 'computer_call_output', call_id: 'c', output: {} }] }, 'input'],
  [{ input: [{ role: 'user', content: [{ type: 'input_video', url: 'x' }] }] }, 'input'],
])('requireTranslatable() refuses %j, which parseRequest() accepts', (body, param) => {
  const request = parse({ input: 'x', ...body })
  expect(() => requireTranslatable(request)).toThrow(
    expect.objectContaining({ code: 'unsupported_feature', param }),
  )
})

test('requireTranslatable() accepts records of searches, defaults and our own prompt variables', () => {
  const request = parse({
    input: [
      { type: 'web_search_call', id: 'ws_1', status: 'completed' },
      { role: 'user', content: 'x' },
    ],
    background: false,
    prompt: { variables: { name: 'x' } },
    service_tier: 'flex',
  })
  expect(() => requireTranslatable(request)).not.toThrow()
})

test.each([
  [{}, 'input'],
  [{ model: '', input: 'x' }, 'model'],
  [{ model: 5, input: 'x' }, 'model'],
  [{ input: 7 }, 'input'],
  [{ input: ['x'] }, 'input[0]'],
  [{ input: [{ role: 'robot', content: 'x' }] }, 'input[0].role'],
  [{ input: [{ role: 'user' }] }, 'input[0].content'],
  [{ input: [{ role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text'],
  [{ input: [{ role: 'user', content: [{ type: 'input_image' }] }] }, 'input[0].content[0]'],
  [{ input: [{ type: 'function_call', name: 'x', arguments: '' }] }, 'input[0].call_id'],
  [{ input: [{ type: 'function_call_output', call_id: 'c' }] }, 'input[0].output'],
  [{ input: 'x', tools: [{ type: 'function' }] }, 'tools[0].name'],
  [{ input: 'x', tools: {} }, 'tools'],
  [{ input: 'x', temperature: 'hot' }, 'temperature'],
  [{ input: 'x', max_output_tokens: 0 }, 'max_output_tokens'],
  [{ input: 'x', stream: 'yes' }, 'stream'],
  [{ input: 'x', text: { format: { type: 'json_schema', name: 'n' } } }, 'text.format.schema'],
  [{ input: 'x', tool_choice: 'maybe' }, 'tool_choice'],
])('parseRequest() names the field at fault in %j', (body, param) => {
  expect(() => parse(body)).toThrow(expect.objectContaining({ code: 'invalid_request', param }))
})

test('parseRequest() refuses a body that is no object', () => {
  expect(() => parseRequest([])).toThrow(expect.objectContaining({ code: 'invalid_request' }))
})

test('parseRequest() treats null as not given', () => {
  const request = parse({
    input: 'x',
    tools: null,
    temperature: null,
    reasoning: null,
    metadata: null,
    user: null,
  })
  expect(request.unmapped).toEqual([])
  expect(Object.keys(request).toSorted()).toEqual([
    'includeUsage',
    'messages',
    'model',
    'responses',
    'stream',
    'unmapped',
  ])
})
