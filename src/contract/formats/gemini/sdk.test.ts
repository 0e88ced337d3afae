import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  ApiError,
  FunctionCallingConfigMode,
  type GenerateContentResponse,
  GoogleGenAI,
  Type,
} from '@google/genai'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ChatReply, ChatRequest, StreamEvent } from '../../chat.ts'
import type { EmbeddingRequest } from '../../embeddings.ts'
import { parseCountTokens, toCountTokensReply } from './count-tokens.ts'
import { geminiBatchEmbedFormat } from './embeddings.ts'
import { geminiFormat } from './gemini-format.ts'

/** A server of this format alone: it keeps what it read and answers what the test says. */
interface Scripted {
  readonly requests: (ChatRequest | EmbeddingRequest)[]
  reply: ChatReply
  events: readonly StreamEvent[]
}

let server: Server
let scripted: Scripted
let client: GoogleGenAI

const REPLY: ChatReply = {
  id: 'chatcmpl-1',
  model: 'gpt-5',
  createdSeconds: 1,
  choices: [
    {
      index: 0,
      content: [
        { type: 'reasoning', text: 'Hm' },
        { type: 'text', text: 'Grüße aus 東京 👩‍🚀' },
        { type: 'tool-call', id: 'call_1', name: 'weather', arguments: '{"city":"Bern"}' },
      ],
      finishReason: 'tool-calls',
    },
  ],
  usage: { inputTokens: 10, outputTokens: 7, reasoningTokens: 3 },
}
const START: StreamEvent = { type: 'reply-start', id: 'r', model: 'gpt-5', createdSeconds: 1 }

