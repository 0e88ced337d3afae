import { describe, expect, it } from 'vitest'
import type { ChatRequest, Message, Part } from '../../contract/chat.ts'
import { GatewayError } from '../../core/errors.ts'
import type { WireRequest } from '../provider.ts'
import { toRequest } from './to-request.ts'
import type { CompatibleTraits } from './traits.ts'

const USER: Message = { role: 'user', content: [{ type: 'text', text: 'Hi' }] }

function write(fields: Partial<ChatRequest> = {}, traits: CompatibleTraits = {}): WireRequest {
  const request: ChatRequest = {
    model: 'asked',
    messages: [USER],
    stream: false,
    includeUsage: false,
    unmapped: [],
    ...fields,
  }
  return toRequest(request, { model: 'm', traits })
}

function writeParts(role: Message['role'], content: readonly Part[], traits?: CompatibleTraits): WireRequest {
  return write({ messages: [{ role, content }] }, traits)
}

function fault(action: () => unknown): { code: string; param: string | undefined } {
  try {
    action()
  } catch (error) {
    if (error instanceof GatewayError) return { code: error.code, param: error.param }
    throw error
  }
  throw new Error('Nothing was refused.')
}

function warned(request: WireRequest): string[] {
  return request.warnings.map(({ param }) => param)
}

