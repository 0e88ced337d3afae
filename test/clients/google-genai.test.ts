import {
  type Content,
  createPartFromFunctionResponse,
  type FunctionCall,
  type FunctionDeclaration,
  type GenerateContentResponse,
  GoogleGenAI,
  type Part,
  type PartListUnion,
} from '@google/genai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Bill, billed, collect } from './bill.ts'
import {
  FAMILIES,
  GREETING,
  PNG_BASE64,
  runTool,
  SYSTEM,
  TOOL_ANSWER,
  TOOL_ARGUMENTS,
  TOOL_NAMES,
  TOOL_PROMPT,
  TOOL_SCHEMA,
  TOOLS,
} from './families.ts'

let house: TestGateway
let client: GoogleGenAI

beforeAll(async () => {
  house = await startGateway()
  client = new GoogleGenAI({ apiKey: house.key, httpOptions: { baseUrl: house.url } })
})

afterAll(() => house.close())

const FUNCTIONS: FunctionDeclaration[] = TOOLS.map(({ name, description }) => ({
  name,
  description,
  parametersJsonSchema: TOOL_SCHEMA,
}))
const TOOL_CONFIG = { tools: [{ functionDeclarations: FUNCTIONS }] }

function usage({ tokensInput, tokensOutput }: Bill) {
  return {
    promptTokenCount: tokensInput,
    candidatesTokenCount: tokensOutput,
    totalTokenCount: tokensInput + tokensOutput,
  }
}

function resultsOf(calls: readonly FunctionCall[]): Part[] {
  return calls.map(({ id = '', name = '', args }) => {
    expect(args).toEqual(TOOL_ARGUMENTS)
    return createPartFromFunctionResponse(id, name, { output: runTool(name) })
  })
}

function lastOf(chunks: readonly GenerateContentResponse[]): GenerateContentResponse {
  const last = chunks.at(-1)
  if (last === undefined) throw new Error('The stream was empty.')
  return last
}

