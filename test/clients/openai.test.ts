import OpenAI from 'openai'
import { zodResponseFormat, zodTextFormat } from 'openai/helpers/zod'
import type { ChatCompletionMessageParam, ChatCompletionTool } from 'openai/resources/chat/completions'
import type { FunctionTool, ResponseInput, ResponseUsage } from 'openai/resources/responses/responses'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
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
let client: OpenAI

beforeAll(async () => {
  house = await startGateway()
  client = new OpenAI({ apiKey: house.key, baseURL: `${house.url}/v1`, maxRetries: 0 })
})

afterAll(() => house.close())

const CHAT_TOOLS: ChatCompletionTool[] = TOOLS.map(({ name, description }) => ({
  type: 'function',
  function: { name, description, parameters: TOOL_SCHEMA },
}))
const RESPONSES_TOOLS: FunctionTool[] = TOOLS.map(({ name, description }) => ({
  type: 'function',
  name,
  description,
  parameters: TOOL_SCHEMA,
  strict: true,
}))
const CITY = z.object({ city: z.string(), population: z.number() })

function chatUsage({ tokensInput, tokensOutput }: Bill) {
  return {
    prompt_tokens: tokensInput,
    completion_tokens: tokensOutput,
    total_tokens: tokensInput + tokensOutput,
  }
}

function responsesUsage({ tokensInput, tokensOutput }: Bill): Partial<ResponseUsage> {
  return { input_tokens: tokensInput, output_tokens: tokensOutput, total_tokens: tokensInput + tokensOutput }
}

