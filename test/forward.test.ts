import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LedgerRow } from '../src/ledger/ports.ts'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway
let client: OpenAI

/** A provider that keeps the bytes it got. */
let captured = ''
const capture = createServer(async (request, response) => {
  captured = await text(request)
  response.writeHead(200, { 'content-type': 'application/json' }).end('{"data":[{}]}')
})

beforeAll(async () => {
  await new Promise<void>((resolve) => capture.listen(0, '127.0.0.1', resolve))
  const { port } = capture.address() as AddressInfo
  house = await startGateway({
    providers: (url) => ({
      openai: { kind: 'openai', baseUrl: `${url}/v1`, apiKey: 'test' },
      anthropic: { kind: 'anthropic', baseUrl: `${url}/v1`, apiKey: 'test' },
      local: { kind: 'openai-compatible', baseUrl: `${url}/v1` },
      capture: { kind: 'openai-compatible', baseUrl: `http://127.0.0.1:${port}/v1` },
    }),
    config: {
      models: {
        draw: { targets: ['openai/gpt-image-1'] },
        speak: { targets: ['openai/gpt-4o-mini-tts'] },
        listen: { targets: ['openai/gpt-4o-transcribe'] },
        complete: { targets: ['openai/gpt-3.5-turbo-instruct'] },
        talk: { targets: ['anthropic/claude-sonnet-4-5'] },
      },
    },
  })
  client = new OpenAI({ apiKey: house.key, baseURL: `${house.url}/v1`, maxRetries: 0 })
})

afterAll(async () => {
  await house?.close()
  capture.close()
})

async function lastRow(): Promise<LedgerRow> {
  const [row] = await house.ledger()
  if (row === undefined) throw new Error('The ledger is empty.')
  return row
}

function post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${house.url}/v1${path}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
}

/** @returns the body that the provider got last: what is JSON parsed, anything else as text */
async function lastReceived(): Promise<unknown> {
  const response = await fetch(`${house.simulatorUrl}/sim/last`)
  return ((await response.json()) as { body: unknown }).body
}

const WAVE_SECONDS = 3

/** Silence: 8 kHz, 16 bits. */
function wave(): Buffer {
  const bytes = Buffer.alloc(44 + WAVE_SECONDS * 16_000)
  bytes.write('RIFF', 0)
  bytes.write('WAVEfmt ', 8)
  bytes.writeUInt32LE(16_000, 28)
  return bytes
}

describe('moderations', () => {
  it('are answered without a model named, and cost nothing by a price that says so', async () => {
    const reply = await client.moderations.create({ input: 'I will murder you' })
    expect(reply.results[0]?.flagged).toBe(true)
    expect(await lastRow()).toMatchObject({
      operation: 'moderation',
      provider: 'openai',
      model: 'omni-moderation-latest',
      costNanoUsd: 0,
      priceVersion: expect.stringMatching(/openai\/moderation/),
      estimated: true,
    })
  })

  it('of a provider without them are refused, and nothing is sent', async () => {
    const before = house.simulator.stats().requests
    const response = await post('/moderations', { model: 'talk', input: 'x' })
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ error: { code: 'unsupported_feature', param: 'model' } })
    expect(house.simulator.stats().requests).toBe(before)
    expect(await lastRow()).toMatchObject({ status: 400, errorCode: 'unsupported_feature', costNanoUsd: 0 })
  })
})

describe('rerank', () => {
  it('is forwarded and priced by what the provider counted', async () => {
    const response = await post('/rerank', { model: 'local/ranker', query: 'cat', documents: ['dog', 'cat'] })
    const reply = (await response.json()) as { results: { index: number }[]; usage: { total_tokens: number } }
    expect(reply.results[0]?.index).toBe(1)
    // Nobody knows the price: the ceiling of 10 dollars a million stands in.
    const costNanoUsd = reply.usage.total_tokens * 10_000
    expect(await lastRow()).toMatchObject({
      operation: 'rerank',
      tokensInput: reply.usage.total_tokens,
      tokensOutput: 0,
      costNanoUsd,
      estimated: false,
    })
    expect(Number(response.headers.get('x-gatehouse-cost-usd'))).toBeCloseTo(costNanoUsd / 1e9, 12)
  })

  it('without usage is charged by our own count', async () => {
    await post(
      '/rerank',
      { model: 'local/ranker', query: 'one', documents: ['two three'] },
      { 'x-sim': 'no-usage' },
    )
    const row = await lastRow()
    expect(row).toMatchObject({ estimated: true, tokensInput: 3 })
    expect(row.costNanoUsd).toBe(30_000)
  })
})

