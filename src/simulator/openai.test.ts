import OpenAI, { toFile } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createSimulator } from './server.ts'

const simulator = createSimulator()
let url: string
let client: OpenAI

beforeAll(async () => {
  url = (await simulator.listen()).url
  client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'any', maxRetries: 0 })
})
afterAll(() => simulator.close())

const weather: OpenAI.ChatCompletionFunctionTool = {
  type: 'function',
  function: {
    name: 'get_weather',
    parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  },
}
const time: OpenAI.ChatCompletionFunctionTool = {
  type: 'function',
  function: { name: 'get_time', parameters: { type: 'object', properties: {} } },
}

function user(content: string): OpenAI.ChatCompletionMessageParam[] {
  return [{ role: 'user', content }]
}

async function collect<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

describe('chat completions', () => {
  it('answer with the last user text and exact usage', async () => {
    const { data, request_id } = await client.chat.completions
      .create({
        model: 'gpt-4o',
        messages: [{ role: 'system', content: 'Be kind.' }, ...user('Hello there')],
      })
      .withResponse()
    expect(data.choices[0]).toMatchObject({ message: { content: 'Hello there' }, finish_reason: 'stop' })
    expect(data.usage).toMatchObject({ prompt_tokens: 7, completion_tokens: 4, total_tokens: 11 })
    expect(request_id).toMatch(/^req_/)
  })

  it('stream the same text, with usage only when asked', async () => {
    const body = { model: 'echo', messages: user('One two three'), stream: true as const }
    const plain = await collect(await client.chat.completions.create(body))
    expect(plain.map((chunk) => chunk.choices[0]?.delta.content ?? '').join('')).toBe('One two three')
    expect(plain.at(-1)?.choices[0]?.finish_reason).toBe('stop')
    expect(plain.some((chunk) => 'usage' in chunk)).toBe(false)
    const counted = await collect(
      await client.chat.completions.create({ ...body, stream_options: { include_usage: true } }),
    )
    expect(counted.at(-1)).toMatchObject({ choices: [], usage: { prompt_tokens: 4, completion_tokens: 4 } })
    expect(counted.slice(0, -1).every((chunk) => chunk.usage === null)).toBe(true)
  })

  it('interleave several streamed answers', async () => {
    const stream = client.chat.completions.stream({ model: 'echo', messages: user('a b c'), n: 2 })
    const { choices } = await stream.finalChatCompletion()
    expect(choices.map((choice) => choice.message.content)).toEqual(['a b c', 'a b c (2)'])
  })

  it('call tools in parallel, whole and streamed alike, and then use their results', async () => {
    const messages = user('Use get_weather and get_time for "Rome"')
    const body = { model: 'gpt-4o', messages, tools: [weather, time] }
    const whole = await client.chat.completions.create(body)
    const streamed = await client.chat.completions.stream(body).finalChatCompletion()
    const expected = [
      { type: 'function', function: { name: 'get_weather', arguments: '{"city":"Rome"}' } },
      { type: 'function', function: { name: 'get_time', arguments: '{}' } },
    ]
    expect(whole.choices[0]).toMatchObject({ finish_reason: 'tool_calls', message: { tool_calls: expected } })
    expect(streamed.choices[0]).toMatchObject({
      finish_reason: 'tool_calls',
      message: { tool_calls: expected },
    })
    const [said] = whole.choices
    if (said === undefined) throw new Error('There is no choice.')
    const results = (said.message.tool_calls ?? []).map((call, index) => ({
      role: 'tool' as const,
      tool_call_id: call.id,
      content: `result ${index}`,
    }))
    const after = await client.chat.completions.create({
      ...body,
      messages: [...messages, said.message, ...results],
    })
    expect(after.choices[0]?.message.content).toBe('The tools say: result 0; result 1')
  })

  it('split the arguments of a streamed call', async () => {
    const chunks = await collect(
      await client.chat.completions.create({
        model: 'gpt-4o',
        messages: user('get_weather "Rome"'),
        tools: [weather],
        stream: true,
      }),
    )
    const parts = chunks.flatMap((chunk) => chunk.choices[0]?.delta.tool_calls ?? [])
    expect(parts.filter((part) => part.function?.arguments).length).toBeGreaterThan(1)
  })

  it('refuse a tool result without its call', async () => {
    const messages: OpenAI.ChatCompletionMessageParam[] = [{ role: 'tool', tool_call_id: 'x', content: 'y' }]
    await expect(client.chat.completions.create({ model: 'echo', messages })).rejects.toThrow(/tool_calls/)
  })

  it('satisfy a JSON schema', async () => {
    const schema = {
      type: 'object',
      properties: { name: { type: 'string' }, count: { type: 'integer' } },
      required: ['name', 'count'],
    }
    const reply = await client.chat.completions.create({
      model: 'echo',
      messages: user('about "Ada"'),
      response_format: { type: 'json_schema', json_schema: { name: 'x', schema } },
    })
    expect(JSON.parse(reply.choices[0]?.message.content ?? '')).toEqual({ name: 'Ada', count: 1 })
  })

  it('honour limits, stops and logprobs', async () => {
    const cut = await client.chat.completions.create({
      model: 'echo',
      messages: user('a b c d'),
      max_tokens: 2,
    })
    expect(cut.choices[0]).toMatchObject({ message: { content: 'a b' }, finish_reason: 'length' })
    const stopped = await client.chat.completions.create({
      model: 'echo',
      messages: user('a b c d'),
      stop: ['c'],
      logprobs: true,
      top_logprobs: 2,
    })
    expect(stopped.choices[0]?.message.content).toBe('a b ')
    const logprobs = stopped.choices[0]?.logprobs?.content ?? []
    expect(logprobs.map((entry) => entry.token).join('')).toBe('a b ')
    expect(logprobs[0]?.top_logprobs).toHaveLength(2)
  })

  it('count reasoning and cached tokens inside their wholes', async () => {
    const thought = await client.chat.completions.create({ model: 'reasoner', messages: user('hi') })
    const reasoning = thought.usage?.completion_tokens_details?.reasoning_tokens ?? 0
    expect(reasoning).toBeGreaterThan(0)
    expect(thought.usage?.completion_tokens).toBe(reasoning + 1)
    expect(thought.choices[0]?.message).toHaveProperty('reasoning_content')
    const fixed = await client.chat.completions.create({ model: 'fixed-200-50-120', messages: user('hi') })
    expect(fixed.usage).toMatchObject({
      prompt_tokens: 200,
      completion_tokens: 50,
      prompt_tokens_details: { cached_tokens: 120 },
    })
  })

  it('fail as the model or the header says', async () => {
    const call = (model: string, sim?: string) =>
      client.chat.completions.create(
        { model, messages: user('hi') },
        { headers: sim === undefined ? {} : { 'x-sim': sim } },
      )
    await expect(call('error')).rejects.toBeInstanceOf(OpenAI.InternalServerError)
    await expect(call('error-429')).rejects.toBeInstanceOf(OpenAI.RateLimitError)
    await expect(call('echo', 'status=401')).rejects.toMatchObject({ status: 401, code: 'invalid_api_key' })
    await expect(call('echo', 'context=0')).rejects.toMatchObject({ code: 'context_length_exceeded' })
    await expect(call('echo', 'latncy=5')).rejects.toThrow(/no setting "latncy"/)
  })

  it('are found under every prefix', async () => {
    for (const path of [
      '/chat/completions',
      '/openai/v1/chat/completions',
      '/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21',
    ]) {
      const reply = await fetch(url + path, {
        method: 'POST',
        body: JSON.stringify({ model: 'gpt-4o', messages: user('hi') }),
      })
      expect(await reply.json()).toMatchObject({ model: 'gpt-4o', object: 'chat.completion' })
    }
  })
})

