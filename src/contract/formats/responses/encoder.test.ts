import OpenAI from 'openai'
import { expect, test } from 'vitest'
import { SseFramer } from '../../../core/sse.ts'
import type { ChatRequest, StreamEvent } from '../../chat.ts'
import { parseRequest } from './parse-request.ts'
import { responsesFormat } from './responses-format.ts'
import { unseal } from './sealed-reasoning.ts'

const context = { requestId: 'req_1', nowSeconds: 1000 }
const request = parseRequest({
  model: 'm',
  input: 'x',
  stream: true,
  tools: [
    { type: 'function', name: 'run', parameters: {}, strict: false },
    { type: 'custom', name: 'apply_patch' },
    { type: 'namespace', name: 'mcp__files', description: '', tools: [{ type: 'function', name: 'read' }] },
  ],
})
const start: StreamEvent = { type: 'reply-start', id: 'chatcmpl-1', model: 'served', createdSeconds: 5 }
const usage: StreamEvent = { type: 'usage-report', usage: { inputTokens: 10, outputTokens: 4 } }
const end: readonly StreamEvent[] = [
  usage,
  { type: 'choice-finish', choice: 0, reason: 'stop' },
  { type: 'reply-end' },
]

function text(delta: string): StreamEvent {
  return { type: 'text-delta', choice: 0, text: delta }
}

function call(index: number, name: string, ...pieces: readonly string[]): StreamEvent[] {
  return [
    { type: 'tool-call-start', choice: 0, index, id: `call_${index}`, name },
    ...pieces.map((piece) => ({ type: 'tool-call-delta', choice: 0, index, arguments: piece }) as const),
  ]
}

function encode(events: readonly StreamEvent[], of: ChatRequest = request): string {
  const encoder = responsesFormat.createEncoder(of, context)
  return events.map((event) => encoder.encode(event)).join('')
}

interface WireEvent extends Record<string, unknown> {
  readonly type: string
  readonly sequence_number: number
}

function frames(encoded: string): WireEvent[] {
  return new SseFramer()
    .push(new TextEncoder().encode(encoded))
    .filter((frame) => frame.data !== undefined)
    .map((frame) => {
      const event: WireEvent = JSON.parse(frame.data ?? '')
      expect(frame.event).toBe(event.type)
      return event
    })
}

function types(encoded: string): string[] {
  return frames(encoded).map((event) => event.type)
}

/** What the official SDK makes of the stream; it checks ids, indexes and the order of events as it goes. */
async function accumulate(encoded: string): Promise<OpenAI.Responses.Response> {
  const client = new OpenAI({
    apiKey: 'k',
    baseURL: 'http://gatehouse.test/v1',
    maxRetries: 0,
    fetch: async () => new Response(encoded, { headers: { 'content-type': 'text/event-stream' } }),
  })
  return await client.responses.stream({ model: 'm', input: 'x' }).finalResponse()
}

const FINAL = ['response.completed', 'response.incomplete', 'response.failed']

function finals(encoded: string): string[] {
  return types(encoded).filter((type) => FINAL.includes(type))
}

