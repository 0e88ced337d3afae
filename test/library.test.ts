import { afterAll, beforeAll, beforeEach, describe, expect, expectTypeOf, it } from 'vitest'
import { z } from 'zod'
import { createGatehouse, type Gatehouse, GatewayError, type Stats, type StreamEvent } from '../src/index.ts'
import { createSimulator, type Simulator } from '../src/simulator/server.ts'

let simulator: Simulator
let url: string
let gatehouse: Gatehouse
let before: Stats

// One gateway for all: making one costs more than every test here. Each test counts from where it began.
beforeAll(async () => {
  simulator = createSimulator()
  url = (await simulator.listen()).url
  gatehouse = await createGatehouse({
    config: {
      providers: {
        openai: { kind: 'openai', baseUrl: `${url}/v1`, apiKey: 'test' },
        anthropic: { kind: 'anthropic', baseUrl: url, apiKey: 'test' },
        google: { kind: 'google', baseUrl: url, apiKey: 'test' },
      },
      models: { chat: { targets: ['anthropic/claude-sonnet-4-5'] } },
      // Tests make providers fail on purpose, one after the other.
      breaker: { failures: 10_000 },
      tasks: { summarization: { model: 'openai/gpt-4o-mini' } },
    },
  })
})

afterAll(async () => {
  await gatehouse.close()
  await simulator.close()
})

beforeEach(async () => {
  await fetch(`${url}/sim/control`, { method: 'DELETE' })
  await fetch(`${url}/sim/stats/reset`, { method: 'POST' })
  before = gatehouse.getStats()
})

/** What has been called since the test began. */
function counted(): Record<'requests' | 'errors' | 'tokensInput' | 'tokensOutput', number> {
  const now = gatehouse.getStats()
  return {
    requests: now.requests - before.requests,
    errors: now.errors - before.errors,
    tokensInput: now.tokensInput - before.tokensInput,
    tokensOutput: now.tokensOutput - before.tokensOutput,
  }
}

const MODELS = ['openai/gpt-4o-mini', 'anthropic/claude-sonnet-4-5', 'google/gemini-2.5-flash'] as const

async function control(body: object): Promise<void> {
  await fetch(`${url}/sim/control`, { method: 'POST', body: JSON.stringify(body) })
}

describe('complete()', () => {
  it.each(MODELS)('answers through %s and knows what it cost', async (model) => {
    const completion = await gatehouse.complete({ model, messages: 'one two three', user: 'u1' })
    expect(completion.text).toBe('one two three')
    expect(completion.finishReason).toBe('stop')
    expect(completion).toMatchObject({ provider: model.split('/')[0], estimated: false, warnings: [] })
    expect(completion.usage).toMatchObject({
      inputTokens: simulator.stats().tokensInput,
      outputTokens: simulator.stats().tokensOutput,
    })
    expect(completion.costNanoUsd).toBeGreaterThan(0)
  })

  it.each(MODELS)('makes a full round of tools through %s', async (model) => {
    const tools = [
      {
        name: 'weather',
        parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
      },
    ]
    const question = { role: 'user', content: [{ type: 'text', text: 'Call weather for "Oslo"' }] } as const
    const first = await gatehouse.complete({ model, messages: [question], tools })
    expect(first.finishReason).toBe('tool-calls')
    const [call] = first.toolCalls
    expect(JSON.parse(call?.arguments ?? '')).toEqual({ city: 'Oslo' })
    const second = await gatehouse.complete({
      model,
      tools,
      messages: [
        question,
        { role: 'assistant', content: first.reply.choices[0]?.content ?? [] },
        {
          role: 'tool',
          content: [
            { type: 'tool-result', callId: call?.id ?? '', content: [{ type: 'text', text: '4 degrees' }] },
          ],
        },
      ],
    })
    expect(second.text).toContain('4 degrees')
  })

  it('resolves auto by the task', async () => {
    const completion = await gatehouse.complete({ model: 'auto', task: 'summarization', messages: 'x' })
    expect(completion.model).toBe('gpt-4o-mini')
  })

  it('rejects with an error of the catalogue', async () => {
    const unknown = gatehouse.complete({ model: 'openai/', messages: 'x' })
    await expect(unknown).rejects.toThrow(GatewayError)
    await expect(unknown).rejects.toMatchObject({ code: 'model_not_found' })
    await control({ status: 500 })
    await expect(gatehouse.complete({ model: 'chat', messages: 'x' })).rejects.toMatchObject({
      code: 'upstream_error',
    })
  })

  it('ends a call whose time is up, and one whose caller aborts', async () => {
    await control({ hang: 1 })
    const late = gatehouse.complete({ model: 'chat', messages: 'x', timeoutMs: 50 })
    await expect(late).rejects.toMatchObject({ code: 'upstream_timeout' })
    const controller = new AbortController()
    const left = gatehouse.complete({ model: 'chat', messages: 'x', signal: controller.signal })
    controller.abort()
    await expect(left).rejects.toMatchObject({ code: 'client_closed' })
  })
})