describe('responses', () => {
  it('answer and count', async () => {
    const reply = await client.responses.create({
      model: 'gpt-4o',
      instructions: 'Be kind.',
      input: 'Hello there',
    })
    expect(reply).toMatchObject({
      output_text: 'Hello there',
      status: 'completed',
      usage: { input_tokens: 7, output_tokens: 4 },
    })
  })

  it('stream typed events in order, numbered, to response.completed', async () => {
    const events = await collect(
      await client.responses.create({ model: 'reasoner', input: 'Hello there', stream: true }),
    )
    expect(events.map((event) => event.sequence_number)).toEqual(events.map((_, index) => index))
    const types = events.map((event) => event.type).filter((type, index, all) => type !== all[index - 1])
    expect(types).toEqual([
      'response.created',
      'response.in_progress',
      'response.output_item.added',
      'response.reasoning_summary_part.added',
      'response.reasoning_summary_text.delta',
      'response.reasoning_summary_text.done',
      'response.reasoning_summary_part.done',
      'response.output_item.done',
      'response.output_item.added',
      'response.content_part.added',
      'response.output_text.delta',
      'response.output_text.done',
      'response.content_part.done',
      'response.output_item.done',
      'response.completed',
    ])
  })

  it('call tools in a stream that the client puts together', async () => {
    const stream = client.responses.stream({
      model: 'gpt-4o',
      input: 'get_weather for "Rome"',
      tools: [
        {
          type: 'function',
          name: 'get_weather',
          parameters: weather.function.parameters ?? {},
          strict: true,
        },
      ],
    })
    const reply = await stream.finalResponse()
    expect(reply.output[0]).toMatchObject({
      type: 'function_call',
      name: 'get_weather',
      arguments: '{"city":"Rome"}',
    })
    const call = reply.output[0]
    if (call?.type !== 'function_call') throw new Error('There is no call.')
    const after = await client.responses.create({
      model: 'gpt-4o',
      input: [
        { role: 'user', content: 'get_weather for "Rome"' },
        { type: 'function_call', call_id: call.call_id, name: call.name, arguments: call.arguments },
        { type: 'function_call_output', call_id: call.call_id, output: '21 degrees' },
      ],
    })
    expect(after.output_text).toBe('The tools say: 21 degrees')
  })

  it('end as incomplete at the limit', async () => {
    const reply = await client.responses
      .stream({ model: 'echo', input: 'a b c d', max_output_tokens: 2 })
      .finalResponse()
    expect(reply).toMatchObject({ status: 'incomplete', incomplete_details: { reason: 'max_output_tokens' } })
  })
})