describe('toRequest()', () => {
  it('toRequest() writes the least that a server has to take', () => {
    expect(write()).toEqual({
      path: '/chat/completions',
      body: { model: 'm', messages: [{ role: 'user', content: 'Hi' }] },
      warnings: [],
    })
  })

  it('toRequest() always asks for the usage of a stream, where the provider knows how', () => {
    expect(write({ stream: true }).body).toMatchObject({
      stream: true,
      stream_options: { include_usage: true },
    })
    expect(write({ stream: true }, { streamOptions: false }).body).not.toHaveProperty('stream_options')
    expect(write().body).not.toHaveProperty('stream_options')
  })

  it('toRequest() names the cap, the seed, the forced choice and the system role as the provider does', () => {
    const { body } = write(
      {
        messages: [{ role: 'system', content: [{ type: 'text', text: 'S' }] }, USER],
        outputTokensMax: 5,
        seed: 1,
        tools: [{ name: 'f' }],
        toolChoice: { type: 'required' },
      },
      {
        outputCapField: 'max_completion_tokens',
        renames: { seed: 'random_seed' },
        toolChoiceRequired: 'any',
        systemRole: 'developer',
      },
    )
    expect(body).toMatchObject({
      max_completion_tokens: 5,
      random_seed: 1,
      tool_choice: 'any',
      messages: [{ role: 'developer' }, { role: 'user' }],
    })
    expect(body).not.toHaveProperty('seed')
    expect(body).not.toHaveProperty('max_tokens')
  })

  it('toRequest() leaves out what a provider refuses, with one warning each', () => {
    const request = write(
      {
        temperature: 0.2,
        user: 'u',
        messages: [
          { ...USER, name: 'ann' },
          { ...USER, name: 'bob' },
        ],
      },
      { refuses: ['temperature', 'user', 'messages.name', 'seed'] },
    )
    expect(request.body).toEqual({
      model: 'm',
      messages: [
        { role: 'user', content: 'Hi' },
        { role: 'user', content: 'Hi' },
      ],
    })
    expect(warned(request)).toEqual(['temperature', 'user', 'messages.name'])
  })

  it.each([
    ['n', { n: 2 }],
    ['stop', { stop: ['x'] }],
    ['logprobs', { logprobs: true }],
    ['tools', { tools: [{ name: 'f' }] }],
    ['tool_choice.forced', { tools: [{ name: 'f' }], toolChoice: { type: 'tool', name: 'f' } }],
    ['response_format', { responseFormat: { type: 'json' } }],
    ['response_format.json_object', { responseFormat: { type: 'json' } }],
    ['response_format.json_schema', { responseFormat: { type: 'json-schema', name: 'a', schema: {} } }],
  ] as [string, Partial<ChatRequest>][])(
    'toRequest() refuses what would change the answer where the provider has no %s',
    (field, fields) => {
      expect(fault(() => write(fields, { refuses: [field] }))).toEqual({
        code: 'unsupported_feature',
        param: field.split('.')[0],
      })
    },
  )

  it('toRequest() sends what does not force, though forcing is refused', () => {
    const { body } = write(
      { tools: [{ name: 'f' }], toolChoice: { type: 'auto' }, responseFormat: { type: 'json' }, n: 1 },
      { refuses: ['tool_choice.forced', 'response_format.json_schema', 'n'] },
    )
    expect(body).toMatchObject({ tool_choice: 'auto', response_format: { type: 'json_object' } })
  })

  it('toRequest() sends no choice of tools without tools', () => {
    const { body } = write({ tools: [], toolChoice: { type: 'auto' }, parallelToolCalls: true })
    expect(Object.keys(body)).toEqual(['model', 'messages'])
  })

  it.each([
    [{ effort: 'high' }, {}, { reasoning_effort: 'high' }],
    [{ budgetTokens: 0 }, {}, { reasoning_effort: 'none' }],
    [{ budgetTokens: 2048 }, {}, { reasoning_effort: 'low' }],
    [{ budgetTokens: 4000 }, {}, { reasoning_effort: 'medium' }],
    [{ budgetTokens: 30_000 }, {}, { reasoning_effort: 'high' }],
    [{ budgetTokens: 30_000 }, { reasoningRequest: 'object' }, { reasoning: { max_tokens: 30_000 } }],
    [{ effort: 'low' }, { reasoningRequest: 'object' }, { reasoning: { effort: 'low' } }],
    [{ effort: 'low' }, { reasoningRequest: 'toggle' }, { thinking: { type: 'enabled' } }],
    [{ effort: 'none' }, { reasoningRequest: 'toggle' }, { thinking: { type: 'disabled' } }],
    [
      { effort: 'low' },
      { reasoningRequest: 'toggle-and-effort' },
      { thinking: { type: 'enabled' }, reasoning_effort: 'low' },
    ],
    [{ effort: 'low' }, { reasoningRequest: 'budget' }, { enable_thinking: true }],
    [{ budgetTokens: 9 }, { reasoningRequest: 'budget' }, { enable_thinking: true, thinking_budget: 9 }],
    [{ budgetTokens: 0 }, { reasoningRequest: 'budget' }, { enable_thinking: false }],
    [{ effort: 'low' }, { reasoningRequest: 'none' }, {}],
    [{ summary: 'auto' }, {}, {}],
  ] as [ChatRequest['reasoning'], CompatibleTraits, object][])(
    'toRequest() asks for thinking %j with %j by %j',
    (reasoning, traits, expected) => {
      const { model: _model, messages: _messages, ...rest } = write({ reasoning }, traits).body
      expect(rest).toEqual(expected)
    },
  )

  it('toRequest() says when a budget became an effort or a wish was left out', () => {
    expect(warned(write({ reasoning: { budgetTokens: 500 } }))).toEqual(['reasoning'])
    expect(warned(write({ reasoning: { effort: 'low' } }, { reasoningRequest: 'none' }))).toEqual([
      'reasoning_effort',
    ])
    expect(warned(write({ topK: 5 }))).toEqual(['top_k'])
  })

  it('toRequest() warns about every field of the caller that has no counterpart', () => {
    const request = write({ unmapped: [{ path: 'service_tier', value: 'flex' }] })
    expect(request.body).not.toHaveProperty('service_tier')
    expect(warned(request)).toEqual(['service_tier'])
  })

  it('toRequest() keeps metadata, which is ours, to itself', () => {
    expect(write({ metadata: { deal: 'D' } }).body).not.toHaveProperty('metadata')
  })

  it('toRequest() joins texts only where a provider takes no parts', () => {
    const parts: Part[] = [
      { type: 'text', text: 'a' },
      { type: 'text', text: 'b' },
    ]
    expect(writeParts('user', parts).body.messages).toMatchObject([
      {
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ])
    expect(writeParts('user', parts, { plainText: true }).body.messages).toMatchObject([
      { content: 'a\n\nb' },
    ])
  })

  it('toRequest() passes the marks of a prompt cache on, or warns once', () => {
    const marked: Part[] = [
      { type: 'text', text: 'a', cacheControl: { type: 'ephemeral' } },
      { type: 'text', text: 'b', cacheControl: { type: 'ephemeral' } },
    ]
    const kept = writeParts('user', marked, { cacheControl: true })
    expect(JSON.stringify(kept.body)).toContain('"cache_control":{"type":"ephemeral"}')
    expect(kept.warnings).toEqual([])
    const dropped = writeParts('user', marked)
    expect(JSON.stringify(dropped.body)).not.toContain('cache_control')
    expect(warned(dropped)).toEqual(['cache_control'])
    expect(warned(writeParts('user', marked.slice(0, 1)))).toEqual(['cache_control'])
  })

  it.each([
    [{ type: 'image', source: { kind: 'file', id: 'f' } }],
    [{ type: 'audio', source: { kind: 'url', url: 'https://example.org' } }],
    [{ type: 'file', source: { kind: 'url', url: 'https://example.org' } }],
  ] as Part[][])('toRequest() refuses %j, which the format cannot hold', (part) => {
    expect(fault(() => writeParts('user', [part as Part]))).toEqual({
      code: 'unsupported_feature',
      param: 'messages[0].content[0]',
    })
  })

  it('toRequest() sends a file of plain text as text', () => {
    const data = Buffer.from('Grüße').toString('base64')
    const file: Part = {
      type: 'file',
      name: 'a.txt',
      source: { kind: 'base64', mediaType: 'text/plain', data },
    }
    expect(writeParts('user', [file]).body.messages).toMatchObject([
      { content: [{ type: 'text', text: 'a.txt\n\nGrüße' }] },
    ])
  })

  it('toRequest() leaves parts of other formats out with a warning, and sends its own as they were', () => {
    const video = { type: 'video_url', video_url: { url: 'u' } }
    const request = writeParts('user', [
      { type: 'text', text: 'a' },
      { type: 'other', format: 'messages', raw: { type: 'search_result' } },
      { type: 'other', format: 'chat', raw: video },
    ])
    expect(request.body.messages).toEqual([{ role: 'user', content: [{ type: 'text', text: 'a' }, video] }])
    expect(warned(request)).toEqual(['messages[0].content[1]'])
  })

  it.each([
    ['reasoning_content', { reasoning_content: 'Hm.' }],
    ['reasoning', { reasoning: 'Hm.' }],
    [
      'reasoning_details',
      { reasoning_details: [{ type: 'reasoning.text', text: 'Hm.', signature: 's', index: 0 }] },
    ],
  ] as const)('toRequest() hands thoughts back in %s', (reasoningField, fields) => {
    const parts: Part[] = [
      { type: 'reasoning', text: 'Hm.', signature: 's' },
      { type: 'text', text: 'a' },
    ]
    const request = writeParts('assistant', parts, { reasoningField })
    expect(request.body.messages).toEqual([{ role: 'assistant', content: 'a', ...fields }])
    expect(request.warnings).toEqual([])
  })

  it('toRequest() leaves thoughts out where nobody takes them, with one warning', () => {
    const turn: Message = {
      role: 'assistant',
      content: [
        { type: 'reasoning', text: 'Hm.' },
        { type: 'text', text: 'a' },
      ],
    }
    const request = write({ messages: [turn, USER, turn] })
    expect(JSON.stringify(request.body)).not.toContain('Hm.')
    expect(warned(request)).toEqual(['messages'])
  })

  it('toRequest() gives a call and its result the same id where the provider wants another form', () => {
    const messages: Message[] = [
      { role: 'assistant', content: [{ type: 'tool-call', id: 'toolu_01abc', name: 'f', arguments: '' }] },
      {
        role: 'tool',
        content: [{ type: 'tool-result', callId: 'toolu_01abc', content: [{ type: 'text', text: '1' }] }],
      },
    ]
    const { body } = write({ messages }, { toolCallIdLength: 9 })
    const [call, result] = body.messages as [{ tool_calls: { id: string }[] }, { tool_call_id: string }]
    expect(result.tool_call_id).toMatch(/^[A-Za-z0-9]{9}$/)
    expect(call).toEqual({
      role: 'assistant',
      content: null,
      tool_calls: [{ id: result.tool_call_id, type: 'function', function: { name: 'f', arguments: '{}' } }],
    })
  })

  it('toRequest() writes one message per result, and pictures of results behind the last of them', () => {
    const image: Part = { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'aa' } }
    const request = write({
      messages: [
        {
          role: 'tool',
          content: [
            { type: 'tool-result', callId: 'c1', content: [{ type: 'text', text: 'one' }, image] },
            {
              type: 'tool-result',
              callId: 'c2',
              content: [{ type: 'text', text: 'no disk' }],
              isError: true,
            },
          ],
        },
        USER,
      ],
    })
    expect(request.body.messages).toEqual([
      { role: 'tool', tool_call_id: 'c1', content: 'one' },
      { role: 'tool', tool_call_id: 'c2', content: 'Error: no disk' },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'Images from the result of tool call c1:' },
          { type: 'image_url', image_url: { url: 'data:image/png;base64,aa' } },
        ],
      },
      { role: 'user', content: 'Hi' },
    ])
    expect(warned(request)).toEqual(['messages'])
  })
})