describe.each(FAMILIES)('openai at $provider', ({ model, upstreamModel, embeddingModel }) => {
  const greeting: ChatCompletionMessageParam[] = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: GREETING },
  ]

  it('chat.completions.create() brings text, finish reason and usage', async () => {
    const { result, bill } = await billed(house, () =>
      client.chat.completions.create({ model, messages: greeting }),
    )
    expect(result.object).toBe('chat.completion')
    expect(result.model).toBe(upstreamModel)
    expect(result.choices).toHaveLength(1)
    expect(result.choices[0]).toMatchObject({
      index: 0,
      message: { role: 'assistant', content: GREETING },
      finish_reason: 'stop',
    })
    expect(bill.calls).toBe(1)
    expect(result.usage).toMatchObject(chatUsage(bill))
    expect(result._request_id).toMatch(/^req_/)
  })

  it('chat.completions.create() streams the same', async () => {
    const { result: chunks, bill } = await billed(house, async () =>
      collect(
        await client.chat.completions.create({
          model,
          messages: greeting,
          stream: true,
          stream_options: { include_usage: true },
        }),
      ),
    )
    const deltas = chunks.flatMap((chunk) => chunk.choices)
    expect(deltas.map(({ delta }) => delta.content ?? '').join('')).toBe(GREETING)
    expect(deltas[0]?.delta.role).toBe('assistant')
    expect(deltas.filter(({ finish_reason }) => finish_reason !== null)).toMatchObject([
      { finish_reason: 'stop' },
    ])
    expect(chunks.filter(({ usage }) => usage != null)).toMatchObject([
      { choices: [], usage: chatUsage(bill) },
    ])
    expect(new Set(chunks.map(({ id }) => id)).size).toBe(1)
  })

  it('chat.completions.create() streams no usage to whom did not ask', async () => {
    const stream = await client.chat.completions.create({ model, messages: greeting, stream: true })
    const chunks = await collect(stream)
    expect(chunks.filter(({ usage }) => usage != null)).toEqual([])
    expect(chunks.every(({ choices }) => choices.length > 0)).toBe(true)
  })

  it('chat.completions.create() stops at the cap and says so', async () => {
    const { result, bill } = await billed(house, () =>
      client.chat.completions.create({ model, messages: greeting, max_completion_tokens: 5 }),
    )
    expect(result.choices[0]?.finish_reason).toBe('length')
    expect(GREETING.startsWith(result.choices[0]?.message.content ?? 'nothing')).toBe(true)
    expect(result.usage?.completion_tokens).toBe(5)
    expect(bill.tokensOutput).toBe(5)
  })

  it('chat.completions.create() takes tools through a whole round, two at once', async () => {
    const messages: ChatCompletionMessageParam[] = [{ role: 'user', content: TOOL_PROMPT }]
    const first = await billed(house, () =>
      client.chat.completions.create({ model, messages, tools: CHAT_TOOLS }),
    )
    const [choice] = first.result.choices
    const calls = choice?.message.tool_calls ?? []
    expect(choice?.finish_reason).toBe('tool_calls')
    expect(first.result.usage).toMatchObject(chatUsage(first.bill))
    expect(calls.map((call) => call.type === 'function' && call.function.name)).toEqual(TOOL_NAMES)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    if (choice === undefined) throw new Error('No choice came.')
    messages.push(choice.message)
    for (const call of calls) {
      if (call.type !== 'function') throw new Error(`Not a call of a function: ${call.type}`)
      expect(JSON.parse(call.function.arguments)).toEqual(TOOL_ARGUMENTS)
      messages.push({ role: 'tool', tool_call_id: call.id, content: runTool(call.function.name) })
    }
    const second = await billed(house, () =>
      client.chat.completions.create({ model, messages, tools: CHAT_TOOLS }),
    )
    expect(second.result.choices[0]).toMatchObject({
      message: { content: TOOL_ANSWER },
      finish_reason: 'stop',
    })
    expect(second.result.usage).toMatchObject(chatUsage(second.bill))
  })

  it('chat.completions.runTools() streams a whole round by itself', async () => {
    const seen: string[] = []
    const runner = client.chat.completions.runTools({
      model,
      stream: true,
      messages: [{ role: 'user', content: TOOL_PROMPT }],
      tools: TOOLS.map(({ name, description, result }) => ({
        type: 'function' as const,
        function: {
          name,
          description,
          parameters: TOOL_SCHEMA,
          parse: JSON.parse,
          function: (input: unknown) => {
            expect(input).toEqual(TOOL_ARGUMENTS)
            seen.push(name)
            return result
          },
        },
      })),
    })
    const { result, bill } = await billed(house, () => runner.finalContent())
    expect(result).toBe(TOOL_ANSWER)
    expect(seen).toEqual(TOOL_NAMES)
    expect(bill.calls).toBe(2)
  })

  it('chat.completions.create() forces the tool that is named, and one call where asked', async () => {
    const { choices } = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'How is it in "Bern"?' }],
      tools: CHAT_TOOLS,
      tool_choice: { type: 'function', function: { name: 'get_time' } },
      parallel_tool_calls: false,
    })
    const [call, ...more] = choices[0]?.message.tool_calls ?? []
    expect(call).toMatchObject({ function: { name: 'get_time', arguments: '{"city":"Bern"}' } })
    expect(more).toEqual([])
  })

  it('chat.completions.parse() gives structured output', async () => {
    const { result, bill } = await billed(house, () =>
      client.chat.completions.parse({
        model,
        messages: [{ role: 'user', content: 'Tell me about "Lima".' }],
        response_format: zodResponseFormat(CITY, 'city'),
      }),
    )
    expect(result.choices[0]?.message.parsed).toEqual({ city: 'Lima', population: 1 })
    expect(result.choices[0]?.finish_reason).toBe('stop')
    expect(result.usage).toMatchObject(chatUsage(bill))
  })

  it('chat.completions.create() accepts images', async () => {
    const { result, bill } = await billed(house, () =>
      client.chat.completions.create({
        model,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'image_url', image_url: { url: `data:image/png;base64,${PNG_BASE64}`, detail: 'low' } },
            ],
          },
        ],
      }),
    )
    expect(result.choices[0]?.message.content).toBe('What is this?')
    // Four words of text, and what the simulator takes for an image.
    expect(bill.tokensInput).toBe(4 + 85)
    expect(result.usage).toMatchObject(chatUsage(bill))
  })

  it('responses.create() brings text, status and usage', async () => {
    const { result, bill } = await billed(house, () =>
      client.responses.create({ model, instructions: SYSTEM, input: GREETING }),
    )
    expect(result).toMatchObject({ object: 'response', status: 'completed', error: null })
    expect(result.output_text).toBe(GREETING)
    expect(result.usage).toMatchObject(responsesUsage(bill))
  })

  it('responses.create() streams the same and ends in response.completed', async () => {
    const { result: events, bill } = await billed(house, async () =>
      collect(await client.responses.create({ model, instructions: SYSTEM, input: GREETING, stream: true })),
    )
    expect(events[0]?.type).toBe('response.created')
    const text = events.map((event) => (event.type === 'response.output_text.delta' ? event.delta : ''))
    expect(text.join('')).toBe(GREETING)
    const last = events.at(-1)
    if (last?.type !== 'response.completed') throw new Error(`The stream ended in ${last?.type}.`)
    expect(last.response.output).toMatchObject([
      { type: 'message', content: [{ type: 'output_text', text: GREETING }] },
    ])
    expect(last.response.usage).toMatchObject(responsesUsage(bill))
    expect(events.map(({ sequence_number }) => sequence_number)).toEqual(events.map((_, index) => index))
  })

  it('responses.create() takes tools through a whole round, whole and streamed', async () => {
    for (const stream of [false, true]) {
      const input: ResponseInput = [{ role: 'user', content: TOOL_PROMPT }]
      const ask = () =>
        stream
          ? client.responses.stream({ model, input, tools: RESPONSES_TOOLS }).finalResponse()
          : client.responses.create({ model, input, tools: RESPONSES_TOOLS })
      const first = await billed(house, ask)
      expect(first.result.usage).toMatchObject(responsesUsage(first.bill))
      const calls = first.result.output.filter((item) => item.type === 'function_call')
      expect(calls.map(({ name }) => name)).toEqual(TOOL_NAMES)
      for (const call of calls) {
        expect(JSON.parse(call.arguments)).toEqual(TOOL_ARGUMENTS)
        input.push({
          type: 'function_call',
          call_id: call.call_id,
          name: call.name,
          arguments: call.arguments,
        })
      }
      for (const { call_id, name } of calls) {
        input.push({ type: 'function_call_output', call_id, output: runTool(name) })
      }
      const second = await billed(house, ask)
      expect(second.result.output_text).toBe(TOOL_ANSWER)
      expect(second.result.status).toBe('completed')
      expect(second.result.usage).toMatchObject(responsesUsage(second.bill))
    }
  })

  it('responses.parse() gives structured output', async () => {
    const response = await client.responses.parse({
      model,
      input: 'Tell me about "Lima".',
      text: { format: zodTextFormat(CITY, 'city') },
    })
    expect(response.output_parsed).toEqual({ city: 'Lima', population: 1 })
  })

  it('responses.create() accepts images', async () => {
    const { result, bill } = await billed(house, () =>
      client.responses.create({
        model,
        input: [
          {
            role: 'user',
            content: [
              { type: 'input_text', text: 'What is this?' },
              { type: 'input_image', image_url: `data:image/png;base64,${PNG_BASE64}`, detail: 'auto' },
            ],
          },
        ],
      }),
    )
    expect(result.output_text).toBe('What is this?')
    expect(bill.tokensInput).toBe(4 + 85)
  })

  it('embeddings.create() gives vectors, or says that there are none', async () => {
    const ask = () =>
      client.embeddings.create({
        model: embeddingModel ?? model,
        input: ['The fox jumps.', 'The dog sleeps.'],
        dimensions: 8,
      })
    if (embeddingModel === undefined) {
      await expect(ask()).rejects.toMatchObject({ status: 400, code: 'unsupported_feature' })
      return
    }
    const { result, bill } = await billed(house, ask)
    expect(result.data.map(({ index }) => index)).toEqual([0, 1])
    // The simulator makes one vector of a text, whoever asks; it is of length 1.
    for (const { embedding } of result.data) {
      expect(embedding).toHaveLength(8)
      expect(Math.hypot(...embedding)).toBeCloseTo(1, 5)
    }
    expect(result.data[0]?.embedding).not.toEqual(result.data[1]?.embedding)
    expect(result.usage).toEqual({ prompt_tokens: bill.tokensInput, total_tokens: bill.tokensInput })
    expect(bill.tokensInput).toBeGreaterThan(0)
  })
})