test('encode() writes the whole sequence of a text', () => {
  const encoded = encode([start, text('Hel'), text('lo'), ...end])
  expect(types(encoded)).toEqual([
    'response.created',
    'response.in_progress',
    'response.output_item.added',
    'response.content_part.added',
    'response.output_text.delta',
    'response.output_text.delta',
    'response.output_text.done',
    'response.content_part.done',
    'response.output_item.done',
    'response.completed',
  ])
  expect(frames(encoded).map((event) => event.sequence_number)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
})

test('encode() gives the official SDK text, thought, refusal and calls', async () => {
  const encoded = encode([
    start,
    { type: 'reasoning-delta', choice: 0, text: 'Let me ' },
    { type: 'reasoning-delta', choice: 0, text: 'see.' },
    { type: 'reasoning-end', choice: 0, signature: 'sig' },
    text('Grüße '),
    text('👋🏽'),
    { type: 'refusal-delta', choice: 0, text: 'but no' },
    ...call(0, 'run', '{"a"', ':1}'),
    ...call(1, 'apply_patch', '{"input":"*** Be', 'gin\\n+\\"q\\""}'),
    ...call(2, 'mcp__files__read'),
    text('after'),
    ...end,
  ])
  const response = await accumulate(encoded)
  expect(response).toMatchObject({ id: 'resp_chatcmpl-1', status: 'completed', model: 'served' })
  expect(response.output_text).toBe('Grüße 👋🏽after')
  expect(response.usage).toMatchObject({ input_tokens: 10, output_tokens: 4, total_tokens: 14 })
  expect(response.output).toMatchObject([
    { type: 'reasoning', summary: [{ type: 'summary_text', text: 'Let me see.' }] },
    {
      type: 'message',
      content: [
        { type: 'output_text', text: 'Grüße 👋🏽' },
        { type: 'refusal', refusal: 'but no' },
      ],
    },
    { type: 'function_call', call_id: 'call_0', name: 'run', arguments: '{"a":1}', status: 'completed' },
    { type: 'custom_tool_call', call_id: 'call_1', name: 'apply_patch', input: '*** Begin\n+"q"' },
    { type: 'function_call', call_id: 'call_2', name: 'read', namespace: 'mcp__files', arguments: '{}' },
    { type: 'message', content: [{ type: 'output_text', text: 'after' }] },
  ])
  const thought = response.output[0]
  expect(unseal(thought?.type === 'reasoning' ? (thought.encrypted_content ?? '') : '')).toMatchObject({
    signature: 'sig',
  })
})

test('encode() declares done exactly what it streamed', () => {
  const encoded = encode([
    start,
    ...call(0, 'run', '{"a":', '1}'),
    ...call(1, 'apply_patch', '{"input":"one', '\\ntwo"}'),
    ...call(2, 'run'),
    ...end,
  ])
  const events = frames(encoded)
  for (const index of [0, 1, 2]) {
    const own = events.filter((event) => event.output_index === index)
    const streamed = own.map((event) => (event.type.endsWith('.delta') ? event.delta : '')).join('')
    const done = own.find((event) => /(arguments|input)\.done$/.test(event.type))
    expect(streamed).toBe(done?.arguments ?? done?.input)
    expect(own.at(-1)?.type).toBe('response.output_item.done')
  }
})

test('encode() streams a custom tool while it is written', () => {
  const encoder = responsesFormat.createEncoder(request, context)
  encoder.encode(start)
  const pieces = call(0, 'apply_patch', '{"input":"*** Begin', ' Patch').map((event) => encoder.encode(event))
  expect(frames(pieces[1] ?? '')).toMatchObject([
    { type: 'response.custom_tool_call_input.delta', delta: '*** Begin' },
  ])
  expect(frames(pieces[2] ?? '')).toMatchObject([
    { type: 'response.custom_tool_call_input.delta', delta: ' Patch' },
  ])
})

test('encode() keeps calls apart that are written side by side', async () => {
  const [first, ...firstPieces] = call(0, 'run', '{"a":', '1}')
  const [second, ...secondPieces] = call(1, 'run', '{"b":', '2}')
  const mixed = [first, second, firstPieces[0], secondPieces[0], firstPieces[1], secondPieces[1]]
  const events = mixed.filter((event) => event !== undefined)
  const response = await accumulate(encode([start, ...events, ...end]))
  expect(response.output).toMatchObject([{ arguments: '{"a":1}' }, { arguments: '{"b":2}' }])
})

test('encode() gives two calls with one id two ids', async () => {
  const twice: StreamEvent[] = [0, 1].map((index) => ({
    type: 'tool-call-start',
    choice: 0,
    index,
    id: 'same',
    name: 'run',
  }))
  const response = await accumulate(encode([start, ...twice, ...end]))
  const ids = response.output.map((item) => (item.type === 'function_call' ? item.call_id : ''))
  expect(new Set(ids).size).toBe(2)
  expect(ids[0]).toBe('same')
})

test.each([
  ['length', 'max_output_tokens'],
  ['content-filter', 'content_filter'],
] as const)('encode() ends a reply that ended by %s in response.incomplete', async (reason, wire) => {
  const finish: StreamEvent = { type: 'choice-finish', choice: 0, reason }
  const encoded = encode([start, text('Hal'), ...call(0, 'run', '{"a'), usage, finish, { type: 'reply-end' }])
  expect(finals(encoded)).toEqual(['response.incomplete'])
  expect(await accumulate(encoded)).toMatchObject({
    status: 'incomplete',
    incomplete_details: { reason: wire },
    output: [{ status: 'completed' }, { status: 'incomplete', arguments: '{"a' }],
  })
})

const failure: StreamEvent = {
  type: 'error',
  error: { code: 'upstream_error', type: 'upstream_error', message: 'It broke.' },
}

test.each<[string, readonly StreamEvent[]]>([
  ['at once', []],
  ['after the start', [start]],
  ['in a text', [start, text('Hal')]],
  ['in a thought', [start, { type: 'reasoning-delta', choice: 0, text: 'Hm' }]],
  ['in calls', [start, ...call(0, 'run', '{"a'), ...call(1, 'apply_patch', '{"input":"x')]],
  ['after the finish', [start, text('All'), { type: 'choice-finish', choice: 0, reason: 'stop' }]],
])('encode() ends a stream that breaks %s in response.failed and nothing else', async (_when, events) => {
  const encoded = encode([...events, failure, text('late'), ...end])
  expect(finals(encoded)).toEqual(['response.failed'])
  expect(types(encoded).at(-1)).toBe('response.failed')
  expect(types(encoded)[0]).toBe('response.created')
  expect(await accumulate(encoded)).toMatchObject({
    status: 'failed',
    error: { code: 'upstream_error', message: 'It broke.' },
  })
})

test.each([
  ['budget_exhausted', 'insufficient_quota', 'insufficient_quota'],
  ['requests_per_minute_exceeded', 'rate_limit_error', 'rate_limit_exceeded'],
  ['content_blocked', 'content_policy', 'invalid_prompt'],
  ['context_length_exceeded', 'invalid_request_error', 'context_length_exceeded'],
])('encode() spells %s as Codex knows it', (code, type, wire) => {
  const encoded = encode([start, { type: 'error', error: { code, type, message: 'No.' } }])
  expect(frames(encoded).at(-1)).toMatchObject({ response: { error: { code: wire, message: 'No.' } } })
})

test('encode() writes nothing after the end', () => {
  const encoded = encode([start, text('Hi'), ...end, failure, ...end])
  expect(finals(encoded)).toEqual(['response.completed'])
  expect(types(encoded).at(-1)).toBe('response.completed')
})

test('encode() repeats the items in the last event as they were declared done', () => {
  const events = frames(
    encode([
      start,
      { type: 'reasoning-delta', choice: 0, text: 'Hm' },
      text('Hi'),
      ...call(0, 'run', '{}'),
      ...call(1, 'apply_patch', '{"input":"x"}'),
      ...end,
    ]),
  )
  const items = events
    .filter((event) => event.type === 'response.output_item.done')
    .map((event) => event.item)
  const final = events.at(-1)?.response as { output: unknown[] }
  expect(items).toHaveLength(4)
  expect(final.output).toEqual(items)
})

test('encode() takes the start of a second target as the same reply', async () => {
  const again: StreamEvent = { ...start, id: 'other', model: 'second' }
  const response = await accumulate(encode([start, text('one '), again, text('two'), ...end]))
  expect(response).toMatchObject({ id: 'resp_chatcmpl-1', output_text: 'one two' })
})

test('encode() writes log probabilities where the SDK finds them', async () => {
  const entry = { token: 'Hi', logprob: -0.5, bytes: [72, 105], top_logprobs: [] }
  const delta: StreamEvent = { type: 'text-delta', choice: 0, text: 'Hi', logprobs: { content: [entry] } }
  const response = await accumulate(encode([start, delta, ...end]))
  expect(response.output).toMatchObject([{ content: [{ text: 'Hi', logprobs: [entry] }] }])
})

test('encode() puts the signature of a call in front of it', async () => {
  const signed: StreamEvent = {
    type: 'tool-call-start',
    choice: 0,
    index: 0,
    id: 'c',
    name: 'run',
    signature: 's',
  }
  const response = await accumulate(encode([start, signed, ...end]))
  const [state, called] = response.output
  const sealed = state?.type === 'reasoning' ? state.encrypted_content : undefined
  expect(unseal(sealed ?? '')).toMatchObject({ signature: 's', callId: 'c' })
  expect(called).toMatchObject({ type: 'function_call', call_id: 'c' })
})

test('encode() answers a ping with a comment and ignores what has no place', () => {
  const encoder = responsesFormat.createEncoder(request, context)
  expect(encoder.encode({ type: 'ping' })).toBe(responsesFormat.heartbeat)
  expect(encoder.encode({ type: 'other', format: 'chat', raw: {} })).toBe('')
  expect(encoder.encode({ type: 'text-delta', choice: 1, text: 'second answer' })).toBe('')
  expect(encoder.encode(text(''))).toBe('')
})

test('encode() completes a reply without any content', async () => {
  const response = await accumulate(encode([start, text(''), ...end]))
  expect(response).toMatchObject({ status: 'completed', output: [] })
})