describe('other operations', () => {
  it('embed texts so that similar ones are near each other', async () => {
    const { data, usage } = await client.embeddings.create({
      model: 'text-embedding-3-small',
      input: ['the price of tea in China', 'the tea price in China', 'quarterly earnings were flat'],
      dimensions: 256,
    })
    const [tea, alike, other] = data.map((item) => item.embedding)
    const dot = (first: number[] = [], second: number[] = []) =>
      first.reduce((sum, value, index) => sum + value * (second[index] ?? 0), 0)
    expect(tea).toHaveLength(256)
    expect(dot(tea, tea)).toBeCloseTo(1, 4)
    expect(dot(tea, alike)).toBeGreaterThan(dot(tea, other) + 0.3)
    expect(usage).toEqual({ prompt_tokens: 8 + 7 + 7, total_tokens: 22 })
  })

  it('embed token ids, as floats too', async () => {
    const { data, usage } = await client.embeddings.create({
      model: 'echo',
      input: [[1, 2, 3], [4]],
      encoding_format: 'float',
    })
    expect(data).toHaveLength(2)
    expect(usage.prompt_tokens).toBe(4)
  })

  it('moderate', async () => {
    const { results } = await client.moderations.create({ input: ['I will kill you', 'Good morning'] })
    expect(results.map((result) => [result.flagged, result.categories.violence])).toEqual([
      [true, true],
      [false, false],
    ])
  })

  it('complete, whole and streamed', async () => {
    const body = { model: 'gpt-3.5-turbo-instruct', prompt: 'def add(a, b):', max_tokens: 4 }
    const whole = await client.completions.create(body)
    const chunks = await collect(
      await client.completions.create({ ...body, stream: true, stream_options: { include_usage: true } }),
    )
    expect(whole.choices[0]).toMatchObject({ text: 'def add(a', finish_reason: 'length' })
    expect(chunks.map((chunk) => chunk.choices[0]?.text ?? '').join('')).toBe('def add(a')
    expect(chunks.at(-1)?.usage).toEqual(whole.usage)
  })

  it('list models', async () => {
    expect((await client.models.list()).data.map((model) => model.id)).toContain('echo')
    expect((await client.models.retrieve('gpt-4o')).id).toBe('gpt-4o')
  })

  it('draw and speak', async () => {
    const image = await client.images.generate({ model: 'gpt-image-1', prompt: 'a cat', n: 2 })
    expect(image.data).toHaveLength(2)
    expect(image.usage).toMatchObject({ input_tokens: 2, output_tokens: 200, total_tokens: 202 })
    const speech = await client.audio.speech.create({
      model: 'tts-1',
      voice: 'alloy',
      input: 'hi',
      response_format: 'wav',
    })
    expect(Buffer.from(await speech.arrayBuffer()).toString('latin1', 0, 4)).toBe('RIFF')
  })

  it('transcribe', async () => {
    const file = await toFile(Buffer.from('sound'), 'hello.wav')
    const reply = await client.audio.transcriptions.create({ model: 'gpt-4o-transcribe', file })
    expect(reply).toMatchObject({ text: 'Transcript of hello.wav', usage: { type: 'tokens' } })
  })

  it('keep files and work off batches, whose lines are charged', async () => {
    const lines = ['first', 'error'].map((id) =>
      JSON.stringify({
        custom_id: id,
        method: 'POST',
        url: '/v1/chat/completions',
        body: { model: id === 'error' ? 'error' : 'fixed-20-5', messages: user('hi') },
      }),
    )
    const file = await client.files.create({
      purpose: 'batch',
      file: await toFile(Buffer.from(lines.join('\n')), 'in.jsonl'),
    })
    const before = simulator.stats().tokensInput
    const { id } = await client.batches.create({
      input_file_id: file.id,
      endpoint: '/v1/chat/completions',
      completion_window: '24h',
    })
    const batch = await client.batches.retrieve(id)
    expect(batch).toMatchObject({
      status: 'completed',
      request_counts: { total: 2, completed: 1, failed: 1 },
    })
    expect(simulator.stats().tokensInput - before).toBe(20)
    const output = await (await client.files.content(batch.output_file_id ?? '')).text()
    expect(JSON.parse(output)).toMatchObject({
      custom_id: 'first',
      response: { status_code: 200, body: { usage: { prompt_tokens: 20 } } },
    })
    expect(await client.files.delete(file.id)).toMatchObject({ deleted: true })
    await expect(client.files.retrieve(file.id)).rejects.toBeInstanceOf(OpenAI.NotFoundError)
  })

  it('rerank by shared words', async () => {
    const reply = await client.post('/rerank', {
      body: { model: 'rerank', query: 'green tea', documents: ['red wine', 'green tea leaves'], top_n: 1 },
    })
    expect(reply).toMatchObject({ results: [{ index: 1 }], usage: { total_tokens: 10 } })
  })

  it('answer 404 for what is not there', async () => {
    await expect(client.get('/nothing')).rejects.toMatchObject({ status: 404, code: 'unknown_url' })
  })
})