describe('images', () => {
  it('are priced by their reported tokens, and the model gets its own name', async () => {
    const before = house.simulator.stats()
    const reply = await client.images.generate({ model: 'draw', prompt: 'a cat', n: 2 })
    expect(reply.data).toHaveLength(2)
    const after = house.simulator.stats()
    const input = after.tokensInput - before.tokensInput
    const output = after.tokensOutput - before.tokensOutput
    expect(await lastReceived()).toEqual({ model: 'gpt-image-1', prompt: 'a cat', n: 2 })
    expect(await lastRow()).toMatchObject({
      operation: 'image',
      model: 'gpt-image-1',
      requestedModel: 'draw',
      tokensInput: input,
      tokensOutput: output,
      costNanoUsd: input * 5000 + output * 40_000,
      estimated: false,
    })
  })

  it('without usage are charged as the largest picture there is, and marked', async () => {
    await post('/images/generations', { model: 'draw', prompt: 'a cat', n: 2 }, { 'x-sim': 'no-usage' })
    const row = await lastRow()
    expect(row.estimated).toBe(true)
    expect(row.costNanoUsd).toBe(2 * 6240 * 40_000 + (row.tokensInput ?? 0) * 5000)
  })
})

describe('JSON bodies', () => {
  it.each([
    [
      'byte for byte but for the name of the model',
      '{ "prompt": "\\u0061",  "model":"capture/gpt-image-1" , "new": 1.0 }',
      '{ "prompt": "\\u0061",  "model":"gpt-image-1" , "new": 1.0 }',
    ],
    [
      'written anew where a name stands twice, so that the provider reads what we counted',
      '{"model":"capture/gpt-image-1","n":9,"prompt":"a","n":1}',
      '{"model":"gpt-image-1","n":1,"prompt":"a"}',
    ],
  ])('are sent %s', async (_how, body, expected) => {
    const response = await fetch(`${house.url}/v1/images/generations`, {
      method: 'POST',
      headers: { authorization: `Bearer ${house.key}`, 'content-type': 'application/json' },
      body,
    })
    expect(response.status).toBe(200)
    expect(captured).toBe(expected)
  })
})

describe('speech', () => {
  it('streams the bytes and charges by characters, marked as our own count', async () => {
    const input = 'Hello there, how are you?'
    const response = await client.audio.speech.create({ model: 'speak', voice: 'alloy', input })
    const bytes = Buffer.from(await response.arrayBuffer())
    expect(bytes.toString('latin1', 0, 4)).toBe('RIFF')
    expect(response.headers.get('content-type')).toBe('audio/mpeg')
    const row = await lastRow()
    expect(row).toMatchObject({ operation: 'speech', status: 200, estimated: true })
    const spoken = Math.ceil((input.length * 1250) / 900)
    expect(row.costNanoUsd).toBe((row.tokensInput ?? 0) * 600 + spoken * 12_000)
    expect(Number(response.headers.get('x-gatehouse-cost-usd'))).toBeCloseTo(row.costNanoUsd / 1e9, 12)
  })

  it('that breaks off is no complete reply, and is charged all the same', async () => {
    const response = await post(
      '/audio/speech',
      { model: 'speak', voice: 'alloy', input: 'word '.repeat(500) },
      { 'x-sim': 'cut=1' },
    )
    await expect(response.arrayBuffer()).rejects.toThrow()
    const row = await lastRow()
    expect(row).toMatchObject({ errorCode: 'upstream_error', estimated: true })
    expect(row.costNanoUsd).toBeGreaterThan(0)
  })
})

describe('transcriptions', () => {
  it('rewrite the model in the form and are priced by reported tokens', async () => {
    const file = await toFile(wave(), 'talk.wav')
    const reply = await client.audio.transcriptions.create({ model: 'listen', file })
    expect(reply.text).toBe('Transcript of talk.wav')
    expect(await lastReceived()).toContain('gpt-4o-transcribe')
    const row = await lastRow()
    expect(row).toMatchObject({
      operation: 'transcription',
      model: 'gpt-4o-transcribe',
      requestedModel: 'listen',
      tokensInput: 50,
      estimated: false,
    })
    // Fifty tokens of audio at 6 dollars a million.
    expect(row.costNanoUsd).toBe(50 * 6000 + (row.tokensOutput ?? 0) * 10_000)
  })

  it('sold by time are priced by the seconds that the provider says', async () => {
    const file = await toFile(wave(), 'talk.wav')
    await client.audio.transcriptions.create({ model: 'openai/whisper-1', file })
    // 0.36 dollars an hour; the simulator says that everything is one second long.
    expect(await lastRow()).toMatchObject({ costNanoUsd: 100_000, estimated: false, tokensInput: 0 })
  })

  it('that say nothing are priced by the length of the recording', async () => {
    const file = await toFile(wave(), 'talk.wav')
    await client.audio.transcriptions.create({ model: 'openai/whisper-1', file, response_format: 'srt' })
    expect(await lastRow()).toMatchObject({ costNanoUsd: WAVE_SECONDS * 100_000, estimated: true })
  })

  it('reach the path of translations', async () => {
    const before = house.simulator.stats().byPath['/v1/audio/translations'] ?? 0
    const file = await toFile(wave(), 'talk.wav')
    const reply = await client.audio.translations.create({ model: 'openai/whisper-1', file })
    expect(reply.text).toBe('Transcript of talk.wav')
    expect(house.simulator.stats().byPath['/v1/audio/translations']).toBe(before + 1)
  })

  it('without a model, or with two, are refused', async () => {
    const send = (form: FormData) =>
      fetch(`${house.url}/v1/audio/transcriptions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${house.key}` },
        body: form,
      })
    const none = new FormData()
    none.append('file', new File([wave()], 'talk.wav'))
    const missing = await send(none)
    expect(missing.status).toBe(400)
    expect(await missing.json()).toMatchObject({ error: { code: 'invalid_request', param: 'model' } })
    none.append('model', 'openai/whisper-1')
    none.append('model', 'openai/gpt-4o-transcribe')
    const twice = await send(none)
    expect(twice.status).toBe(400)
    expect(await twice.json()).toMatchObject({ error: { code: 'invalid_request', param: 'model' } })
  })

  it('tell a stranger nothing about what is wrong with a form', async () => {
    const response = await fetch(`${house.url}/v1/audio/transcriptions`, {
      method: 'POST',
      headers: { authorization: 'Bearer gh-unknown', 'content-type': 'multipart/form-data; boundary=x' },
      body: 'no form',
    })
    expect(response.status).toBe(401)
  })
})

