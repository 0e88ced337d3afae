import { AzureOpenAI } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { SseFramer } from '../../src/core/sse.ts'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { FAMILIES, GREETING, TOOL_NAMES, TOOL_PROMPT, TOOL_SCHEMA, TOOLS } from './families.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway({
    config: { models: { chat: { targets: [{ provider: 'openai', model: 'gpt-4o' }] } } },
  })
})

afterAll(() => house.close())

interface CallOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
}

/** Just what is given, and the key as a bearer unless `headers` holds another. */
function call(path: string, { method, headers, body }: CallOptions = {}): Promise<Response> {
  return fetch(house.url + path, {
    method: method ?? (body === undefined ? 'GET' : 'POST'),
    headers: headers ?? { authorization: `Bearer ${house.key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
}

const looseObject = z.record(z.string(), z.unknown())

async function jsonOf(response: Response): Promise<Record<string, unknown>> {
  return looseObject.parse(await response.json())
}

/** @returns the data of every event of a stream */
async function eventsOf(response: Response): Promise<Record<string, unknown>[]> {
  expect(response.status).toBe(200)
  expect(response.headers.get('content-type')).toMatch(/^text\/event-stream/)
  const framer = new SseFramer()
  const frames = [...framer.push(Buffer.from(await response.arrayBuffer())), ...framer.flush()]
  return frames.flatMap(({ data }) =>
    data === undefined || data === '[DONE]' ? [] : [looseObject.parse(JSON.parse(data))],
  )
}

/** @returns what the provider received last */
async function lastReceived() {
  const response = await fetch(`${house.simulatorUrl}/sim/last`)
  return z
    .object({ path: z.string(), headers: z.record(z.string(), z.string()), body: looseObject })
    .parse(await response.json())
}

describe.each(FAMILIES)('Claude Code at $provider', ({ provider, model, upstreamModel }) => {
  const body = {
    model,
    max_tokens: 32_000,
    stream: true,
    system: [
      { type: 'text', text: 'You are Claude Code.' },
      { type: 'text', text: 'The project is a gateway.', cache_control: { type: 'ephemeral' } },
    ],
    messages: [
      {
        role: 'user',
        content: [{ type: 'text', text: GREETING, cache_control: { type: 'ephemeral' } }],
      },
    ],
    tools: TOOLS.map(({ name, description }) => ({ name, description, input_schema: TOOL_SCHEMA })),
    metadata: { user_id: 'user_1_account__session_2' },
    thinking: { type: 'enabled', budget_tokens: 2000 },
    context_management: { edits: [{ type: 'clear_thinking_20251015', keep: 'all' }] },
  }

  it('POST /v1/messages?beta=true streams, with both kinds of key and beta headers', async () => {
    const response = await call('/v1/messages?beta=true', {
      headers: {
        authorization: `Bearer ${house.key}`,
        'x-api-key': house.key,
        'anthropic-version': '2023-06-01',
        'anthropic-beta': 'claude-code-20250219,interleaved-thinking-2025-05-14',
        'content-type': 'application/json',
        'user-agent': 'claude-cli/2.1.0 (external, cli)',
        'x-app': 'cli',
        'x-claude-code-session-id': `session-${provider}`,
      },
      body,
    })
    const events = await eventsOf(response)
    expect(events[0]?.type).toBe('message_start')
    expect(events.at(-1)?.type).toBe('message_stop')
    const text = events.map(({ delta }) => looseObject.safeParse(delta).data?.text ?? '').join('')
    expect(text).toBe(GREETING)
    const received = await lastReceived()
    if (provider === 'anthropic') {
      expect(received.path).toBe('/v1/messages')
      // Headers and fields travel in pairs: each unknown one has to arrive.
      expect(received.headers['anthropic-beta']).toBe('claude-code-20250219,interleaved-thinking-2025-05-14')
      expect(received.body).toEqual({ ...body, model: upstreamModel })
      expect(JSON.stringify(received.body)).toBe(JSON.stringify({ ...body, model: upstreamModel }))
    }
    expect(JSON.stringify(received)).not.toContain(house.key)
    const [row] = await house.ledger()
    expect(row).toMatchObject({
      provider,
      sessionId: `session-${provider}`,
      userId: 'user_1_account__session_2',
      format: 'messages',
      stream: true,
      status: 200,
    })
  })
})

describe('Claude Code', () => {
  it('finds its key in either header, whatever stands in the other', async () => {
    const body = {
      model: 'anthropic/claude-sonnet-4-5',
      max_tokens: 10,
      messages: [{ role: 'user', content: 'Hi' }],
    }
    const pairs = [
      { authorization: 'Bearer sk-ant-oat01-of-somebody', 'x-api-key': house.key },
      { authorization: `Bearer ${house.key}`, 'x-api-key': 'sk-ant-api03-of-somebody' },
    ]
    for (const headers of pairs) {
      const response = await call('/v1/messages', { headers, body })
      expect(response.status).toBe(200)
      expect(JSON.stringify(await lastReceived())).not.toContain('of-somebody')
    }
  })

  it('GET /v1/models?limit=1000 answers at once, with ids and names', async () => {
    const response = await call('/v1/models?limit=1000', {
      headers: {
        authorization: `Bearer ${house.key}`,
        'x-api-key': house.key,
        'anthropic-version': '2023-06-01',
      },
    })
    expect(response.redirected).toBe(false)
    const { data, has_more } = z
      .object({
        data: z.array(z.object({ id: z.string(), display_name: z.string(), type: z.literal('model') })),
        has_more: z.boolean(),
      })
      .parse(await response.json())
    expect(data.map(({ id }) => id)).toContain('anthropic/claude-sonnet-4-5')
    expect(has_more).toBe(false)
  })

  it('HEAD /api/hello, its warm-up, harms nobody', async () => {
    expect((await call('/api/hello', { method: 'HEAD' })).status).toBeLessThan(500)
  })

  it('errors of the provider pass unchanged, so that its retries work', async () => {
    const response = await call('/v1/messages', {
      headers: { 'x-api-key': house.key, 'x-sim': 'status=429,retry-after=3' },
      body: {
        // It is left alone for as long as it asks, so no other test may need it.
        model: 'anthropic/claude-opus-4-1',
        max_tokens: 10,
        messages: [{ role: 'user', content: 'Hi' }],
      },
    })
    expect(response.status).toBe(429)
    expect(response.headers.get('retry-after')).toBe('3')
    expect(await jsonOf(response)).toMatchObject({
      type: 'error',
      error: { type: 'rate_limit_error', message: 'The simulator was told to fail.' },
    })
  })
})

describe.each(FAMILIES)('Codex at $provider', ({ model }) => {
  const body = {
    model,
    instructions: 'You are Codex.',
    input: [
      {
        type: 'message',
        role: 'developer',
        content: [{ type: 'input_text', text: 'Sandbox: read-only.' }],
      },
      {
        type: 'message',
        role: 'user',
        content: [{ type: 'input_text', text: 'Run shell with "ls", please.' }],
      },
    ],
    tools: [
      {
        type: 'function',
        name: 'shell',
        description: 'Runs a command.',
        strict: false,
        parameters: { type: 'object', properties: { command: { type: 'string' } }, required: ['command'] },
      },
    ],
    tool_choice: 'auto',
    parallel_tool_calls: false,
    reasoning: { effort: 'medium', summary: 'auto' },
    store: false,
    stream: true,
    include: ['reasoning.encrypted_content'],
    prompt_cache_key: '0199',
    text: { verbosity: 'medium' },
  }
  const headers = () => ({
    authorization: `Bearer ${house.key}`,
    accept: 'text/event-stream',
    'openai-beta': 'responses=experimental',
    originator: 'codex_cli_rs',
    session_id: '0199',
    'x-client-request-id': 'a-request',
  })

  it('POST /v1/responses streams a call and ends in response.completed', async () => {
    const events = await eventsOf(await call('/v1/responses', { headers: headers(), body }))
    const last = events.at(-1)
    expect(last?.type).toBe('response.completed')
    expect(last?.response).toMatchObject({
      status: 'completed',
      output: [{ type: 'function_call', name: 'shell', arguments: '{"command":"ls"}' }],
    })
  })

  it('POST /v1/responses ends in response.failed where the provider breaks off', async () => {
    const ends = new Set<unknown>()
    for (const cut of [1, 2, 3, 4, 6, 8]) {
      const response = await call('/v1/responses', { headers: { ...headers(), 'x-sim': `cut=${cut}` }, body })
      // Where nothing was said yet it is an error like any other.
      if (response.status !== 200) {
        expect([response.status, await response.json()]).toEqual([502, { error: expect.anything() }])
        ends.add(502)
        continue
      }
      const last = (await eventsOf(response)).at(-1)
      ends.add(last?.type)
      if (last?.type === 'response.failed') expect(last.response).toMatchObject({ status: 'failed' })
      // Cut behind its end it is complete, and all of it is there.
      else expect(last?.response).toMatchObject({ output: [{ arguments: '{"command":"ls"}' }] })
    }
    expect(ends.size).toBeGreaterThan(1)
  })
})

describe('Codex', () => {
  it('GET /v1/models?client_version=… has both lists, one of them with slugs', async () => {
    const response = await call('/v1/models?client_version=0.162.1')
    const { data, models } = z
      .object({
        data: z.array(z.object({ id: z.string(), object: z.literal('model') })),
        models: z.array(z.object({ slug: z.string(), display_name: z.string() })),
      })
      .parse(await response.json())
    expect(data.length).toBeGreaterThan(0)
    expect(models.map(({ slug }) => slug)).toEqual(data.map(({ id }) => id))
  })
})

describe.each(FAMILIES)('Cursor at $provider', ({ model }) => {
  const body = {
    model,
    user: 'a-user',
    input: [
      { role: 'system', content: 'You edit code.' },
      { role: 'user', content: [{ type: 'input_text', text: TOOL_PROMPT }] },
    ],
    tools: TOOLS.map(({ name, description }) => ({
      type: 'function',
      name,
      description,
      parameters: TOOL_SCHEMA,
    })),
    reasoning: { effort: 'medium' },
  }

  it('POST /v1/chat/completions takes a body of the Responses API and answers as Chat', async () => {
    const reply = await jsonOf(await call('/v1/chat/completions', { body }))
    expect(reply).toMatchObject({
      object: 'chat.completion',
      choices: [
        {
          finish_reason: 'tool_calls',
          message: { tool_calls: TOOL_NAMES.map((name) => ({ type: 'function', function: { name } })) },
        },
      ],
    })
  })

  it('POST /v1/chat/completions streams chunks for it', async () => {
    const events = await eventsOf(
      await call('/v1/chat/completions', { body: { ...body, tools: [], stream: true } }),
    )
    expect(new Set(events.map(({ object }) => object))).toEqual(new Set(['chat.completion.chunk']))
    expect(JSON.stringify(events)).toContain('"finish_reason":"stop"')
  })
})

describe.each(FAMILIES)('Continue at $provider', ({ model, upstreamModel }) => {
  const body = { model, prompt: 'const answer = ', max_tokens: 50, temperature: 0 }
  const reply = z.object({
    object: z.literal('text_completion'),
    model: z.string(),
    choices: z.array(z.object({ text: z.string(), finish_reason: z.string().nullable() })),
    usage: z
      .object({ prompt_tokens: z.number(), completion_tokens: z.number(), total_tokens: z.number() })
      .nullish(),
  })

  it('POST /v1/completions completes', async () => {
    const before = house.simulator.stats()
    const found = reply.parse(await jsonOf(await call('/v1/completions', { body })))
    const after = house.simulator.stats()
    expect(found.model).toBe(upstreamModel)
    expect(found.choices).toMatchObject([{ finish_reason: 'stop' }])
    expect(found.choices[0]?.text.trim()).toBe('const answer =')
    expect(found.usage?.prompt_tokens).toBe(after.tokensInput - before.tokensInput)
    expect(found.usage?.completion_tokens).toBe(after.tokensOutput - before.tokensOutput)
  })

  it('POST /v1/completions streams', async () => {
    const events = await eventsOf(await call('/v1/completions', { body: { ...body, stream: true } }))
    const chunks = events.map((event) => reply.parse(event))
    const text = chunks.map(({ choices }) => choices[0]?.text ?? '').join('')
    expect(text.trim()).toBe('const answer =')
    expect(chunks.flatMap(({ choices }) => choices).at(-1)?.finish_reason).toBe('stop')
    // Nobody asked for usage, and clients take the first choice of every chunk.
    expect(chunks.every(({ choices }) => choices.length === 1)).toBe(true)
  })
})

describe('n8n', () => {
  it('GET /v1/models, then POST /v1/responses with a name from there', async () => {
    const list = z
      .object({ data: z.array(z.object({ id: z.string() })) })
      .parse(await jsonOf(await call('/v1/models')))
    const chosen = list.data.find(({ id }) => id === 'chat')
    const reply = await jsonOf(
      await call('/v1/responses', {
        body: {
          model: chosen?.id,
          input: [{ role: 'user', content: [{ type: 'input_text', text: 'Hello' }] }],
          store: false,
        },
      }),
    )
    expect(reply).toMatchObject({ status: 'completed', output: [{ content: [{ text: 'Hello' }] }] })
  })
})

describe('Open WebUI', () => {
  it('names its user and its chat in headers, which the ledger keeps', async () => {
    const response = await call('/v1/chat/completions', {
      headers: {
        authorization: `Bearer ${house.key}`,
        'x-openwebui-user-id': 'user-7',
        'x-openwebui-chat-id': 'chat-9',
      },
      body: { model: 'chat', messages: [{ role: 'user', content: 'Hello' }] },
    })
    expect(response.status).toBe(200)
    const [row] = await house.ledger()
    expect(row).toMatchObject({ userId: 'user-7', sessionId: 'chat-9', requestedModel: 'chat' })
  })
})

describe('the former REST habits of Gemini', () => {
  const contents = [{ role: 'user', parts: [{ text: 'Hello there' }] }]

  it.each(FAMILIES)(
    'streamGenerateContent without alt=sse is one JSON array, at $provider',
    async (family) => {
      const response = await call(`/v1beta/models/${family.model}:streamGenerateContent`, {
        headers: { 'x-goog-api-key': house.key },
        body: { contents },
      })
      expect(response.headers.get('content-type')).toMatch(/^application\/json/)
      const chunks = z
        .array(
          z.object({
            candidates: z
              .array(z.object({ content: z.object({ parts: z.array(z.object({ text: z.string() })) }) }))
              .optional(),
            usageMetadata: z.object({ promptTokenCount: z.number() }).optional(),
          }),
        )
        .parse(await response.json())
      expect(chunks.flatMap(({ candidates }) => candidates?.[0]?.content.parts[0]?.text ?? '').join('')).toBe(
        'Hello there',
      )
      expect(chunks.at(-1)?.usageMetadata?.promptTokenCount).toBeGreaterThan(0)
    },
  )

  it('a key in the query is not taken: it would stand in every log on the way', async () => {
    const response = await call(`/v1beta/models/google/gemini-2.5-pro:generateContent?key=${house.key}`, {
      headers: {},
      body: { contents },
    })
    expect(response.status).toBe(401)
    expect(await jsonOf(response)).toMatchObject({ error: { code: 401, status: 'UNAUTHENTICATED' } })
  })
})

describe('base URLs that differ', () => {
  const chat = { model: 'chat', messages: [{ role: 'user', content: 'Hello' }] }
  const messages = { ...chat, max_tokens: 100 }
  const contents = { contents: [{ role: 'user', parts: [{ text: 'Hello' }] }] }
  const paths: [string, unknown][] = [
    ...['/v1', '', '/v1/v1', '/openai/v1', '/openai'].flatMap((prefix): [string, unknown][] => [
      [`${prefix}/chat/completions`, chat],
      [`${prefix}/responses`, { model: 'chat', input: 'Hello' }],
      [`${prefix}/completions`, { model: 'chat', prompt: 'Hello' }],
    ]),
    ...['/v1', '', '/v1/v1', '/anthropic/v1', '/anthropic'].map((prefix): [string, unknown] => [
      `${prefix}/messages`,
      messages,
    ]),
    ...['/v1beta', '/v1', '/v1/v1beta', '/gemini/v1beta'].map((prefix): [string, unknown] => [
      `${prefix}/models/chat:generateContent`,
      contents,
    ]),
    ['/v1/chat/completions/', chat],
    ['/v1/messages?beta=true&x=1', messages],
  ]

  it.each(paths)('POST %s works', async (path, body) => {
    const response = await call(path, { body })
    expect(response.status).toBe(200)
    expect(await response.text()).toContain('Hello')
  })

  it.each(['/v1/models', '/models', '/v1/v1/models', '/openai/v1/models', '/anthropic/v1/models'])(
    'GET %s works',
    async (path) => {
      const { data } = await jsonOf(await call(path))
      expect(data).toContainEqual(expect.objectContaining({ id: 'chat' }))
    },
  )

  it.each([
    ['authorization', 'Bearer '],
    ['authorization', 'bearer '],
    ['x-api-key', ''],
    ['x-goog-api-key', ''],
    ['api-key', ''],
  ])('the key is found in %s: %s…', async (header, prefix) => {
    const response = await call('/v1/chat/completions', {
      headers: { [header]: prefix + house.key },
      body: chat,
    })
    expect(response.status).toBe(200)
  })
})

describe('AzureOpenAI', () => {
  it.each(['chat', 'openai/gpt-4o', 'anthropic/claude-sonnet-4-5'])(
    'reaches %s as a deployment',
    async (name) => {
      const client = new AzureOpenAI({
        endpoint: house.url,
        apiKey: house.key,
        apiVersion: '2024-10-21',
        deployment: name,
        maxRetries: 0,
      })
      const reply = await client.chat.completions.create({
        model: 'ignored-by-azure',
        messages: [{ role: 'user', content: 'Hello' }],
      })
      expect(reply.choices[0]?.message.content).toBe('Hello')
      const stream = await client.chat.completions.create({
        model: 'ignored-by-azure',
        messages: [{ role: 'user', content: 'Hello' }],
        stream: true,
      })
      let text = ''
      for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? ''
      expect(text).toBe('Hello')
    },
  )

  it('reaches embeddings', async () => {
    const client = new AzureOpenAI({
      endpoint: house.url,
      apiKey: house.key,
      apiVersion: '2024-10-21',
      maxRetries: 0,
    })
    const { data } = await client.embeddings.create({
      model: 'openai/text-embedding-3-small',
      input: 'Hello',
      dimensions: 8,
    })
    expect(data[0]?.embedding).toHaveLength(8)
  })
})