describe('stream()', () => {
  it.each(MODELS)('streams through %s and puts the completion together', async (model) => {
    const stream = gatehouse.stream({ model, messages: 'one two three' })
    const events: StreamEvent[] = []
    for await (const event of stream) events.push(event)
    expect(events.at(0)?.type).toBe('reply-start')
    expect(
      events
        .filter((event) => event.type === 'text-delta')
        .map(({ text }) => text)
        .join(''),
    ).toBe('one two three')
    const completion = await stream.completion
    expect(completion).toMatchObject({ text: 'one two three', finishReason: 'stop', estimated: false })
    expect(completion.usage.outputTokens).toBe(simulator.stats().tokensOutput)
  })

  it('throws where the provider breaks off, and its completion rejects too', async () => {
    await control({ cut: 2 })
    const stream = gatehouse.stream({ model: 'chat', messages: 'one two three four five six' })
    const read = async () => {
      for await (const _event of stream);
    }
    await expect(read()).rejects.toMatchObject({ code: 'upstream_error' })
    await expect(stream.completion).rejects.toMatchObject({ code: 'upstream_error' })
    expect(counted()).toMatchObject({ requests: 1, errors: 1 })
  })

  it('books what was produced when its reader leaves early', async () => {
    await control({ stall: 3 })
    const stream = gatehouse.stream({ model: 'openai/gpt-4o-mini', messages: 'one two three four five six' })
    for await (const event of stream) if (event.type === 'text-delta') break
    await expect(stream.completion).rejects.toMatchObject({ code: 'client_closed' })
    const { requests, tokensInput, tokensOutput } = counted()
    expect(requests).toBe(1)
    expect(tokensInput).toBeGreaterThan(0)
    expect(tokensOutput).toBeGreaterThan(0)
    expect(tokensOutput).toBeLessThan(10)
  })
})

describe('extract()', () => {
  const schema = z.object({ city: z.string(), warm: z.boolean() })

  it.each(MODELS)('returns a value of a zod schema through %s', async (model) => {
    const { value, repaired } = await gatehouse.extract({ model, messages: 'It is warm in "Rome"', schema })
    expectTypeOf(value).toEqualTypeOf<{ city: string; warm: boolean }>()
    expect(schema.parse(value)).toEqual(value)
    expect(repaired).toBe(false)
  })

  it('takes a JSON Schema as well', async () => {
    const { value } = await gatehouse.extract({
      model: 'chat',
      messages: 'x',
      schema: {
        type: 'object',
        properties: { n: { type: 'integer' } },
        required: ['n'],
        additionalProperties: false,
      },
    })
    expect(value).toEqual({ n: 1 })
  })

  it('shows a wrong answer to the model once and gives up after the second', async () => {
    const impossible = schema.refine(() => false, 'never good enough')
    await expect(
      gatehouse.extract({ model: 'chat', messages: 'x', schema: impossible }),
    ).rejects.toMatchObject({
      code: 'upstream_error',
      message: expect.stringContaining('never good enough') as string,
    })
    expect(counted().requests).toBe(2)

    let calls = 0
    const second = schema.refine(() => ++calls === 2, 'not yet')
    expect(await gatehouse.extract({ model: 'chat', messages: 'x', schema: second })).toMatchObject({
      repaired: true,
    })
  })
})

describe('synthesize()', () => {
  it('answers from sources and says which said what', async () => {
    const { answer, citations } = await gatehouse.synthesize({
      model: 'openai/gpt-4o-mini',
      question: 'What is said about "Rome"?',
      sources: [
        { id: 'a', text: 'Rome is warm.' },
        { id: 'b', text: 'Rome is old.', title: 'History' },
      ],
    })
    expect(answer).not.toBe('')
    expect(citations.length).toBeGreaterThan(0)
    for (const { start, end, sourceIds } of citations) {
      expect(answer.slice(start, end)).not.toBe('')
      for (const id of sourceIds) expect(['a', 'b']).toContain(id)
    }
    const twice = [
      { id: 'a', text: '' },
      { id: 'a', text: '' },
    ]
    const refused = gatehouse.synthesize({ model: 'chat', question: '?', sources: twice })
    await expect(refused).rejects.toMatchObject({ code: 'invalid_request' })
  })
})

describe('embed()', () => {
  it.each(['openai/text-embedding-3-small', 'google/gemini-embedding-001'])(
    'returns vectors from %s',
    async (model) => {
      const { vectors, usage } = await gatehouse.embed({ model, input: ['one', 'two'] })
      expect(vectors).toHaveLength(2)
      expect(vectors[0]?.length).toBeGreaterThan(8)
      expect(vectors[0]).not.toEqual(vectors[1])
      expect(usage.inputTokens).toBeGreaterThan(0)
    },
  )

  it('says clearly that a provider has none', async () => {
    await expect(gatehouse.embed({ model: 'chat', input: 'x' })).rejects.toMatchObject({
      code: 'unsupported_feature',
    })
  })
})

describe('events, getStats() and getHealth()', () => {
  it('tell of every call, attempt and settlement, until the listener is taken off', async () => {
    const seen: string[] = []
    const stops = (['request', 'attempt', 'settled'] as const).map((name) =>
      gatehouse.on(name, () => seen.push(name)),
    )
    await gatehouse.complete({ model: 'chat', messages: 'x' })
    expect(seen).toEqual(['request', 'attempt', 'settled'])
    for (const stop of stops) stop()
    await gatehouse.complete({ model: 'chat', messages: 'x' })
    expect(seen).toHaveLength(3)
    expect(counted()).toMatchObject({ requests: 2, errors: 0 })
    const byModel = ({ byModel }: Stats) => byModel['anthropic/claude-sonnet-4-5']?.requests ?? 0
    expect(byModel(gatehouse.getStats()) - byModel(before)).toBe(2)
    expect(await gatehouse.getHealth()).toMatchObject({
      components: {
        database: { status: 'healthy' },
        ledger: { status: 'healthy' },
        providers: { openai: {} },
      },
    })
  })
})