describe('openai', () => {
  it('models.list() names the models of every provider, models.retrieve() each', async () => {
    const models = await collect(client.models.list())
    const ids = models.map(({ id }) => id)
    for (const { model } of FAMILIES) {
      expect(ids).toContain(model)
      const found = await client.models.retrieve(model)
      expect(found).toMatchObject({ id: model, object: 'model', owned_by: model.split('/')[0] })
    }
  })

  it('errors have the class, the code and the request id that the client looks for', async () => {
    const wrongKey = new OpenAI({ apiKey: 'gh-wrong', baseURL: `${house.url}/v1`, maxRetries: 0 })
    const asked = { model: 'openai/gpt-4o', messages: [{ role: 'user' as const, content: 'Hi' }] }
    const unauthorized = await wrongKey.chat.completions.create(asked).catch((error: unknown) => error)
    expect(unauthorized).toBeInstanceOf(OpenAI.AuthenticationError)
    const missing = await client.chat.completions
      .create({ ...asked, model: 'gpt-four' })
      .catch((error: unknown) => error)
    expect(missing).toBeInstanceOf(OpenAI.NotFoundError)
    expect(missing).toMatchObject({ status: 404, code: 'model_not_found', param: 'model' })
    expect(missing).toHaveProperty('requestID', expect.stringMatching(/^req_/))
  })

  it('streams that break throw', async () => {
    for (const { model } of FAMILIES) {
      const stream = await client.chat.completions.create(
        { model, messages: [{ role: 'user', content: GREETING }], stream: true },
        { headers: { 'x-sim': 'cut=4' } },
      )
      await expect(collect(stream), model).rejects.toThrow(/complete|connection/i)
    }
  })
})
