import { ApiError, FunctionCallingConfigMode, GoogleGenAI } from '@google/genai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulator } from './server.ts'

const simulator = createSimulator()
let url: string
let client: GoogleGenAI

beforeAll(async () => {
  url = (await simulator.listen()).url
  client = new GoogleGenAI({ apiKey: 'any', httpOptions: { baseUrl: url } })
})
afterAll(() => simulator.close())

const model = 'gemini-2.5-pro'
const tools = [
  {
    functionDeclarations: [
      {
        name: 'get_weather',
        parametersJsonSchema: { type: 'object', properties: { city: { type: 'string' } } },
      },
      { name: 'get_time' },
    ],
  },
]

describe('generateContent', () => {
  it('answers with the last user text and exact usage', async () => {
    const reply = await client.models.generateContent({
      model,
      contents: 'Hello there',
      config: { systemInstruction: 'Be kind.' },
    })
    expect(reply.text).toBe('Hello there')
    expect(reply.candidates?.[0]?.finishReason).toBe('STOP')
    expect(reply.usageMetadata).toMatchObject({
      promptTokenCount: 7,
      candidatesTokenCount: 4,
      totalTokenCount: 11,
    })
  })

  it('streams the same text with running counts', async () => {
    const chunks = []
    for await (const chunk of await client.models.generateContentStream({ model, contents: 'a b c' })) {
      chunks.push(chunk)
    }
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe('a b c')
    expect(chunks.map((chunk) => chunk.usageMetadata?.candidatesTokenCount)).toEqual([1, 2, 3, 3])
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP')
  })

  it('streams one JSON array without alt=sse', async () => {
    const reply = await fetch(`${url}/v1beta/models/${model}:streamGenerateContent`, {
      method: 'POST',
      body: JSON.stringify({ contents: [{ parts: [{ text: 'a b c' }] }] }),
    })
    expect(await reply.json()).toHaveLength(4)
  })

  it('calls tools in parallel and then uses their results', async () => {
    const contents = [{ role: 'user', parts: [{ text: 'Use get_weather and get_time for "Rome"' }] }]
    const reply = await client.models.generateContent({ model, contents, config: { tools } })
    expect(reply.functionCalls).toMatchObject([
      { name: 'get_weather', args: { city: 'Rome' } },
      { name: 'get_time', args: {} },
    ])
    const streamed = []
    for await (const chunk of await client.models.generateContentStream({
      model,
      contents,
      config: { tools },
    })) {
      streamed.push(...(chunk.functionCalls ?? []))
    }
    expect(streamed.map((call) => call.name)).toEqual(['get_weather', 'get_time'])
    const said = reply.candidates?.[0]?.content
    if (said === undefined) throw new Error('There is no candidate.')
    const results = (reply.functionCalls ?? []).map(({ name, id }) => ({
      functionResponse: {
        ...(name === undefined ? {} : { name }),
        ...(id === undefined ? {} : { id }),
        response: { output: `from ${name}` },
      },
    }))
    const after = await client.models.generateContent({
      model,
      contents: [...contents, said, { role: 'user', parts: results }],
      config: { tools },
    })
    expect(after.text).toBe('The tools say: from get_weather; from get_time')
  })

  it('calls a tool that is insisted on', async () => {
    const reply = await client.models.generateContent({
      model,
      contents: 'anything',
      config: {
        tools,
        toolConfig: {
          functionCallingConfig: { mode: FunctionCallingConfigMode.ANY, allowedFunctionNames: ['get_time'] },
        },
      },
    })
    expect(reply.functionCalls?.map((call) => call.name)).toEqual(['get_time'])
  })

  it('thinks beside the candidates tokens', async () => {
    const reply = await client.models.generateContent({ model: 'reasoner', contents: 'hi' })
    const usage = reply.usageMetadata ?? {}
    const thoughts = usage.thoughtsTokenCount ?? 0
    expect(reply.candidates?.[0]?.content?.parts?.[0]?.thought).toBe(true)
    expect(thoughts).toBeGreaterThan(0)
    expect(usage).toMatchObject({ candidatesTokenCount: 1, totalTokenCount: 1 + 1 + thoughts })
  })

  it('honours limits, stops, schemas and candidate counts', async () => {
    const ask = (config: object) => client.models.generateContent({ model, contents: 'a b c', config })
    expect((await ask({ maxOutputTokens: 2 })).candidates?.[0]?.finishReason).toBe('MAX_TOKENS')
    expect((await ask({ stopSequences: ['b'] })).text).toBe('a ')
    expect((await ask({ candidateCount: 2 })).candidates).toHaveLength(2)
    const responseSchema = { type: 'OBJECT', properties: { ok: { type: 'BOOLEAN' } } }
    expect((await ask({ responseMimeType: 'application/json', responseSchema })).text).toBe('{"ok":true}')
  })

  it('counts tokens as they are charged', async () => {
    const { totalTokens } = await client.models.countTokens({ model, contents: 'Hello there' })
    expect(totalTokens).toBe(4)
  })

  it('embeds', async () => {
    const reply = await client.models.embedContent({
      model: 'gemini-embedding-001',
      contents: ['one', 'two'],
      config: { outputDimensionality: 64 },
    })
    expect(reply.embeddings?.map((embedding) => embedding.values?.length)).toEqual([64, 64])
  })

  it('fails in the shape of the API', async () => {
    const failing = client.models.generateContent({ model: 'error-429', contents: 'hi' })
    const error = await failing.catch((reason: unknown) => reason)
    if (!(error instanceof ApiError)) throw new Error('The client threw something else.')
    expect(error.status).toBe(429)
    expect(error.message).toContain('RESOURCE_EXHAUSTED')
  })

  it('is found at v1beta, v1 and without a version', async () => {
    for (const prefix of ['/v1beta', '/v1', '']) {
      const reply = await fetch(`${url}${prefix}/models/${model}:countTokens`, {
        method: 'POST',
        body: JSON.stringify({ contents: [{ parts: [{ text: 'hi' }] }] }),
      })
      expect(await reply.json()).toMatchObject({ totalTokens: 1 })
    }
  })

  it('lists models', async () => {
    const names: unknown[] = []
    for await (const listed of await client.models.list()) names.push(listed.name)
    expect(names).toContain('models/gemini-2.5-pro')
  })
})