describe.each(FAMILIES)('@google/genai at $provider', (family) => {
  const { provider, model, upstreamModel, embeddingModel, countsTokens } = family
  const asked = { model, contents: GREETING, config: { systemInstruction: SYSTEM } }

  it('models.generateContent() brings text, finish reason and usage', async () => {
    const { result, bill } = await billed(house, () => client.models.generateContent(asked))
    expect(result.text).toBe(GREETING)
    expect(result.candidates).toHaveLength(1)
    expect(result.candidates?.[0]?.finishReason).toBe('STOP')
    expect(result.modelVersion).toBe(upstreamModel)
    expect(bill.calls).toBe(1)
    expect(result.usageMetadata).toMatchObject(usage(bill))
  })

  it('models.generateContentStream() brings the same', async () => {
    const { result: chunks, bill } = await billed(house, async () =>
      collect(await client.models.generateContentStream(asked)),
    )
    expect(chunks.map(({ text }) => text ?? '').join('')).toBe(GREETING)
    expect(chunks.length).toBeGreaterThan(1)
    const last = lastOf(chunks)
    expect(last.candidates?.[0]?.finishReason).toBe('STOP')
    expect(last.usageMetadata).toMatchObject(usage(bill))
  })

  it('models.generateContent() stops at the cap and says so', async () => {
    const { candidates, usageMetadata } = await client.models.generateContent({
      ...asked,
      config: { maxOutputTokens: 5 },
    })
    expect(candidates?.[0]?.finishReason).toBe('MAX_TOKENS')
    expect(usageMetadata?.candidatesTokenCount).toBe(5)
  })

  it('models.generateContent() calls functions through a whole round, two at once', async () => {
    const contents: Content[] = [{ role: 'user', parts: [{ text: TOOL_PROMPT }] }]
    const ask = () => client.models.generateContent({ model, contents, config: TOOL_CONFIG })
    const first = await billed(house, ask)
    const calls = first.result.functionCalls ?? []
    expect(calls.map(({ name }) => name)).toEqual(TOOL_NAMES)
    expect(first.result.candidates?.[0]?.finishReason).toBe('STOP')
    expect(first.result.usageMetadata).toMatchObject(usage(first.bill))
    const made = first.result.candidates?.[0]?.content
    if (made === undefined) throw new Error('No content came.')
    contents.push(made, {
      role: 'user',
      parts: resultsOf(calls),
    })
    const second = await billed(house, ask)
    expect(second.result.text).toBe(TOOL_ANSWER)
    expect(second.result.usageMetadata).toMatchObject(usage(second.bill))
  })

  it('models.generateContentStream() calls functions through a whole round, two at once', async () => {
    const contents: Content[] = [{ role: 'user', parts: [{ text: TOOL_PROMPT }] }]
    const ask = async () =>
      collect(await client.models.generateContentStream({ model, contents, config: TOOL_CONFIG }))
    const first = await billed(house, ask)
    const parts = first.result.flatMap(({ candidates }) => candidates?.[0]?.content?.parts ?? [])
    const calls = first.result.flatMap(({ functionCalls }) => functionCalls ?? [])
    expect(calls.map(({ name }) => name)).toEqual(TOOL_NAMES)
    expect(lastOf(first.result).usageMetadata).toMatchObject(usage(first.bill))
    contents.push(
      { role: 'model', parts: parts.filter(({ functionCall }) => functionCall !== undefined) },
      { role: 'user', parts: resultsOf(calls) },
    )
    const second = await billed(house, ask)
    expect(second.result.map(({ text }) => text ?? '').join('')).toBe(TOOL_ANSWER)
    expect(lastOf(second.result).usageMetadata).toMatchObject(usage(second.bill))
  })

  // A chat sends each chunk of a stream back as a content of its own. We make one turn of them, as the model meant
  // it; Google refuses two calls in a row (https://github.com/googleapis/go-genai/issues/692), the simulator too.
  const ways = provider === 'google' ? ['whole'] : ['whole', 'streamed']
  it.each(ways)('chats call functions through a whole round, two at once, %s', async (way) => {
    const chat = client.chats.create({ model, config: TOOL_CONFIG })
    const send = async (message: PartListUnion) =>
      way === 'whole'
        ? [await chat.sendMessage({ message })]
        : collect(await chat.sendMessageStream({ message }))
    const first = await send(TOOL_PROMPT)
    const calls = first.flatMap(({ functionCalls }) => functionCalls ?? [])
    expect(calls.map(({ name }) => name)).toEqual(TOOL_NAMES)
    const { result: second, bill } = await billed(house, () => send(resultsOf(calls)))
    expect(second.map(({ text }) => text ?? '').join('')).toBe(TOOL_ANSWER)
    expect(lastOf(second).usageMetadata).toMatchObject(usage(bill))
  })

  it('models.generateContent() gives structured output', async () => {
    const { text } = await client.models.generateContent({
      model,
      contents: 'Tell me about "Lima".',
      config: { responseMimeType: 'application/json', responseJsonSchema: TOOL_SCHEMA },
    })
    expect(JSON.parse(text ?? '')).toEqual({ city: 'Lima' })
  })

  it('models.generateContent() accepts images', async () => {
    const { result, bill } = await billed(house, () =>
      client.models.generateContent({
        model,
        contents: [{ inlineData: { mimeType: 'image/png', data: PNG_BASE64 } }, { text: 'What is this?' }],
      }),
    )
    expect(result.text).toBe('What is this?')
    // Four words of text, and what the simulator takes for an image.
    expect(bill.tokensInput).toBe(4 + 85)
    expect(result.usageMetadata).toMatchObject(usage(bill))
  })

  it('models.countTokens() is what the call will be charged, or an estimate', async () => {
    const { result } = await billed(house, () =>
      client.models.countTokens({ model, contents: [{ role: 'user', parts: [{ text: GREETING }] }] }),
    )
    const { bill } = await billed(house, () => client.models.generateContent({ model, contents: GREETING }))
    if (countsTokens) {
      expect(result.totalTokens).toBe(bill.tokensInput)
    } else {
      // Another tokenizer than the simulator's, so only the size can be right.
      expect(result.totalTokens).toBeGreaterThan(bill.tokensInput / 2)
      expect(result.totalTokens).toBeLessThan(bill.tokensInput * 2)
    }
  })

  it('models.embedContent() gives vectors, or says that there are none', async () => {
    const ask = () =>
      client.models.embedContent({
        model: embeddingModel ?? model,
        contents: ['The fox jumps.', 'The dog sleeps.'],
        config: { outputDimensionality: 8 },
      })
    if (embeddingModel === undefined) {
      await expect(ask()).rejects.toMatchObject({ status: 400 })
      return
    }
    const { result, bill } = await billed(house, ask)
    const vectors = (result.embeddings ?? []).map(({ values = [] }) => values)
    expect(vectors).toHaveLength(2)
    for (const values of vectors) {
      expect(values).toHaveLength(8)
      expect(Math.hypot(...values)).toBeCloseTo(1, 5)
    }
    expect(vectors[0]).not.toEqual(vectors[1])
    expect(bill.tokensInput).toBeGreaterThan(0)
  })

  it('streams that break throw', async () => {
    // Where nothing was said yet the call itself fails; later it is the stream.
    const broken = async () =>
      collect(
        await client.models.generateContentStream({
          ...asked,
          config: { httpOptions: { headers: { 'x-sim': 'cut=3' } } },
        }),
      )
    await expect(broken()).rejects.toThrow(/complete|connection/i)
  })
})

describe('@google/genai', () => {
  it('models.list() and models.get() name the models of every provider', async () => {
    const names = (await collect(await client.models.list())).map(({ name }) => name)
    for (const { model } of FAMILIES) {
      expect(names).toContain(`models/${model}`)
      expect(await client.models.get({ model })).toMatchObject({ name: `models/${model}` })
    }
  })

  it('errors have the status and the reason that the client looks for', async () => {
    const missing = await client.models
      .generateContent({ model: 'gemini-nine', contents: 'Hello' })
      .catch((error: unknown) => error)
    expect(missing).toMatchObject({ name: 'ApiError', status: 404 })
    expect(String(missing)).toContain('NOT_FOUND')
  })
})
