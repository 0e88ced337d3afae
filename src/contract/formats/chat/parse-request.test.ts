import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../core/errors.ts'
import type { ChatRequest } from '../../chat.ts'
import { parseRequest } from './parse-request.ts'

const USER = { role: 'user', content: 'Hi' }

function parse(fields: Record<string, unknown>): ChatRequest {
  return parseRequest({ model: 'gpt-4o', messages: [USER], ...fields })
}

function fault(body: unknown): { code: string; param: string | undefined } {
  try {
    parseRequest(body)
  } catch (error) {
    if (error instanceof GatewayError) return { code: error.code, param: error.param }
    throw error
  }
  throw new Error('The request was accepted.')
}

describe('parseRequest()', () => {
  it('parseRequest() reads every setting that has a neutral counterpart', () => {
    const request = parse({
      max_completion_tokens: 100,
      temperature: 0.5,
      top_p: 0.9,
      top_k: 40,
      stop: 'END',
      seed: 7,
      n: 2,
      presence_penalty: 0.1,
      frequency_penalty: -0.1,
      logit_bias: { 50256: -100 },
      logprobs: true,
      top_logprobs: 3,
      reasoning_effort: 'high',
      user: 'u-1',
      metadata: { deal: 'D-17' },
      parallel_tool_calls: false,
      stream: true,
      stream_options: { include_usage: true },
    })
    expect(request).toMatchObject({
      model: 'gpt-4o',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
      outputTokensMax: 100,
      temperature: 0.5,
      topP: 0.9,
      topK: 40,
      stop: ['END'],
      seed: 7,
      n: 2,
      presencePenalty: 0.1,
      frequencyPenalty: -0.1,
      logitBias: { 50256: -100 },
      logprobs: true,
      topLogprobs: 3,
      reasoning: { effort: 'high' },
      user: 'u-1',
      metadata: { deal: 'D-17' },
      parallelToolCalls: false,
      stream: true,
      includeUsage: true,
      unmapped: [],
    })
  })

  it('parseRequest() reads null as not given, in every optional field', () => {
    const names = [
      'temperature',
      'tools',
      'tool_choice',
      'stop',
      'n',
      'stream',
      'stream_options',
      'user',
      'thinking',
    ]
    const request = parse(Object.fromEntries(names.map((name) => [name, null])))
    expect(request).toMatchObject({ stream: false, includeUsage: false, unmapped: [] })
    expect(request.temperature).toBeUndefined()
    expect(request.tools).toBeUndefined()
  })

  it('parseRequest() lists what only OpenAI knows as unmapped, nested fields by their path', () => {
    const request = parse({
      service_tier: 'flex',
      store: true,
      stream_options: { include_obfuscation: false },
      messages: [
        { ...USER, content: [{ type: 'text', text: 'Hi', prompt_cache_breakpoint: { mode: 'explicit' } }] },
      ],
      tools: [{ type: 'custom', custom: { name: 'sql' } }],
      tool_choice: { type: 'allowed_tools', allowed_tools: { mode: 'auto', tools: [] } },
    })
    expect(request.unmapped.map(({ path }) => path)).toEqual([
      'service_tier',
      'store',
      'messages[0].content[0].prompt_cache_breakpoint',
      'tools[0]',
      'tool_choice.allowed_tools',
      'stream_options.include_obfuscation',
    ])
    expect(request.toolChoice).toEqual({ type: 'auto' })
  })

  it('parseRequest() shows usage only to callers of a stream who asked', () => {
    expect(parse({ stream: true }).includeUsage).toBe(false)
    expect(parse({ stream: true, stream_options: { include_usage: false } }).includeUsage).toBe(false)
    expect(parse({ stream_options: { include_usage: true } }).includeUsage).toBe(false)
  })

  it('parseRequest() reads every kind of content part', () => {
    const request = parse({
      messages: [
        {
          role: 'user',
          name: 'ann',
          content: [
            { type: 'text', text: 'Look', cache_control: { type: 'ephemeral' } },
            { type: 'image_url', image_url: { url: 'https://example.org/a.png', detail: 'low' } },
            { type: 'image_url', image_url: { url: 'data:image/png;base64,iVBOR' } },
            { type: 'image_url', image_url: { url: 'data:text/plain,a%20b' } },
            { type: 'input_audio', input_audio: { data: 'UklG', format: 'mp3' } },
            { type: 'file', file: { file_id: 'file-1' } },
            { type: 'file', file: { file_data: 'data:application/pdf;base64,JVBE', filename: 'a.pdf' } },
            { type: 'file', file: { file_data: 'JVBE', filename: 'b.PDF' } },
            { type: 'video_url', video_url: { url: 'https://example.org/v.mp4' } },
          ],
        },
      ],
    })
    expect(request.messages).toEqual([
      {
        role: 'user',
        name: 'ann',
        content: [
          { type: 'text', text: 'Look', cacheControl: { type: 'ephemeral' } },
          { type: 'image', source: { kind: 'url', url: 'https://example.org/a.png' }, detail: 'low' },
          { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'iVBOR' } },
          { type: 'image', source: { kind: 'base64', mediaType: 'text/plain', data: 'YSBi' } },
          {
            type: 'audio',
            source: { kind: 'base64', mediaType: 'audio/mpeg', data: 'UklG' },
            encoding: 'mp3',
          },
          { type: 'file', source: { kind: 'file', id: 'file-1' } },
          {
            type: 'file',
            source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' },
            name: 'a.pdf',
          },
          {
            type: 'file',
            source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' },
            name: 'b.PDF',
          },
          {
            type: 'other',
            format: 'chat',
            raw: { type: 'video_url', video_url: { url: 'https://example.org/v.mp4' } },
          },
        ],
      },
    ])
  })

  it('parseRequest() reads a conversation with tools, thoughts and refusals', () => {
    const { messages } = parse({
      messages: [
        { role: 'developer', content: 'Be brief.' },
        USER,
        {
          role: 'assistant',
          content: null,
          reasoning_content: 'Ask the tool.',
          tool_calls: [
            {
              id: 'c1',
              type: 'function',
              function: { name: 'f', arguments: '{"a":1}' },
              extra_content: { google: { thought_signature: 'sig' } },
            },
          ],
        },
        { role: 'tool', tool_call_id: 'c1', content: [{ type: 'text', text: '42' }] },
        { role: 'assistant', content: 'No.', refusal: 'I cannot.' },
      ],
    })
    expect(messages).toEqual([
      { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
      { role: 'user', content: [{ type: 'text', text: 'Hi' }] },
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'Ask the tool.' },
          { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}', signature: 'sig' },
        ],
      },
      {
        role: 'tool',
        content: [{ type: 'tool-result', callId: 'c1', content: [{ type: 'text', text: '42' }] }],
      },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'No.' },
          { type: 'refusal', text: 'I cannot.' },
        ],
      },
    ])
  })

  it('parseRequest() prefers reasoning_details, which keep signatures, to the plain text of a thought', () => {
    const { messages } = parse({
      messages: [
        USER,
        {
          role: 'assistant',
          content: 'x',
          reasoning: 'one two',
          reasoning_details: [
            { type: 'reasoning.text', text: 'one', signature: 's1', index: 0 },
            { type: 'reasoning.summary', summary: 'two', id: 'rs_1', index: 1 },
            { type: 'reasoning.encrypted', data: 'e1', id: 'rs_1', index: 1 },
          ],
        },
      ],
    })
    expect(messages[1]?.content.slice(0, -1)).toEqual([
      { type: 'reasoning', text: 'one', signature: 's1' },
      { type: 'reasoning', text: 'two', id: 'rs_1', encrypted: 'e1' },
    ])
  })

  it('parseRequest() reads tools and the choice among them', () => {
    const tool = { name: 'f', description: 'd', parameters: { type: 'object' }, strict: true }
    const request = parse({
      tools: [{ type: 'function', function: tool }],
      tool_choice: { type: 'function', function: { name: 'f' } },
    })
    expect(request.tools).toEqual([tool])
    expect(request.toolChoice).toEqual({ type: 'tool', name: 'f' })
  })

  it('parseRequest() reads the deprecated functions and pairs each result with its call', () => {
    const request = parse({
      functions: [{ name: 'f', parameters: { type: 'object' } }],
      function_call: { name: 'f' },
      messages: [
        USER,
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: '1' },
        { role: 'assistant', content: null, function_call: { name: 'f', arguments: '{}' } },
        { role: 'function', name: 'f', content: '2' },
      ],
    })
    expect(request.tools).toEqual([{ name: 'f', parameters: { type: 'object' } }])
    expect(request.toolChoice).toEqual({ type: 'tool', name: 'f' })
    const ids = request.messages.flatMap(({ content }) =>
      content.flatMap((part) =>
        part.type === 'tool-call' ? [part.id] : part.type === 'tool-result' ? [part.callId] : [],
      ),
    )
    expect(ids).toEqual(['call_function_0', 'call_function_0', 'call_function_1', 'call_function_1'])
  })

  it('parseRequest() reads response formats', () => {
    const schema = { type: 'object', properties: {} }
    expect(parse({ response_format: { type: 'text' } }).responseFormat).toEqual({ type: 'text' })
    expect(parse({ response_format: { type: 'json_object' } }).responseFormat).toEqual({ type: 'json' })
    expect(
      parse({ response_format: { type: 'json_schema', json_schema: { name: 'a', schema, strict: true } } })
        .responseFormat,
    ).toEqual({ type: 'json-schema', name: 'a', schema, strict: true })
    const odd = parse({ response_format: { type: 'regex', pattern: 'a+' } })
    expect(odd.responseFormat).toBeUndefined()
    expect(odd.unmapped).toEqual([{ path: 'response_format', value: { type: 'regex', pattern: 'a+' } }])
  })

  it.each([
    [{ reasoning: { effort: 'low' } }, { effort: 'low' }],
    [{ reasoning: { max_tokens: 2000 } }, { budgetTokens: 2000 }],
    [{ thinking: { type: 'enabled', budget_tokens: 1024 } }, { budgetTokens: 1024 }],
    [{ thinking: { type: 'disabled' } }, { budgetTokens: 0 }],
  ])('parseRequest() reads %j as a wish to think', (fields, expected) => {
    expect(parse(fields).reasoning).toEqual(expected)
  })

  it('parseRequest() reads -1 as no cap', () => {
    expect(parse({ max_tokens: -1 }).outputTokensMax).toBeUndefined()
  })

  it('parseRequest() takes a request without messages that names a stored prompt', () => {
    expect(parseRequest({ prompt: { variables: { a: 1 } } })).toMatchObject({
      model: '',
      messages: [],
      unmapped: [{ path: 'prompt', value: { variables: { a: 1 } } }],
    })
  })

  it.each([
    ['a string', undefined],
    [null, undefined],
    [[], undefined],
    [{ messages: [USER] }, 'model'],
    [{ model: '', messages: [USER] }, 'model'],
    [{ model: 'm' }, 'messages'],
    [{ model: 'm', messages: [] }, 'messages'],
    [{ model: 'm', messages: 'hi' }, 'messages'],
    [{ model: 'm', messages: [USER, 'hi'] }, 'messages[1]'],
    [{ model: 'm', messages: [{ content: 'hi' }] }, 'messages[0].role'],
    [{ model: 'm', messages: [{ role: 'robot', content: 'hi' }] }, 'messages[0].role'],
    [{ model: 'm', messages: [USER, USER, { role: 'user' }] }, 'messages[2].content'],
    [{ model: 'm', messages: [{ role: 'user', content: 5 }] }, 'messages[0].content'],
    [{ model: 'm', messages: [{ role: 'user', content: [{ text: 'a' }] }] }, 'messages[0].content[0].type'],
    [
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'text' }] }] },
      'messages[0].content[0].text',
    ],
    [
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 1 } }] }] },
      'messages[0].content[0].image_url.url',
    ],
    [
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'image_url', image_url: 'data:x' }] }] },
      'messages[0].content[0].image_url',
    ],
    [
      { model: 'm', messages: [{ role: 'user', content: [{ type: 'file', file: {} }] }] },
      'messages[0].content[0].file.file_data',
    ],
    [{ model: 'm', messages: [{ role: 'tool', content: 'x' }] }, 'messages[0].tool_call_id'],
    [
      {
        model: 'm',
        messages: [{ role: 'assistant', tool_calls: [{ id: 'a', type: 'function', function: {} }] }],
      },
      'messages[0].tool_calls[0].function.name',
    ],
    [
      {
        model: 'm',
        messages: [{ role: 'assistant', tool_calls: [{ id: 'a', function: { name: 'f', arguments: {} } }] }],
      },
      'messages[0].tool_calls[0].function.arguments',
    ],
    [{ model: 'm', messages: [USER], temperature: 'hot' }, 'temperature'],
    [{ model: 'm', messages: [USER], max_tokens: 0 }, 'max_tokens'],
    [{ model: 'm', messages: [USER], max_completion_tokens: 1.5 }, 'max_completion_tokens'],
    [{ model: 'm', messages: [USER], n: 129 }, 'n'],
    [{ model: 'm', messages: [USER], stop: [1] }, 'stop[0]'],
    [{ model: 'm', messages: [USER], stream: 'yes' }, 'stream'],
    [{ model: 'm', messages: [USER], logit_bias: { a: 'x' } }, 'logit_bias.a'],
    [{ model: 'm', messages: [USER], tools: {} }, 'tools'],
    [{ model: 'm', messages: [USER], tools: [{ type: 'function' }] }, 'tools[0].function'],
    [{ model: 'm', messages: [USER], tools: [{ type: 'function', function: {} }] }, 'tools[0].function.name'],
    [{ model: 'm', messages: [USER], tool_choice: 'maybe' }, 'tool_choice'],
    [{ model: 'm', messages: [USER], response_format: 'json' }, 'response_format'],
    [
      { model: 'm', messages: [USER], response_format: { type: 'json_schema', json_schema: {} } },
      'response_format.json_schema.name',
    ],
    [{ model: 'm', messages: [USER], stream_options: true }, 'stream_options'],
  ])('parseRequest() names the field at fault in %j', (body, param) => {
    expect(fault(body)).toEqual({ code: 'invalid_request', param })
  })
})
