import Anthropic from '@anthropic-ai/sdk'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulator } from './server.ts'

const simulator = createSimulator()
let client: Anthropic

beforeAll(async () => {
  const { url } = await simulator.listen()
  client = new Anthropic({ baseURL: url, apiKey: 'any', maxRetries: 0 })
})
afterAll(() => simulator.close())

const weather: Anthropic.Tool = {
  name: 'get_weather',
  input_schema: { type: 'object', properties: { city: { type: 'string' } } },
}
const time: Anthropic.Tool = { name: 'get_time', input_schema: { type: 'object', properties: {} } }

function ask(content: string, model = 'claude-any') {
  return { model, max_tokens: 1000, messages: [{ role: 'user' as const, content }] }
}

describe('messages', () => {
  it('answer with the last user text and exact usage', async () => {
    const reply = await client.messages.create({ ...ask('Hello there'), system: 'Be kind.' })
    expect(reply).toMatchObject({
      content: [{ type: 'text', text: 'Hello there' }],
      stop_reason: 'end_turn',
      usage: { input_tokens: 7, output_tokens: 4 },
    })
  })

  it('stream the same message', async () => {
    const whole = await client.messages.create(ask('Hello there, friend'))
    const streamed = await client.messages.stream(ask('Hello there, friend')).finalMessage()
    expect({ ...streamed, id: '' }).toMatchObject({
      ...whole,
      id: '',
      usage: { output_tokens: whole.usage.output_tokens },
    })
  })

  it('begin a stream with one token of output, and ping', async () => {
    const types: string[] = []
    for await (const event of await client.messages.create({ ...ask('hi'), stream: true })) {
      if (event.type === 'message_start') expect(event.message.usage.output_tokens).toBe(1)
      types.push(event.type)
    }
    expect(types[0]).toBe('message_start')
    expect(types.at(-1)).toBe('message_stop')
  })

  it('call tools in parallel, whole and streamed alike, and then use their results', async () => {
    const request = { ...ask('Use get_weather and get_time for "Rome"'), tools: [weather, time] }
    const expected = [
      { type: 'tool_use', name: 'get_weather', input: { city: 'Rome' } },
      { type: 'tool_use', name: 'get_time', input: {} },
    ]
    const whole = await client.messages.create(request)
    const streamed = await client.messages.stream(request).finalMessage()
    expect(whole).toMatchObject({ stop_reason: 'tool_use', content: expected })
    expect(streamed).toMatchObject({ stop_reason: 'tool_use', content: expected })
    const results = whole.content.flatMap((block) =>
      block.type === 'tool_use'
        ? [{ type: 'tool_result' as const, tool_use_id: block.id, content: block.name }]
        : [],
    )
    const after = await client.messages.create({
      ...request,
      messages: [
        ...request.messages,
        { role: 'assistant', content: whole.content },
        { role: 'user', content: results },
      ],
    })
    expect(after.content[0]).toMatchObject({ text: 'The tools say: get_weather; get_time' })
  })

  it('call one tool where parallel use is off', async () => {
    const reply = await client.messages.create({
      ...ask('get_weather get_time'),
      tools: [weather, time],
      tool_choice: { type: 'any', disable_parallel_tool_use: true },
    })
    expect(reply.content).toHaveLength(1)
  })

  it('think, with a signature, whole and streamed', async () => {
    const whole = await client.messages.create(ask('hi', 'reasoner'))
    const streamed = await client.messages.stream(ask('hi', 'reasoner')).finalMessage()
    expect(whole.content.map((block) => block.type)).toEqual(['thinking', 'text'])
    expect(streamed.content).toEqual(whole.content)
    expect(whole.usage.output_tokens_details?.thinking_tokens).toBe(whole.usage.output_tokens - 1)
  })

  it('count cached tokens beside input_tokens', async () => {
    const reply = await client.messages.create(ask('hi', 'fixed-200-50'), {
      headers: { 'x-sim': 'cached=120,cache-write=30' },
    })
    expect(reply.usage).toMatchObject({
      input_tokens: 50,
      cache_read_input_tokens: 120,
      cache_creation_input_tokens: 30,
      output_tokens: 50,
    })
  })

  it('honour limits and stop sequences', async () => {
    expect(await client.messages.create({ ...ask('a b c'), max_tokens: 2 })).toMatchObject({
      stop_reason: 'max_tokens',
      content: [{ text: 'a b' }],
    })
    expect(await client.messages.create({ ...ask('a b c'), stop_sequences: ['c'] })).toMatchObject({
      stop_reason: 'stop_sequence',
      stop_sequence: 'c',
    })
  })

  it('go on from a prefill', async () => {
    const { messages } = ask('one two three')
    const reply = await client.messages.create({
      ...ask(''),
      messages: [...messages, { role: 'assistant', content: 'one two' }],
    })
    expect(reply.content[0]).toMatchObject({ text: ' three' })
  })

  it('count tokens as they are charged', async () => {
    const request = { ...ask('How many tokens is this?'), system: 'Be kind.', tools: [weather] }
    const counted = await client.messages.countTokens({
      model: request.model,
      messages: request.messages,
      system: request.system,
      tools: request.tools,
    })
    const { usage } = await client.messages.create(request)
    expect(counted.input_tokens).toBe(usage.input_tokens)
  })

  it('require what the API requires', async () => {
    const post = (body: object) => client.post('/v1/messages', { body })
    await expect(post({ model: 'x', messages: [] })).rejects.toThrow(/max_tokens: Field required/)
    await expect(post({ model: 'x', max_tokens: 5, messages: [] })).rejects.toThrow(/messages/)
    const dangling = { type: 'tool_result', tool_use_id: 'x', content: 'y' }
    await expect(
      post({ model: 'x', max_tokens: 5, messages: [{ role: 'user', content: [dangling] }] }),
    ).rejects.toThrow(/tool_use_id/)
  })

  it('fail in the shape of the API', async () => {
    const error = await client.messages
      .create(ask('hi'), { headers: { 'x-sim': 'status=529,retry-after=3' } })
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({
      status: 529,
      error: { type: 'error', error: { type: 'overloaded_error' } },
    })
    if (!(error instanceof Anthropic.APIError)) throw new Error('The client threw something else.')
    expect(error.headers?.get('retry-after')).toBe('3')
    expect(error.requestID).toMatch(/^req_/)
    expect(error.error).toMatchObject({ request_id: error.requestID })
  })

  it('break a stream with an error event', async () => {
    const stream = await client.messages.create(
      { ...ask('hi'), stream: true },
      { headers: { 'x-sim': 'error-event=3' } },
    )
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toThrow(/[Oo]verloaded/)
  })

  it('list models', async () => {
    expect((await client.models.list()).data.map((model) => model.id)).toContain('claude-sonnet-4-5')
  })
})
