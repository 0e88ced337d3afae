import Anthropic from '@anthropic-ai/sdk'
import { GoogleGenAI } from '@google/genai'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import OpenAI from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/core/clock.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { collect } from './bill.ts'

let house: TestGateway

// Long enough for heartbeats before the first word: the clock below makes a second of a fiftieth.
const SILENCE = { 'x-sim': 'ttft=300' }
const CLOCK_SPEED = 50

beforeAll(async () => {
  house = await startGateway({
    config: { server: { heartbeatSeconds: 1 } },
    clock: { ...systemClock, monotonicMs: () => systemClock.monotonicMs() * CLOCK_SPEED },
  })
})

afterAll(() => house.close())

async function rawStream(path: string, body: unknown, headers: Record<string, string> = {}): Promise<string> {
  const response = await fetch(house.url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, ...SILENCE, ...headers },
    body: JSON.stringify(body),
  })
  expect(response.status).toBe(200)
  return response.text()
}

// None of these providers speaks the caller's format, so that every byte is ours.
describe('a silent stream is kept open', () => {
  const messages = [{ role: 'user' as const, content: 'Hello there' }]
  const contents = [{ role: 'user', parts: [{ text: 'Hello there' }] }]

  it('by comments that openai skips', async () => {
    const body = { model: 'anthropic/claude-sonnet-4-5', messages, stream: true }
    for (const path of ['/v1/chat/completions', '/v1/responses']) {
      const text = await rawStream(
        path,
        path.endsWith('responses') ? { ...body, input: 'Hello there' } : body,
      )
      expect(text.startsWith(': ping\n\n')).toBe(true)
    }
    const client = new OpenAI({ apiKey: house.key, baseURL: `${house.url}/v1`, defaultHeaders: SILENCE })
    const stream = client.chat.completions.stream({ model: 'anthropic/claude-sonnet-4-5', messages })
    expect(await stream.finalContent()).toBe('Hello there')
    const response = await client.responses
      .stream({ model: 'anthropic/claude-sonnet-4-5', input: 'Hello there' })
      .finalResponse()
    expect(response.output_text).toBe('Hello there')
  })

  it('by ping events that anthropic skips', async () => {
    const body = { model: 'openai/gpt-4o', max_tokens: 100, messages }
    const text = await rawStream('/v1/messages', { ...body, stream: true })
    expect(text.startsWith('event: ping\ndata: {"type": "ping"}\n\n')).toBe(true)
    const client = new Anthropic({ apiKey: house.key, baseURL: house.url, defaultHeaders: SILENCE })
    const message = await client.messages.stream(body).finalMessage()
    expect(message.content).toMatchObject([{ text: 'Hello there' }])
  })

  it('by comments that @google/genai skips, and by white space in an array', async () => {
    const path = '/v1beta/models/openai/gpt-4o:streamGenerateContent'
    const text = await rawStream(`${path}?alt=sse`, { contents })
    expect(text.startsWith(': ping\n\n')).toBe(true)
    const array = await rawStream(path, { contents })
    expect(array.startsWith('\n')).toBe(true)
    expect(JSON.parse(array)).toContainEqual(expect.objectContaining({ usageMetadata: expect.anything() }))
    const client = new GoogleGenAI({
      apiKey: house.key,
      httpOptions: { baseUrl: house.url, headers: SILENCE },
    })
    const chunks = await collect(
      await client.models.generateContentStream({ model: 'openai/gpt-4o', contents: 'Hello there' }),
    )
    expect(chunks.map((chunk) => chunk.text ?? '').join('')).toBe('Hello there')
  })

  it('by empty chunks that the former client of Google, and LangChain with it, can read', async () => {
    const model = new ChatGoogleGenerativeAI({
      model: 'openai/gpt-4o',
      apiKey: house.key,
      baseUrl: house.url,
      customHeaders: SILENCE,
      maxRetries: 0,
    })
    const chunks = await collect(await model.stream('Hello there'))
    expect(chunks.map(({ text }) => text).join('')).toBe('Hello there')
    const text = await rawStream(
      '/v1beta/models/openai/gpt-4o:streamGenerateContent?alt=sse',
      { contents },
      { 'x-goog-api-client': 'genai-js/0.24.1' },
    )
    expect(text.startsWith('data: {"candidates":')).toBe(true)
    expect(text).not.toContain(': ping')
  })
})
