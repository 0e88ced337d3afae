import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../core/errors.ts'
import { parseCountTokensRequest, parseMessagesRequest, toCountTokensReply } from './parse-request.ts'

const USER = { role: 'user', content: 'hi' }
const BASE = { model: 'm', max_tokens: 10, messages: [USER] }

function errorOf(body: unknown): GatewayError {
  try {
    parseMessagesRequest(body)
  } catch (error) {
    if (error instanceof GatewayError) return error
    throw error
  }
  throw new Error('nothing was thrown')
}

describe('parseMessagesRequest()', () => {
  it('reads settings into the neutral model', () => {
    const request = parseMessagesRequest({
      ...BASE,
      temperature: 0,
      top_p: 0.9,
      top_k: 40,
      stop_sequences: ['END'],
      stream: true,
      metadata: { user_id: 'u-1' },
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
      tools: [
        {
          name: 'f',
          description: 'd',
          input_schema: { type: 'object' },
          cache_control: { type: 'ephemeral' },
        },
      ],
    })
    expect(request).toEqual({
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      outputTokensMax: 10,
      temperature: 0,
      topP: 0.9,
      topK: 40,
      stop: ['END'],
      stream: true,
      includeUsage: true,
      user: 'u-1',
      toolChoice: { type: 'required' },
      parallelToolCalls: false,
      tools: [
        {
          name: 'f',
          description: 'd',
          parameters: { type: 'object' },
          cacheControl: { type: 'ephemeral' },
        },
      ],
      unmapped: [],
    })
  })

  it('keeps the system blocks and their cache marks in order', () => {
    const { messages } = parseMessagesRequest({
      ...BASE,
      system: [
        { type: 'text', text: 'a', cache_control: { type: 'ephemeral', ttl: '1h' } },
        { type: 'text', text: 'b', cache_control: null },
      ],
    })
    expect(messages[0]).toEqual({
      role: 'system',
      content: [
        { type: 'text', text: 'a', cacheControl: { type: 'ephemeral', ttl: '1h' } },
        { type: 'text', text: 'b' },
      ],
    })
  })

  it('splits a user turn into results first and words after', () => {
    const { messages } = parseMessagesRequest({
      ...BASE,
      messages: [
        USER,
        { role: 'assistant', content: [{ type: 'tool_use', id: 't1', name: 'f', input: { a: 1 } }] },
        {
          role: 'user',
          content: [
            { type: 'text', text: 'and?' },
            {
              type: 'tool_result',
              tool_use_id: 't1',
              is_error: true,
              content: [
                { type: 'text', text: 'no' },
                { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AA==' } },
              ],
            },
            { type: 'tool_result', tool_use_id: 't2', content: 'plain' },
            { type: 'tool_result', tool_use_id: 't3' },
          ],
        },
      ],
    })
    expect(messages.slice(1)).toEqual([
      { role: 'assistant', content: [{ type: 'tool-call', id: 't1', name: 'f', arguments: '{"a":1}' }] },
      {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            callId: 't1',
            isError: true,
            content: [
              { type: 'text', text: 'no' },
              { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AA==' } },
            ],
          },
          { type: 'tool-result', callId: 't2', content: [{ type: 'text', text: 'plain' }] },
          { type: 'tool-result', callId: 't3', content: [] },
        ],
      },
      { role: 'user', content: [{ type: 'text', text: 'and?' }] },
    ])
  })

  it('reads every source of images and documents', () => {
    const { messages, unmapped } = parseMessagesRequest({
      ...BASE,
      messages: [
        {
          role: 'user',
          content: [
            { type: 'image', source: { type: 'url', url: 'https://x/y.png' } },
            { type: 'image', source: { type: 'file', file_id: 'file_1' } },
            {
              type: 'document',
              title: 'T',
              context: 'C',
              citations: { enabled: true },
              source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
            },
            {
              type: 'document',
              title: 'N',
              source: { type: 'text', media_type: 'text/plain', data: 'body' },
            },
            { type: 'document', source: { type: 'content', content: [{ type: 'text', text: 'piece' }] } },
          ],
        },
      ],
    })
    expect(messages[0]?.content).toEqual([
      { type: 'image', source: { kind: 'url', url: 'https://x/y.png' } },
      { type: 'image', source: { kind: 'file', id: 'file_1' } },
      { type: 'text', text: 'C' },
      { type: 'file', name: 'T', source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' } },
      { type: 'text', text: 'N\n\nbody' },
      { type: 'text', text: 'piece' },
    ])
    expect(unmapped).toEqual([{ path: 'messages[0].content[2].citations', value: { enabled: true } }])
  })

  it('reads thoughts, and what it has no word for', () => {
    const search = { type: 'server_tool_use', id: 's', name: 'web_search', input: {} }
    const { messages } = parseMessagesRequest({
      ...BASE,
      messages: [
        USER,
        {
          role: 'assistant',
          content: [
            { type: 'thinking', thinking: 'hm', signature: 'sig' },
            { type: 'redacted_thinking', data: 'xx' },
            search,
          ],
        },
        { role: 'system', content: 'from now on' },
      ],
    })
    expect(messages.slice(1)).toEqual([
      {
        role: 'assistant',
        content: [
          { type: 'reasoning', text: 'hm', signature: 'sig' },
          { type: 'reasoning', text: '', encrypted: 'xx' },
          { type: 'other', format: 'messages', raw: search },
        ],
      },
      { role: 'system', content: [{ type: 'text', text: 'from now on' }] },
    ])
  })

  it.each([
    [{ thinking: { type: 'enabled', budget_tokens: 2048 } }, { budgetTokens: 2048, summary: 'auto' }, []],
    [{ thinking: { type: 'disabled' } }, { budgetTokens: 0 }, []],
    [{ thinking: { type: 'between_tools' } }, { budgetTokens: 0 }, []],
    [{ thinking: { type: 'adaptive' } }, {}, []],
    [
      { thinking: { type: 'adaptive', display: 'summarized' }, output_config: { effort: 'low' } },
      { effort: 'low', summary: 'auto' },
      [],
    ],
    [
      { thinking: { type: 'adaptive', display: 'omitted' } },
      {},
      [{ path: 'thinking.display', value: 'omitted' }],
    ],
    [
      { output_config: { effort: 'max' } },
      { effort: 'xhigh' },
      [{ path: 'output_config.effort', value: 'max' }],
    ],
    [
      { thinking: { type: 'disabled' }, output_config: { effort: 'low' } },
      { budgetTokens: 0 },
      [{ path: 'output_config.effort', value: 'low' }],
    ],
  ])('reads %j', (fields, reasoning, unmapped) => {
    const request = parseMessagesRequest({ ...BASE, ...fields })
    expect(request.reasoning).toEqual(reasoning)
    expect(request.unmapped).toEqual(unmapped)
  })

  it.each([
    [{ output_config: { format: { type: 'json_schema', schema: { type: 'object' } } } }],
    [{ output_format: { type: 'json_schema', schema: { type: 'object' } } }],
  ])('reads the format of %j', (fields) => {
    const format = { type: 'json-schema', name: 'output', schema: { type: 'object' }, strict: true }
    expect(parseMessagesRequest({ ...BASE, ...fields }).responseFormat).toEqual(format)
  })

  it('lists what the neutral model does not carry', () => {
    const search = { type: 'web_search_20250305', name: 'web_search', max_uses: 2 }
    const { tools, unmapped } = parseMessagesRequest({
      ...BASE,
      service_tier: 'auto',
      container: null,
      metadata: { user_id: 'u', other: 1 },
      tools: [search, { type: 'custom', name: 'f', input_schema: {}, defer_loading: true }],
    })
    expect(tools).toEqual([{ name: 'f', parameters: {} }])
    expect(unmapped).toEqual([
      { path: 'service_tier', value: 'auto' },
      { path: 'tools[0]', value: search },
      { path: 'tools[1].defer_loading', value: true },
      { path: 'metadata.other', value: 1 },
    ])
  })

  it.each([
    [null, 'body'],
    [{ ...BASE, max_tokens: undefined }, 'max_tokens'],
    [{ ...BASE, max_tokens: 1.5 }, 'max_tokens'],
    [{ ...BASE, model: 3 }, 'model'],
    [{ ...BASE, messages: [] }, 'messages'],
    [{ ...BASE, messages: [{ role: 'developer', content: 'x' }] }, 'messages[0].role'],
    [{ ...BASE, messages: [{ role: 'user' }] }, 'messages[0].content'],
    [
      { ...BASE, messages: [USER, { role: 'user', content: [{ text: 'x' }] }] },
      'messages[1].content[0].type',
    ],
    [
      { ...BASE, messages: [{ role: 'user', content: [{ type: 'text', text: 1 }] }] },
      'messages[0].content[0].text',
    ],
    [
      { ...BASE, messages: [{ role: 'user', content: [{ type: 'image', source: { type: 'ftp' } }] }] },
      'messages[0].content[0].source.type',
    ],
    [{ ...BASE, system: [{ type: 'image' }] }, 'system[0].type'],
    [{ ...BASE, tools: [{ name: 'f' }] }, 'tools[0].input_schema'],
    [{ ...BASE, tool_choice: { type: 'required' } }, 'tool_choice.type'],
    [{ ...BASE, thinking: { type: 'enabled' } }, 'thinking.budget_tokens'],
    [{ ...BASE, stop_sequences: 'END' }, 'stop_sequences'],
    [{ ...BASE, temperature: 'hot' }, 'temperature'],
    [{ ...BASE, stream: 'yes' }, 'stream'],
  ])('names the field at fault in %j', (body, param) => {
    const error = errorOf(body)
    expect([error.code, error.param]).toEqual(['invalid_request', param])
    expect(error.message).toContain(param)
  })
})

describe('parseCountTokensRequest()', () => {
  it('needs no max_tokens', () => {
    const request = parseCountTokensRequest({ model: 'm', system: 's', messages: [USER] })
    expect(request.outputTokensMax).toBeUndefined()
    expect(request.messages).toHaveLength(2)
  })
})

describe('toCountTokensReply()', () => {
  it('has the shape that the SDK reads', () => {
    expect(toCountTokensReply(42)).toEqual({ input_tokens: 42 })
  })
})
