import { describe, expect, it } from 'vitest'
import type { ChatRequest, Message, Part } from '../../contract/chat.ts'
import { GatewayError } from '../../core/errors.ts'
import { traitsOf } from '../provider-kind.ts'
import { googleKind } from './kind.ts'
import { toRequest } from './to-request.ts'

const BASE: ChatRequest = {
  model: 'chat',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
  stream: false,
  includeUsage: true,
  unmapped: [],
}

function write(change: Partial<ChatRequest>, model = 'gemini-3.8-flash') {
  return toRequest({ ...BASE, ...change }, { model, traits: traitsOf(googleKind, model) })
}

function user(...content: Part[]): Message {
  return { role: 'user', content }
}

function codeOf(action: () => unknown): string {
  try {
    action()
  } catch (error) {
    if (error instanceof GatewayError) return error.code
    throw error
  }
  return 'none'
}

describe('toRequest()', () => {
  it('names model and method in the path', () => {
    expect(write({}).path).toBe('/models/gemini-3.8-flash:generateContent')
    expect(write({ stream: true }).path).toBe('/models/gemini-3.8-flash:streamGenerateContent?alt=sse')
    expect(write({}, 'models/gemini-2.5-pro').path).toBe('/models/gemini-2.5-pro:generateContent')
    expect(write({}, 'tunedModels/mine').path).toBe('/tunedModels/mine:generateContent')
    expect(write({}, 'a/../b?x').path).toBe('/models/a%2F..%2Fb%3Fx:generateContent')
  })

  it('writes the plainest request without anything besides', () => {
    expect(write({})).toEqual({
      path: '/models/gemini-3.8-flash:generateContent',
      body: { contents: [{ role: 'user', parts: [{ text: 'Hi' }] }] },
      warnings: [],
    })
  })

  it('writes the settings of generation', () => {
    const { body, warnings } = write({
      outputTokensMax: 100,
      temperature: 0,
      topP: 0.9,
      topK: 40,
      stop: ['END'],
      seed: 7,
      n: 2,
      presencePenalty: 0.1,
      frequencyPenalty: -0.1,
      logprobs: true,
      topLogprobs: 3,
    })
    expect(body.generationConfig).toEqual({
      maxOutputTokens: 100,
      temperature: 0,
      topP: 0.9,
      topK: 40,
      stopSequences: ['END'],
      seed: 7,
      candidateCount: 2,
      presencePenalty: 0.1,
      frequencyPenalty: -0.1,
      responseLogprobs: true,
      logprobs: 3,
    })
    expect(warnings).toEqual([])
  })

  it('warns about what Gemini has not', () => {
    const { warnings } = write({
      logitBias: { 5: 1 },
      user: 'u',
      metadata: { a: '1' },
      parallelToolCalls: false,
      tools: [{ name: 'f', strict: true }],
      unmapped: [{ path: 'service_tier', value: 'flex' }],
    })
    expect(warnings.map((warning) => warning.param).sort()).toEqual([
      'logit_bias',
      'metadata',
      'parallel_tool_calls',
      'service_tier',
      'tools.strict',
      'user',
    ])
  })

  it('gathers system text before the conversation and says so where it stood later', () => {
    const { body, warnings } = write({
      messages: [
        { role: 'system', content: [{ type: 'text', text: 'One' }] },
        user({ type: 'text', text: 'Hi' }),
        { role: 'system', content: [{ type: 'text', text: 'Two' }] },
      ],
    })
    expect(body.systemInstruction).toEqual({ parts: [{ text: 'One' }, { text: 'Two' }] })
    expect(warnings.map((warning) => warning.param)).toEqual(['messages[2].role'])
  })

  it('sends system text as the user where there is nothing else', () => {
    const { body } = write({ messages: [{ role: 'system', content: [{ type: 'text', text: 'Write.' }] }] })
    expect(body).toEqual({ contents: [{ role: 'user', parts: [{ text: 'Write.' }] }] })
  })

  it('looks the names of results up and puts parallel results into one content', () => {
    const { body } = write(
      {
        messages: [
          user({ type: 'text', text: 'Weather?' }),
          {
            role: 'assistant',
            content: [
              { type: 'text', text: '' },
              {
                type: 'tool-call',
                id: 'a',
                name: 'weather',
                arguments: '{"city":"Bern"}',
                signature: 'c2ln',
              },
              { type: 'tool-call', id: 'b', name: 'now', arguments: '' },
            ],
          },
          {
            role: 'tool',
            content: [{ type: 'tool-result', callId: 'b', content: [{ type: 'text', text: 'noon' }] }],
          },
          {
            role: 'tool',
            content: [
              { type: 'tool-result', callId: 'a', content: [{ type: 'text', text: 'down' }], isError: true },
            ],
          },
        ],
      },
      'gemini-2.5-flash',
    )
    expect(body.contents).toEqual([
      { role: 'user', parts: [{ text: 'Weather?' }] },
      {
        role: 'model',
        parts: [
          { functionCall: { id: 'a', name: 'weather', args: { city: 'Bern' } }, thoughtSignature: 'c2ln' },
          { functionCall: { id: 'b', name: 'now', args: {} } },
        ],
      },
      {
        role: 'user',
        parts: [
          { functionResponse: { id: 'b', name: 'now', response: { output: 'noon' } } },
          { functionResponse: { id: 'a', name: 'weather', response: { error: 'down' } } },
        ],
      },
    ])
  })

  it('sends a result as an object only where nothing of its text is lost', () => {
    const results = ['{"a":1}', '{"a": 1}', '{"id":12345678901234567890}', '[1]', '']
    const { body } = write({
      messages: [
        { role: 'assistant', content: [{ type: 'tool-call', id: 'a', name: 'f', arguments: '{}' }] },
        {
          role: 'tool',
          content: results.map((text) => ({
            type: 'tool-result',
            callId: 'a',
            content: [{ type: 'text', text }],
          })),
        },
      ],
    })
    const contents = body.contents as { parts: { functionResponse: { response: unknown } }[] }[]
    expect(contents[1]?.parts.map((part) => part.functionResponse.response)).toEqual([
      { a: 1 },
      { output: '{"a": 1}' },
      { output: '{"id":12345678901234567890}' },
      { output: '[1]' },
      { output: '' },
    ])
  })

  it('refuses a result of an unknown call', () => {
    const messages: Message[] = [
      { role: 'tool', content: [{ type: 'tool-result', callId: 'x', content: [] }] },
    ]
    expect(codeOf(() => write({ messages }))).toBe('invalid_request')
  })

  it('signs the first call of each answer of this turn for Gemini 3, and none before it or for 2.5', () => {
    const call = (id: string): Part => ({ type: 'tool-call', id, name: 'f', arguments: '{}' })
    const result = (callId: string): Message => ({
      role: 'tool',
      content: [{ type: 'tool-result', callId, content: [{ type: 'text', text: 'ok' }] }],
    })
    const messages: Message[] = [
      user({ type: 'text', text: 'one' }),
      { role: 'assistant', content: [call('old')] },
      result('old'),
      user({ type: 'text', text: 'two' }),
      { role: 'assistant', content: [call('a'), call('b')] },
      result('a'),
      result('b'),
      { role: 'assistant', content: [call('c')] },
      result('c'),
    ]
    const signed = (model: string) =>
      JSON.stringify(write({ messages }, model).body.contents).match(
        /"id":"\w+","name":"f","args":\{\}\},"thoughtSignature":"skip_thought_signature_validator"/g,
      )
    expect(signed('gemini-3.8-flash')?.map((text) => text.slice(6, 7))).toEqual(['a', 'c'])
    expect(signed('gemini-2.5-flash')).toBeNull()
  })

  it('keeps malformed arguments of the past as text', () => {
    const { body, warnings } = write({
      messages: [
        { role: 'assistant', content: [{ type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":' }] },
      ],
    })
    expect(JSON.stringify(body.contents)).toContain('"args":{"arguments":"{\\"x\\":"}')
    expect(warnings).toHaveLength(1)
  })

  it('writes media inline, by address or not at all', () => {
    const { body } = write({
      messages: [
        user(
          { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'iVBO' } },
          { type: 'image', source: { kind: 'url', url: 'data:image/webp;base64,UklG' } },
          { type: 'image', source: { kind: 'url', url: 'https://example.com/a.PNG?x=1' } },
          { type: 'image', source: { kind: 'url', url: 'https://example.com/a' } },
          { type: 'audio', source: { kind: 'base64', mediaType: '', data: 'UklG' }, encoding: 'mp3' },
          {
            type: 'file',
            source: { kind: 'base64', mediaType: 'application/pdf', data: 'JVBE' },
            name: 'a.pdf',
          },
          { type: 'file', source: { kind: 'file', id: 'files/abc' } },
        ),
      ],
    })
    expect((body.contents as { parts: unknown }[])[0]?.parts).toEqual([
      { inlineData: { mimeType: 'image/png', data: 'iVBO' } },
      { inlineData: { mimeType: 'image/webp', data: 'UklG' } },
      { fileData: { mimeType: 'image/png', fileUri: 'https://example.com/a.PNG?x=1' } },
      { fileData: { mimeType: 'image/jpeg', fileUri: 'https://example.com/a' } },
      { inlineData: { mimeType: 'audio/mp3', data: 'UklG' } },
      { inlineData: { mimeType: 'application/pdf', data: 'JVBE' } },
      { fileData: { fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/abc' } },
    ])
    const refused: Part[] = [
      { type: 'file', source: { kind: 'file', id: 'file-abc123' } },
      { type: 'image', source: { kind: 'url', url: 'file:///etc/passwd' } },
    ]
    for (const part of refused)
      expect(codeOf(() => write({ messages: [user(part)] }))).toBe('unsupported_feature')
  })

  it('puts media of a result inside it from Gemini 3 on, beside it before', () => {
    const messages: Message[] = [
      { role: 'assistant', content: [{ type: 'tool-call', id: 'a', name: 'shot', arguments: '{}' }] },
      {
        role: 'tool',
        content: [
          {
            type: 'tool-result',
            callId: 'a',
            content: [
              { type: 'text', text: 'done' },
              { type: 'image', source: { kind: 'base64', mediaType: 'image/png', data: 'iVBO' } },
            ],
          },
        ],
      },
    ]
    const image = { inlineData: { mimeType: 'image/png', data: 'iVBO' } }
    const response = { id: 'a', name: 'shot', response: { output: 'done' } }
    const last = (model: string) =>
      (write({ messages }, model).body.contents as { parts: unknown }[])[1]?.parts
    expect(last('gemini-3.8-flash')).toEqual([{ functionResponse: { ...response, parts: [image] } }])
    expect(last('gemini-2.5-flash')).toEqual([{ functionResponse: response }, image])
  })

  it('sends thoughts back with their signature, and without one that cannot be Gemini’s', () => {
    const content: Part[] = [
      { type: 'reasoning', text: 'Hm.', signature: 'c2ln' },
      { type: 'reasoning', text: 'Ha.', signature: 'not base64!' },
      { type: 'text', text: 'Yes' },
      { type: 'reasoning', text: '', signature: 'dGV4dA==' },
      { type: 'reasoning', text: '', encrypted: 'only OpenAI can read this' },
    ]
    const { body, warnings } = write({ messages: [{ role: 'assistant', content }] })
    expect((body.contents as { parts: unknown }[])[0]?.parts).toEqual([
      { text: 'Hm.', thought: true, thoughtSignature: 'c2ln' },
      { text: 'Ha.', thought: true },
      { text: 'Yes' },
      { text: '', thoughtSignature: 'dGV4dA==' },
    ])
    expect(warnings.map((warning) => warning.param)).toEqual(['messages[0].content[1].signature'])
  })

  it('declares tools in JSON Schema and says which are to be called', () => {
    const parameters = {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      type: 'object',
      properties: { at: { $ref: '#/$defs/At', description: 'where' }, $ref: { type: 'string' } },
      additionalProperties: false,
      $defs: { At: { type: ['string', 'null'] } },
    }
    const tools = [{ name: 'f', description: 'does', parameters }, { name: 'g' }]
    const { body } = write({ tools, toolChoice: { type: 'tool', name: 'f' } })
    expect(body.tools).toEqual([
      {
        functionDeclarations: [
          {
            name: 'f',
            description: 'does',
            parametersJsonSchema: {
              type: 'object',
              properties: {
                at: { description: 'where', anyOf: [{ $ref: '#/$defs/At' }] },
                $ref: { type: 'string' },
              },
              additionalProperties: false,
              $defs: { At: { type: ['string', 'null'] } },
            },
          },
          { name: 'g' },
        ],
      },
    ])
    expect(body.toolConfig).toEqual({ functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } })
    expect(write({ toolChoice: { type: 'none' } }).body).not.toHaveProperty('toolConfig')
  })

  it('moves definitions of older drafts to where Google looks for them', () => {
    const parameters = {
      type: 'object',
      properties: { definitions: { $ref: '#/definitions/A' }, b: { anyOf: [], $ref: '#/definitions/A' } },
      definitions: { A: { type: 'string' } },
    }
    expect(JSON.stringify(write({ tools: [{ name: 'f', parameters }] }).body.tools)).toContain(
      JSON.stringify({
        type: 'object',
        properties: { definitions: { $ref: '#/$defs/A' }, b: { anyOf: [], $ref: '#/$defs/A' } },
        $defs: { A: { type: 'string' } },
      }),
    )
  })

  it('refuses a schema of endless depth', () => {
    let schema: Record<string, unknown> = {}
    for (let depth = 0; depth < 5000; depth++) schema = { items: schema }
    expect(codeOf(() => write({ tools: [{ name: 'f', parameters: schema }] }))).toBe('invalid_request')
  })

  it('asks for JSON by a schema', () => {
    const schema = { type: 'object', properties: { a: { type: 'integer' } } }
    const responseFormat = { type: 'json-schema', name: 'x', description: 'An a.', schema } as const
    expect(write({ responseFormat }).body.generationConfig).toEqual({
      responseMimeType: 'application/json',
      responseJsonSchema: { ...schema, description: 'An a.' },
    })
    expect(write({ responseFormat: { type: 'json' } }).body.generationConfig).toEqual({
      responseMimeType: 'application/json',
    })
  })

  it.each([
    [
      'gemini-3.8-flash',
      { effort: 'high', summary: 'auto' },
      { thinkingLevel: 'HIGH', includeThoughts: true },
      0,
    ],
    ['gemini-3.8-flash', { effort: 'minimal' }, { thinkingLevel: 'LOW' }, 1],
    ['gemini-3.8-flash', { effort: 'none' }, { thinkingLevel: 'LOW' }, 1],
    ['gemini-3.8-flash', { effort: 'xhigh' }, { thinkingLevel: 'HIGH' }, 1],
    ['gemini-3.8-flash', { budgetTokens: 2000 }, { thinkingBudget: 2000 }, 0],
    ['gemini-3.8-flash', { effort: 'low', budgetTokens: 2000 }, { thinkingLevel: 'LOW' }, 0],
    ['gemini-3-flash-preview', { effort: 'minimal' }, { thinkingLevel: 'MINIMAL' }, 0],
    ['gemini-2.5-flash', { effort: 'medium' }, { thinkingBudget: 8192 }, 0],
    ['gemini-2.5-flash', { effort: 'none' }, { thinkingBudget: 0 }, 0],
    ['gemini-2.5-flash', { effort: 'xhigh' }, { thinkingBudget: 24576 }, 1],
    ['gemini-2.5-pro', { budgetTokens: 0 }, { thinkingBudget: 128 }, 1],
    ['gemini-2.0-flash', { effort: 'high' }, undefined, 1],
    ['gemini-2.0-flash', { effort: 'none' }, undefined, 0],
  ])('tells %s to think by %j', (model, reasoning, thinkingConfig, warned) => {
    const { body, warnings } = write({ reasoning }, model)
    expect((body.generationConfig as { thinkingConfig?: unknown } | undefined)?.thinkingConfig).toEqual(
      thinkingConfig,
    )
    expect(warnings).toHaveLength(warned)
  })

  it('leaves out what a model refuses', () => {
    const { body, warnings } = write({ presencePenalty: 1, temperature: 1 }, 'gemini-3.5-flash-lite')
    expect(body.generationConfig).toEqual({ temperature: 1 })
    expect(warnings.map((warning) => warning.param)).toEqual(['generationConfig.presencePenalty'])
  })
})