describe('uploads', () => {
  it('larger than the bound are refused', async () => {
    const small = await startGateway({ config: { server: { bodyBytesMax: 1024 } } })
    try {
      const form = new FormData()
      form.append('model', 'openai/whisper-1')
      form.append('file', new File([new Uint8Array(2000)], 'talk.wav'))
      const response = await fetch(`${small.url}/v1/audio/transcriptions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${small.key}` },
        body: form,
      })
      expect(response.status).toBe(413)
      expect(await response.json()).toMatchObject({ error: { code: 'request_too_large' } })
    } finally {
      await small.close()
    }
  })
})

describe('legacy completions', () => {
  it('are forwarded whole, and priced by their usage', async () => {
    const reply = await client.completions.create({ model: 'complete', prompt: 'one two three' })
    expect(reply.object).toBe('text_completion')
    expect(reply.choices[0]?.text).not.toBe('')
    expect(await lastRow()).toMatchObject({
      operation: 'completion',
      format: 'completions',
      tokensInput: reply.usage?.prompt_tokens,
      tokensOutput: reply.usage?.completion_tokens,
      estimated: false,
    })
  })

  it('stream: usage is asked for, kept for the books, and hidden from who did not ask', async () => {
    const before = house.simulator.stats()
    const stream = await client.completions.create({
      model: 'complete',
      prompt: 'one two three',
      stream: true,
    })
    let written = ''
    let usages = 0
    for await (const chunk of stream) {
      written += chunk.choices[0]?.text ?? ''
      if (chunk.usage) usages++
    }
    expect(written).not.toBe('')
    expect(usages).toBe(0)
    expect(await lastReceived()).toMatchObject({ stream_options: { include_usage: true } })
    const after = house.simulator.stats()
    const row = await lastRow()
    expect(row).toMatchObject({
      stream: true,
      status: 200,
      errorCode: null,
      tokensInput: after.tokensInput - before.tokensInput,
      tokensOutput: after.tokensOutput - before.tokensOutput,
      estimated: false,
    })
    expect(row.firstTokenMs).not.toBeNull()
    const rows = await house.ledger()
    expect(rows.filter(({ requestId }) => requestId === row.requestId)).toHaveLength(1)
  })

  it('stream: the usage chunk goes to who asked for it', async () => {
    const stream = await client.completions.create({
      model: 'complete',
      prompt: 'one two three',
      stream: true,
      stream_options: { include_usage: true },
    })
    let total = 0
    for await (const chunk of stream) total += chunk.usage?.total_tokens ?? 0
    const row = await lastRow()
    expect(total).toBe((row.tokensInput ?? 0) + (row.tokensOutput ?? 0))
  })

  it.each(['end=2', 'cut=2'])('stream: one that is truncated (%s) ends in an error event', async (fault) => {
    const response = await post(
      '/completions',
      { model: 'complete', prompt: 'one two three four five six', stream: true },
      { 'x-sim': fault },
    )
    const written = await response.text()
    expect(written).not.toContain('[DONE]')
    expect(written.trim().split('\n\n').at(-1)).toMatch(/^data: \{"error":\{"message":/)
    const row = await lastRow()
    expect(row).toMatchObject({ errorCode: 'upstream_error', estimated: true })
    expect(row.costNanoUsd).toBeGreaterThan(0)
  })

  it('stream: one of a request that only the provider understands ends and is booked as well', async () => {
    const response = await post(
      '/completions',
      { model: 'complete', prompt: 'one two three four', stream: true, logprobs: 7 },
      { 'x-sim': 'end=2,no-usage' },
    )
    expect(await response.text()).toContain('data: {"error":')
    expect(await lastRow()).toMatchObject({ errorCode: 'upstream_error', estimated: true, tokensInput: 4 })
  })

  it('are translated for a provider that only converses', async () => {
    const reply = await client.completions.create({ model: 'talk', prompt: 'one two three', max_tokens: 50 })
    expect(reply.object).toBe('text_completion')
    expect(await lastRow()).toMatchObject({
      operation: 'completion',
      provider: 'anthropic',
      estimated: false,
    })
  })
})
