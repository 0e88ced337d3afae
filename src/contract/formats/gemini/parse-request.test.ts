import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../core/errors.ts'
import { parseCountTokens, toCountTokensReply } from './count-tokens.ts'
import { parseRequest } from './parse-request.ts'
import { requireTranslatable } from './translatable.ts'

const CONTEXT = { requestId: 'req-1', nowSeconds: 1, pathModel: 'chat', pathStream: false }
const CONTENTS = [{ role: 'user', parts: [{ text: 'Hi' }] }]

function parse(body: unknown) {
  return parseRequest(body, CONTEXT)
}

function paramOf(body: unknown): string | undefined {
  try {
    parse(body)
  } catch (error) {
    if (error instanceof GatewayError && error.code === 'invalid_request') return error.param
    throw error
  }
  return 'accepted'
}

describe('parseRequest()', () => {
  it('takes model and stream from the path', () => {
    expect(parse({ contents: CONTENTS })).toEqual({
      model: 'chat',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Hi' }] }],
      stream: false,
      includeUsage: true,
      unmapped: [],
    })
    const streamed = parseRequest(
      { contents: CONTENTS },
      { ...CONTEXT, pathModel: 'models/x', pathStream: true },
    )
    expect(streamed).toMatchObject({ model: 'x', stream: true })
  })

  it('reads the same from camelCase and snake_case', () => {
    const camel = {
      contents: [
        { role: 'user', parts: [{ inlineData: { mimeType: 'image/png', data: 'iVBO' } }] },
        { role: 'model', parts: [{ functionCall: { name: 'f', args: { a: 1 } }, thoughtSignature: 'c2ln' }] },
        { role: 'user', parts: [{ functionResponse: { name: 'f', response: { output: 'x' } } }] },
      ],
      systemInstruction: { parts: [{ text: 'S' }] },
      generationConfig: {
        maxOutputTokens: 5,
        stopSequences: ['a'],
        thinkingConfig: { thinkingBudget: 9 },
        responseMimeType: 'application/json',
        responseSchema: { type: 'OBJECT', properties: { aB: { type: 'ARRAY', minItems: '1' } } },
      },
      tools: [{ functionDeclarations: [{ name: 'f' }] }],
      toolConfig: { functionCallingConfig: { mode: 'ANY', allowedFunctionNames: ['f'] } },
    }
    const snake = {
      contents: [
        { role: 'user', parts: [{ inline_data: { mime_type: 'image/png', data: 'iVBO' } }] },
        {
          role: 'model',
          parts: [{ function_call: { name: 'f', args: { a: 1 } }, thought_signature: 'c2ln' }],
        },
        { role: 'user', parts: [{ function_response: { name: 'f', response: { output: 'x' } } }] },
      ],
      system_instruction: { parts: [{ text: 'S' }] },
      generation_config: {
        max_output_tokens: 5,
        stop_sequences: ['a'],
        thinking_config: { thinking_budget: 9 },
        response_mime_type: 'application/json',
        response_schema: { type: 'OBJECT', properties: { aB: { type: 'ARRAY', min_items: '1' } } },
      },
      tools: [{ function_declarations: [{ name: 'f' }] }],
      tool_config: { function_calling_config: { mode: 'ANY', allowed_function_names: ['f'] } },
    }
    expect(parse(snake)).toEqual(parse(camel))
    expect(parse(snake).unmapped).toEqual([])
  })

  it('gives calls without an id the same ids each time and finds their results by name and order', () => {
    const body = {
      contents: [
        {
          role: 'model',
          parts: [
            { functionCall: { name: 'f', args: {} } },
            { functionCall: { name: 'g' } },
            { functionCall: { name: 'f', id: 'own' } },
            { functionCall: { name: 'f' } },
          ],
        },
        {
          role: 'user',
          parts: [
            { functionResponse: { name: 'g', response: { error: 'no' } } },
            { functionResponse: { name: 'f', id: 'own', response: { a: 1 } } },
            { functionResponse: { name: 'f', response: { output: { b: 2 } } } },
            { functionResponse: { name: 'f', response: {} } },
            { text: 'and?' },
          ],
        },
      ],
    }
    const { messages } = parse(body)
    expect(messages).toEqual(parse(body).messages)
    expect(messages[0]?.content).toEqual([
      { type: 'tool-call', id: 'call_0', name: 'f', arguments: '{}' },
      { type: 'tool-call', id: 'call_1', name: 'g', arguments: '{}' },
      { type: 'tool-call', id: 'own', name: 'f', arguments: '{}' },
      { type: 'tool-call', id: 'call_2', name: 'f', arguments: '{}' },
    ])
    expect(messages[1]).toEqual({
      role: 'tool',
      content: [
        {
          type: 'tool-result',
          callId: 'call_1',
          name: 'g',
          content: [{ type: 'text', text: 'no' }],
          isError: true,
        },
        { type: 'tool-result', callId: 'own', name: 'f', content: [{ type: 'text', text: '{"a":1}' }] },
        { type: 'tool-result', callId: 'call_0', name: 'f', content: [{ type: 'text', text: '{"b":2}' }] },
        { type: 'tool-result', callId: 'call_2', name: 'f', content: [{ type: 'text', text: '{}' }] },
      ],
    })
    expect(messages[2]).toEqual({ role: 'user', content: [{ type: 'text', text: 'and?' }] })
  })

  it('takes the text out of every shape that a result has in the clients', () => {
    const textOf = (response: unknown) => {
      const { messages } = parse({
        contents: [
          { role: 'model', parts: [{ functionCall: { name: 'f' } }] },
          { role: 'user', parts: [{ functionResponse: { name: 'f', response } }] },
        ],
      })
      const part = messages[1]?.content[0]
      return part?.type === 'tool-result' ? part.content : undefined
    }
    for (const response of [{ output: 'x' }, { result: 'x' }, { name: 'f', content: 'x' }])
      expect(textOf(response)).toEqual([{ type: 'text', text: 'x' }])
    // These are results of their own.
    for (const response of [{ name: 'Ada', content: 'x' }, { result: 'x', more: 1 }, { content: 'x' }])
      expect(textOf(response)).toEqual([{ type: 'text', text: JSON.stringify(response) }])
  })

  it('reads media, thoughts, signatures and what it has no word for', () => {
    const code = { executableCode: { language: 'PYTHON', code: 'print(1)' } }
    const { messages, unmapped } = parse({
      contents: [
        {
          parts: [
            { inlineData: { mimeType: 'audio/mpeg', data: 'SUQz' } },
            {
              inlineData: { mimeType: 'video/mp4', data: 'AAAA', displayName: 'clip' },
              videoMetadata: { fps: 1 },
            },
            { fileData: { fileUri: 'https://example.com/a.png', mimeType: 'image/png' } },
            {
              fileData: {
                fileUri: 'https://generativelanguage.googleapis.com/v1beta/files/x',
                mimeType: 'image/webp',
              },
            },
          ],
        },
        {
          role: 'model',
          parts: [
            { text: 'Hm', thought: true },
            { text: 'Yes', thoughtSignature: 'c2ln' },
            { text: '', thoughtSignature: 'bGF0ZQ==' },
            code,
          ],
        },
      ],
    })
    expect(messages[0]).toEqual({
      role: 'user',
      content: [
        { type: 'audio', source: { kind: 'base64', mediaType: 'audio/mpeg', data: 'SUQz' }, encoding: 'mp3' },
        { type: 'file', source: { kind: 'base64', mediaType: 'video/mp4', data: 'AAAA' }, name: 'clip' },
        { type: 'image', source: { kind: 'url', url: 'https://example.com/a.png' } },
        {
          type: 'image',
          source: { kind: 'file', id: 'https://generativelanguage.googleapis.com/v1beta/files/x' },
        },
      ],
    })
    expect(messages[1]?.content).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'Yes' },
      { type: 'reasoning', text: '', signature: 'c2ln' },
      { type: 'reasoning', text: '', signature: 'bGF0ZQ==' },
      { type: 'other', format: 'gemini', raw: code },
    ])
    expect(unmapped.map((field) => field.path)).toEqual([
      'contents[0].parts[1].videoMetadata',
      'contents[0].parts[3].fileData.mimeType',
    ])
  })

  it('reads every setting of generation', () => {
    const request = parse({
      contents: CONTENTS,
      generationConfig: {
        temperature: 0,
        topP: 0.5,
        topK: 3,
        maxOutputTokens: 7,
        stopSequences: ['x'],
        candidateCount: 2,
        seed: 4,
        presencePenalty: 1,
        frequencyPenalty: -1,
        responseLogprobs: true,
        logprobs: 2,
        responseMimeType: 'application/json',
        responseJsonSchema: { title: 'Answer', type: 'object' },
        responseModalities: ['TEXT'],
        thinkingConfig: { thinkingLevel: 'HIGH', includeThoughts: true },
      },
    })
    expect(request).toMatchObject({
      temperature: 0,
      topP: 0.5,
      topK: 3,
      outputTokensMax: 7,
      stop: ['x'],
      n: 2,
      seed: 4,
      presencePenalty: 1,
      frequencyPenalty: -1,
      logprobs: true,
      topLogprobs: 2,
      responseFormat: { type: 'json-schema', name: 'Answer', schema: { title: 'Answer', type: 'object' } },
      reasoning: { effort: 'high', summary: 'auto' },
      unmapped: [],
    })
  })

  it('reads functions with either kind of schema and narrows them to those that are allowed', () => {
    const functionDeclarations = [
      { name: 'f', description: 'd', parameters: { type: 'OBJECT', properties: { a: { type: 'STRING' } } } },
      { name: 'g', parametersJsonSchema: { type: 'object', additionalProperties: false } },
      { name: 'h' },
    ]
    const calling = (functionCallingConfig: object) =>
      parse({ contents: CONTENTS, tools: [{ functionDeclarations }], toolConfig: { functionCallingConfig } })
    const all = [
      {
        name: 'f',
        description: 'd',
        parameters: { type: 'object', properties: { a: { type: 'string' } } },
      },
      { name: 'g', parameters: { type: 'object', additionalProperties: false } },
      { name: 'h' },
    ]
    expect(calling({ mode: 'AUTO' })).toMatchObject({ tools: all, toolChoice: { type: 'auto' } })
    expect(calling({ mode: 'NONE' })).toMatchObject({ tools: all, toolChoice: { type: 'none' } })
    expect(calling({ mode: 'ANY' })).toMatchObject({ tools: all, toolChoice: { type: 'required' } })
    expect(calling({ mode: 'ANY', allowedFunctionNames: ['g'] })).toMatchObject({
      tools: all,
      toolChoice: { type: 'tool', name: 'g' },
    })
    expect(calling({ mode: 'ANY', allowedFunctionNames: ['f', 'h'] })).toMatchObject({
      tools: [all[0], all[2]],
      toolChoice: { type: 'required' },
    })
    expect(calling({})).not.toHaveProperty('toolChoice')
  })

  it('lists what the neutral model has no place for, as the caller wrote it', () => {
    const { unmapped } = parse({
      contents: CONTENTS,
      safety_settings: [{ category: 'c', threshold: 't' }],
      cachedContent: 'cachedContents/1',
      labels: { a: 'b' },
      tools: [{ googleSearch: {} }],
      generationConfig: { speechConfig: {}, thinkingConfig: { thinkingBudget: -1 } },
      toolConfig: { retrievalConfig: {} },
    })
    expect(unmapped.map((field) => field.path).sort()).toEqual([
      'cachedContent',
      'generationConfig.speechConfig',
      'generationConfig.thinkingConfig.thinkingBudget',
      'labels',
      'safety_settings',
      'toolConfig.retrievalConfig',
      'tools[0].googleSearch',
    ])
  })

  it.each([
    [{}, 'contents'],
    [{ contents: [] }, 'contents'],
    [{ contents: [{ role: 'assistant', parts: [] }] }, 'contents[0].role'],
    [{ contents: [{ parts: 'x' }] }, 'contents[0].parts'],
    [{ contents: [{ parts: ['x'] }] }, 'contents[0].parts[0]'],
    [{ contents: [{ parts: [{ text: 1 }] }] }, 'contents[0].parts[0].text'],
    [{ contents: [{ parts: [{ functionCall: {} }] }] }, 'contents[0].parts[0].functionCall.name'],
    [
      { contents: [{ parts: [{ inline_data: { data: 'x' } }] }] },
      'contents[0].parts[0].inline_data.mimeType',
    ],
    [{ contents: CONTENTS, generationConfig: { temperature: 'hot' } }, 'generationConfig.temperature'],
    [{ contents: CONTENTS, generationConfig: { maxOutputTokens: 0 } }, 'generationConfig.maxOutputTokens'],
    [
      { contents: CONTENTS, generation_config: { candidate_count: 1.5 } },
      'generation_config.candidate_count',
    ],
    [{ contents: CONTENTS, generationConfig: { stopSequences: [1] } }, 'generationConfig.stopSequences'],
    [
      { contents: CONTENTS, tools: [{ functionDeclarations: [{}] }] },
      'tools[0].functionDeclarations[0].name',
    ],
    [
      { contents: CONTENTS, toolConfig: { functionCallingConfig: { mode: 'SOME' } } },
      'toolConfig.functionCallingConfig.mode',
    ],
  ])('refuses %j and names the field', (body, param) => {
    expect(paramOf(body)).toBe(param)
  })

  it.each([[null], ['x'], [[]]])('refuses %j, which is no object', (body) => {
    expect(paramOf(body)).toBeUndefined()
  })

  it('refuses a schema of endless depth', () => {
    let responseSchema: object = { type: 'STRING' }
    for (let depth = 0; depth < 5000; depth++) responseSchema = { type: 'ARRAY', items: responseSchema }
    expect(paramOf({ contents: CONTENTS, generationConfig: { responseSchema } })).toMatch(
      /^generationConfig\.responseSchema\.items/,
    )
  })

  it('reads integers that are written as strings, and takes null for absent', () => {
    const config = { maxOutputTokens: '12', temperature: null }
    const request = parse({ contents: CONTENTS, generationConfig: config, tools: null })
    expect(request).toMatchObject({ outputTokensMax: 12, unmapped: [] })
    expect(request).not.toHaveProperty('temperature')
  })
})