beforeEach(async () => {
  scripted = { requests: [], reply: REPLY, events: [] }
  server = createServer((incoming, outgoing) => {
    const pieces: Buffer[] = []
    incoming.on('data', (piece: Buffer) => pieces.push(piece))
    incoming.on('end', () => {
      try {
        answer()
      } catch (error) {
        outgoing.writeHead(400).end(String(error))
      }
    })
    function answer(): void {
      // This version of the SDK calls `/v1`, older ones `/v1beta`.
      const [, model = '', method = ''] =
        /^\/v1(?:beta)?\/models\/([^:]+):(\w+)/.exec(incoming.url ?? '') ?? []
      const pathStream = method === 'streamGenerateContent'
      const context = { requestId: 'req-1', nowSeconds: 1, pathModel: model, pathStream }
      const body: unknown = JSON.parse(Buffer.concat(pieces).toString())
      outgoing.setHeader('content-type', pathStream ? 'text/event-stream' : 'application/json')
      if (method === 'batchEmbedContents') {
        const request = geminiBatchEmbedFormat.parseRequest(body, context)
        scripted.requests.push(request)
        const vectors = request.inputs.map((_, index) => [index, 0.5])
        outgoing.end(
          JSON.stringify(
            geminiBatchEmbedFormat.toReply({ model, vectors, usage: { inputTokens: 4 } }, request),
          ),
        )
        return
      }
      if (method === 'countTokens') {
        scripted.requests.push(parseCountTokens(body, context))
        outgoing.end(JSON.stringify(toCountTokensReply(42)))
        return
      }
      const request = geminiFormat.parseRequest(body, context)
      scripted.requests.push(request)
      if (!pathStream) {
        outgoing.end(JSON.stringify(geminiFormat.toReply(scripted.reply, request, context)))
        return
      }
      const encoder = geminiFormat.createEncoder(request, context)
      outgoing.write(geminiFormat.heartbeat)
      // Pieces of an odd size, so that characters and frames are cut.
      const bytes = Buffer.from(
        scripted.events.map((event) => encoder.encode(event)).join(geminiFormat.heartbeat),
      )
      for (let start = 0; start < bytes.length; start += 7) outgoing.write(bytes.subarray(start, start + 7))
      outgoing.end()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  client = new GoogleGenAI({ apiKey: 'gh-test', httpOptions: { baseUrl: `http://127.0.0.1:${port}` } })
})

afterEach(async () => {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
})

async function collect(stream: AsyncGenerator<GenerateContentResponse>): Promise<GenerateContentResponse[]> {
  const chunks: GenerateContentResponse[] = []
  for await (const chunk of stream) chunks.push(chunk)
  return chunks
}

describe('@google/genai', () => {
  it('is understood, with all that its types let a caller say', async () => {
    const response = await client.models.generateContent({
      model: 'chat',
      contents: [
        { role: 'user', parts: [{ text: 'Weather?' }] },
        { role: 'model', parts: [{ functionCall: { name: 'weather', args: { city: 'Bern' } } }] },
        { role: 'user', parts: [{ functionResponse: { name: 'weather', response: { output: 'rain' } } }] },
      ],
      config: {
        systemInstruction: 'Be brief.',
        temperature: 0.5,
        maxOutputTokens: 100,
        stopSequences: ['END'],
        thinkingConfig: { thinkingBudget: 1024, includeThoughts: true },
        tools: [
          {
            functionDeclarations: [
              {
                name: 'weather',
                parameters: {
                  type: Type.OBJECT,
                  properties: { city: { type: Type.STRING } },
                  required: ['city'],
                },
              },
            ],
          },
        ],
        toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.AUTO } },
        responseMimeType: 'application/json',
        responseJsonSchema: { type: 'object' },
      },
    })
    expect(scripted.requests).toEqual([
      {
        model: 'chat',
        messages: [
          { role: 'system', content: [{ type: 'text', text: 'Be brief.' }] },
          { role: 'user', content: [{ type: 'text', text: 'Weather?' }] },
          {
            role: 'assistant',
            content: [{ type: 'tool-call', id: 'call_0', name: 'weather', arguments: '{"city":"Bern"}' }],
          },
          {
            role: 'tool',
            content: [
              {
                type: 'tool-result',
                callId: 'call_0',
                name: 'weather',
                content: [{ type: 'text', text: 'rain' }],
              },
            ],
          },
        ],
        tools: [
          {
            name: 'weather',
            parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
          },
        ],
        toolChoice: { type: 'auto' },
        temperature: 0.5,
        outputTokensMax: 100,
        stop: ['END'],
        reasoning: { budgetTokens: 1024, summary: 'auto' },
        responseFormat: { type: 'json-schema', name: 'response', schema: { type: 'object' } },
        stream: false,
        includeUsage: true,
        unmapped: [],
      },
    ])
    expect(response.functionCalls).toEqual([{ id: 'call_1', name: 'weather', args: { city: 'Bern' } }])
    expect(response.candidates?.[0]?.content?.parts?.[1]?.text).toBe('Grüße aus 東京 👩‍🚀')
    expect(response.usageMetadata).toMatchObject({ candidatesTokenCount: 4, thoughtsTokenCount: 3 })
    expect(response.modelVersion).toBe('gpt-5')
  })

  it('reads our stream', async () => {
    scripted.events = [
      START,
      { type: 'reasoning-delta', choice: 0, text: 'Hm' },
      { type: 'reasoning-end', choice: 0 },
      { type: 'text-delta', choice: 0, text: 'Grüße aus ' },
      { type: 'text-delta', choice: 0, text: '東京 👩‍🚀' },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'call_1', name: 'weather' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"city":"B' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: 'ern"}' },
      { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
      { type: 'usage-report', usage: { inputTokens: 2, outputTokens: 3 } },
      { type: 'reply-end' },
    ]
    const chunks = await collect(await client.models.generateContentStream({ model: 'chat', contents: 'Hi' }))
    expect(scripted.requests[0]).toMatchObject({ model: 'chat', stream: true })
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe('Grüße aus 東京 👩‍🚀')
    expect(chunks.flatMap((chunk) => chunk.functionCalls ?? [])).toEqual([
      { id: 'call_1', name: 'weather', args: { city: 'Bern' } },
    ])
    expect(chunks.at(-1)?.candidates?.[0]?.finishReason).toBe('STOP')
    expect(chunks.at(-1)?.usageMetadata).toMatchObject({ promptTokenCount: 2, candidatesTokenCount: 3 })
  })

  it('remembers a streamed turn of a chat, which comes back chunk by chunk as one turn', async () => {
    scripted.events = [
      START,
      { type: 'reasoning-delta', choice: 0, text: 'H' },
      { type: 'reasoning-delta', choice: 0, text: 'm' },
      { type: 'reasoning-end', choice: 0 },
      { type: 'text-delta', choice: 0, text: 'Hel' },
      { type: 'text-delta', choice: 0, text: 'lo' },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'a', name: 'f' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'b', name: 'g' },
      { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
      { type: 'reply-end' },
    ]
    const chat = client.chats.create({ model: 'chat' })
    await collect(await chat.sendMessageStream({ message: 'Hi' }))
    await collect(
      await chat.sendMessageStream({
        message: [
          { functionResponse: { id: 'a', name: 'f', response: { output: '1' } } },
          { functionResponse: { id: 'b', name: 'g', response: { output: '2' } } },
        ],
      }),
    )
    expect(scripted.requests[1]).toMatchObject({
      messages: [
        { role: 'user' },
        {
          role: 'assistant',
          content: [
            { type: 'reasoning', text: 'Hm' },
            { type: 'text', text: 'Hello' },
            { type: 'tool-call', id: 'a', name: 'f' },
            { type: 'tool-call', id: 'b', name: 'g' },
          ],
        },
        { role: 'tool', content: [{ callId: 'a' }, { callId: 'b' }] },
      ],
    })
  })

  it('throws at an error in the middle of a stream', async () => {
    scripted.events = [
      START,
      { type: 'text-delta', choice: 0, text: 'Hello' },
      { type: 'error', error: { code: 'upstream_timeout', type: 'upstream_error', message: 'Too slow.' } },
    ]
    const stream = await client.models.generateContentStream({ model: 'chat', contents: 'Hi' })
    const failure = await collect(stream).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(ApiError)
    expect(failure).toMatchObject({ status: 504, message: expect.stringContaining('Too slow.') })
  })

  it('counts tokens and embeds', async () => {
    expect(await client.models.countTokens({ model: 'chat', contents: 'Hi' })).toMatchObject({
      totalTokens: 42,
    })
    const embedded = await client.models.embedContent({
      model: 'embed',
      contents: ['a', 'b'],
      config: { outputDimensionality: 2, taskType: 'CLUSTERING' },
    })
    expect(embedded.embeddings).toEqual([{ values: [0, 0.5] }, { values: [1, 0.5] }])
    expect(scripted.requests[1]).toEqual({
      model: 'embed',
      inputs: ['a', 'b'],
      dimensions: 2,
      encodingFormat: 'float',
      taskType: 'CLUSTERING',
      unmapped: [],
    })
  })
})
