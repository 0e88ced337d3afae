import { describe, expect, it } from 'vitest'
import type { ChatRequest, Message, Part } from '../../contract/chat.ts'
import { call, FORCED, request, TEXT, target, USER, warned, write } from './fixtures/write-request.ts'
import { toMessagesRequest, toTokenCountRequest } from './to-request.ts'

function conversation(messages: readonly Message[], model = 'claude-sonnet-4-5') {
  return write({ messages }, model).body.messages
}

describe('toMessagesRequest()', () => {
  it('writes the least request with the cap of the row', () => {
    const { path, body, warnings } = write({})
    expect([path, warnings]).toEqual(['/messages', []])
    expect(body).toEqual({
      model: 'claude-sonnet-4-5',
      max_tokens: 16_384,
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
    })
  })

  it('writes the settings that the API shares', () => {
    const { body, warnings } = write({
      outputTokensMax: 99,
      temperature: 0.3,
      topK: 7,
      stop: ['END'],
      user: 'u-1',
      stream: true,
      tools: [{ name: 'f', description: 'd', parameters: { type: 'object', properties: { a: {} } } }],
      toolChoice: { type: 'tool', name: 'f' },
      parallelToolCalls: false,
    })
    expect(warnings).toEqual([])
    expect(body).toMatchObject({
      max_tokens: 99,
      temperature: 0.3,
      top_k: 7,
      stop_sequences: ['END'],
      metadata: { user_id: 'u-1' },
      stream: true,
      tools: [{ name: 'f', description: 'd', input_schema: { type: 'object', properties: { a: {} } } }],
      tool_choice: { type: 'tool', name: 'f', disable_parallel_tool_use: true },
    })
  })

  it('gathers leading system messages, their cache marks kept', () => {
    const { body } = write({
      messages: [
        { role: 'system', content: [{ ...TEXT, cacheControl: { type: 'ephemeral' } }] },
        { role: 'system', content: [{ type: 'text', text: 'two' }] },
        USER,
      ],
    })
    expect(body.system).toEqual([
      { type: 'text', text: 'hi', cache_control: { type: 'ephemeral' } },
      { type: 'text', text: 'two' },
    ])
    expect(body.messages).toHaveLength(1)
  })

  it('sends a conversation of system messages alone as a user turn', () => {
    const wire = write({ messages: [{ role: 'system', content: [TEXT] }] })
    expect(wire.body.system).toBeUndefined()
    expect(wire.body.messages).toEqual([{ role: 'user', content: [{ type: 'text', text: 'hi' }] }])
    expect(warned(wire)).toEqual(['messages'])
  })

  it('keeps a system message in its place where the model knows such turns', () => {
    const messages: Message[] = [USER, { role: 'system', content: [{ type: 'text', text: 'now' }] }]
    expect(conversation(messages, 'claude-opus-4-8')).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      { role: 'system', content: [{ type: 'text', text: 'now' }] },
    ])
    const wire = write({ messages })
    expect(wire.body.messages).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'hi' },
          { type: 'text', text: '<system>\nnow\n</system>' },
        ],
      },
    ])
    expect(warned(wire)).toEqual(['messages[1]'])
  })

  it('merges turns of one role and puts results of tools first', () => {
    const turns = conversation([
      USER,
      { role: 'assistant', content: [TEXT] },
      { role: 'assistant', content: [call('a'), call('b')] },
      { role: 'system', content: [{ type: 'text', text: 'be brief' }] },
      { role: 'tool', content: [{ type: 'tool-result', callId: 'a', content: [TEXT], isError: true }] },
      { role: 'tool', content: [{ type: 'tool-result', callId: 'b', content: [] }] },
      { role: 'user', content: [{ type: 'text', text: 'so?' }] },
    ])
    expect(turns).toEqual([
      { role: 'user', content: [{ type: 'text', text: 'hi' }] },
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'hi' },
          { type: 'tool_use', id: 'a', name: 'f', input: {} },
          { type: 'tool_use', id: 'b', name: 'f', input: {} },
        ],
      },
      {
        role: 'user',
        content: [
          { type: 'tool_result', tool_use_id: 'a', content: [{ type: 'text', text: 'hi' }], is_error: true },
          { type: 'tool_result', tool_use_id: 'b' },
          { type: 'text', text: '<system>\nbe brief\n</system>' },
          { type: 'text', text: 'so?' },
        ],
      },
    ])
  })

  it('leaves out empty texts and the turns that have nothing else', () => {
    const empty: Part = { type: 'text', text: '' }
    expect(
      conversation([USER, { role: 'assistant', content: [empty] }, { role: 'user', content: [empty, TEXT] }]),
    ).toEqual([
      {
        role: 'user',
        content: [
          { type: 'text', text: 'hi' },
          { type: 'text', text: 'hi' },
        ],
      },
    ])
  })

  it('maps ids that the API refuses, the same in call and result', () => {
    const turns = conversation([
      USER,
      { role: 'assistant', content: [call('call:1'), call('call.1'), call('')] },
      { role: 'tool', content: [{ type: 'tool-result', callId: 'call:1', content: [] }] },
    ]) as { content: { id?: string; tool_use_id?: string }[] }[]
    const ids = turns[1]?.content.map((block) => block.id) ?? []
    for (const id of ids) expect(id).toMatch(/^[a-zA-Z0-9_-]+$/)
    expect(new Set(ids).size).toBe(3)
    expect(turns[2]?.content[0]?.tool_use_id).toBe(ids[0])
  })

  it('writes images, documents and text files', () => {
    const content: Part[] = [
      { type: 'image', source: { kind: 'url', url: 'https://x/y.png' } },
      { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'AA==' } },
      { type: 'file', name: 'a.pdf', source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' } },
      {
        type: 'file',
        source: {
          kind: 'base64',
          mediaType: 'text/plain; charset=utf-8',
          data: Buffer.from('käse').toString('base64'),
        },
      },
      { type: 'file', source: { kind: 'file', id: 'file_1' } },
    ]
    expect(conversation([{ role: 'user', content }])).toEqual([
      {
        role: 'user',
        content: [
          { type: 'image', source: { type: 'url', url: 'https://x/y.png' } },
          { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AA==' } },
          {
            type: 'document',
            source: { type: 'base64', media_type: 'application/pdf', data: 'JVBE' },
            title: 'a.pdf',
          },
          { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'käse' } },
          { type: 'document', source: { type: 'file', file_id: 'file_1' } },
        ],
      },
    ])
  })

  it('sends back thoughts of its own and no others', () => {
    const wire = write({
      messages: [
        USER,
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'own', signature: 's' },
            { type: 'reasoning', text: '', encrypted: 'xx' },
            { type: 'reasoning', text: 'openai', encrypted: 'yy', id: 'rs_1' },
            { type: 'reasoning', text: 'unsigned' },
            TEXT,
          ],
        },
        USER,
      ],
    })
    expect((wire.body.messages as { content: unknown }[])[1]?.content).toEqual([
      { type: 'thinking', thinking: 'own', signature: 's' },
      { type: 'redacted_thinking', data: 'xx' },
      { type: 'text', text: 'hi' },
    ])
    expect(warned(wire)).toEqual(['messages[1]', 'messages[1]'])
  })

  it('lets a model continue a turn that ends in white space', () => {
    const wire = write({
      messages: [USER, { role: 'assistant', content: [{ type: 'text', text: 'So: \n' }] }],
    })
    expect(wire.body.messages).toMatchObject([{}, { role: 'assistant', content: [{ text: 'So:' }] }])
    expect(warned(wire)).toEqual(['messages'])
  })

  it('warns of what the API does not know and cannot be harmed by', () => {
    const wire = write({
      seed: 1,
      presencePenalty: 0.5,
      frequencyPenalty: 0.5,
      logitBias: { '1': 2 },
      logprobs: true,
      topLogprobs: 2,
      stop: ['\n', 'END'],
      unmapped: [{ path: 'store', value: true }],
    })
    expect(warned(wire)).toEqual([
      'store',
      'stop',
      'seed',
      'presence_penalty',
      'frequency_penalty',
      'logit_bias',
      'logprobs',
      'top_logprobs',
    ])
    expect(Object.keys(wire.body)).toEqual(['model', 'max_tokens', 'messages', 'stop_sequences'])
    expect(warned(write({ presencePenalty: 0, logprobs: false, n: 1, metadata: { deal: 'D' } }))).toEqual([])
  })

  it.each([
    [{ n: 2 }, 'claude-sonnet-4-5', 'n'],
    [
      {
        messages: [
          {
            role: 'user',
            content: [{ type: 'audio', source: { kind: 'base64', mediaType: 'audio/wav', data: '' } }],
          },
        ],
      },
      'claude-sonnet-4-5',
      'messages[0]',
    ],
    [
      {
        messages: [
          {
            role: 'user',
            content: [{ type: 'file', source: { kind: 'base64', mediaType: 'application/zip', data: '' } }],
          },
        ],
      },
      'claude-sonnet-4-5',
      'messages[0]',
    ],
    [{ messages: [USER, { role: 'assistant', content: [TEXT] }] }, 'claude-opus-4-6', 'messages'],
    [{ tools: [{ name: 'a.b' }] }, 'claude-sonnet-4-5', 'tools[0].name'],
    [FORCED, 'claude-opus-5-5', 'tool_choice'],
    [
      {
        responseFormat: {
          type: 'json-schema',
          name: 'o',
          schema: { type: 'object', additionalProperties: true },
        },
      },
      'claude-opus-5-5',
      'response_format',
    ],
  ] satisfies [Partial<ChatRequest>, string, string][])('refuses %j for %s', (fields, model, param) => {
    expect(() => write(fields, model)).toThrow(
      expect.objectContaining({ code: 'unsupported_feature', param }),
    )
  })

  it('leaves out what the row refuses', () => {
    const traits = { refuses: ['top_k', 'metadata'] }
    const wire = toMessagesRequest(request({ topK: 1, user: 'u' }), { model: 'kimi', traits })
    expect(Object.keys(wire.body)).toEqual(['model', 'max_tokens', 'messages'])
    expect(warned(wire)).toEqual(['top_k', 'metadata'])
  })
})

describe('toTokenCountRequest()', () => {
  it('sends the same input, without what only matters to an answer', () => {
    const counted = request({
      messages: [{ role: 'system', content: [TEXT] }, USER],
      tools: [{ name: 'f' }],
      temperature: 0.1,
      stop: ['x'],
      stream: true,
    })
    const { path, body } = toTokenCountRequest(counted, target('claude-sonnet-4-5'))
    expect(path).toBe('/messages/count_tokens')
    expect(body).toEqual({
      model: 'claude-sonnet-4-5',
      system: [{ type: 'text', text: 'hi' }],
      messages: [{ role: 'user', content: [{ type: 'text', text: 'hi' }] }],
      tools: [{ name: 'f', input_schema: { type: 'object', properties: {} } }],
    })
  })
})