describe('requireTranslatable()', () => {
  it.each([
    [{ tools: [{ googleSearch: {} }] }, 'tools[0].googleSearch'],
    [{ tools: [{ functionDeclarations: [] }, { code_execution: {} }] }, 'tools[1].code_execution'],
    [{ cachedContent: 'c' }, 'cachedContent'],
    [{ generationConfig: { responseModalities: ['IMAGE'] } }, 'generationConfig.responseModalities'],
    [{ generationConfig: { responseMimeType: 'text/x.enum' } }, 'generationConfig.responseMimeType'],
  ])('refuses %j', (fields, param) => {
    expect(() => requireTranslatable(parse({ contents: CONTENTS, ...fields }))).toThrow(
      expect.objectContaining({ code: 'unsupported_feature', param }),
    )
  })

  it('lets settings pass that change nothing of the answer’s meaning', () => {
    const parts = [
      { fileData: { fileUri: 'https://example.com/a', mimeType: 'image/png' }, mediaResolution: {} },
    ]
    const request = parse({ contents: [{ parts }], labels: { a: 'b' }, safetySettings: [] })
    expect(request.unmapped).toHaveLength(4)
    expect(() => requireTranslatable(request)).not.toThrow()
  })
})

describe('parseCountTokens()', () => {
  it('reads contents, or a whole request', () => {
    expect(parseCountTokens({ contents: CONTENTS }, CONTEXT).messages).toHaveLength(1)
    const generateContentRequest = {
      model: 'models/chat',
      contents: CONTENTS,
      systemInstruction: { parts: [{ text: 'S' }] },
    }
    expect(parseCountTokens({ generateContentRequest }, CONTEXT)).toMatchObject({
      model: 'chat',
      messages: [{ role: 'system' }, { role: 'user' }],
      unmapped: [],
    })
    expect(toCountTokensReply(3)).toEqual({ totalTokens: 3 })
  })
})
