import Anthropic from '@anthropic-ai/sdk'
import { zodOutputFormat } from '@anthropic-ai/sdk/helpers/zod'
import type { MessageParam, Tool, ToolResultBlockParam } from '@anthropic-ai/sdk/resources/messages'
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
let client: Anthropic

beforeAll(async () => {
  house = await startGateway()
  client = new Anthropic({ apiKey: house.key, baseURL: house.url, maxRetries: 0 })
})

afterAll(() => house.close())

const MAX_TOKENS = 1000
const MESSAGE_TOOLS: Tool[] = TOOLS.map(({ name, description }) => ({
  name,
  description,
  input_schema: TOOL_SCHEMA,
}))

function usage({ tokensInput, tokensOutput }: Bill) {
  return { input_tokens: tokensInput, output_tokens: tokensOutput }
}

describe.each(FAMILIES)('anthropic at $provider', ({ model, upstreamModel, countsTokens }) => {
  const asked = {
    model,
    max_tokens: MAX_TOKENS,
    system: SYSTEM,
    messages: [{ role: 'user' as const, content: GREETING }],
  }

  it('messages.create() brings text, stop reason and usage', async () => {
    const { result, bill } = await billed(house, () => client.messages.create(asked))
    expect(result).toMatchObject({
      type: 'message',
      role: 'assistant',
      model: upstreamModel,
      content: [{ type: 'text', text: GREETING }],
      stop_reason: 'end_turn',
      stop_sequence: null,
    })
    expect(bill.calls).toBe(1)
    expect(result.usage).toMatchObject(usage(bill))
    expect(result._request_id).toMatch(/^req_/)
  })

  it('messages.stream() brings the same', async () => {
    const deltas: string[] = []
    const { result, bill } = await billed(house, () =>
      client.messages
        .stream(asked)
        .on('text', (delta) => deltas.push(delta))
        .finalMessage(),
    )
    expect(deltas.join('')).toBe(GREETING)
    expect(deltas.length).toBeGreaterThan(1)
    expect(result).toMatchObject({
      model: upstreamModel,
      content: [{ type: 'text', text: GREETING }],
      stop_reason: 'end_turn',
    })
    expect(result.usage).toMatchObject(usage(bill))
  })

  it('messages.create() streams its events in the documented order', async () => {
    const events = await collect(await client.messages.create({ ...asked, stream: true }))
    const types = events.map(({ type }) => type).filter((type, index, all) => type !== all[index - 1])
    expect(types).toEqual([
      'message_start',
      'content_block_start',
      'content_block_delta',
      'content_block_stop',
      'message_delta',
      'message_stop',
    ])
    const [start] = events
    if (start?.type !== 'message_start') throw new Error('No message began.')
    // Clients show the size of the prompt from the first event on.
    expect(start.message.usage.input_tokens).toBeGreaterThan(0)
  })

  it('messages.create() stops at the cap and at a stop sequence, and says which', async () => {
    const capped = await client.messages.create({ ...asked, max_tokens: 5 })
    expect(capped.stop_reason).toBe('max_tokens')
    expect(capped.usage.output_tokens).toBe(5)
    const stopped = await client.messages.create({ ...asked, stop_sequences: ['brown'] })
    const [block] = stopped.content
    expect(block?.type === 'text' && block.text).toBe(GREETING.slice(0, GREETING.indexOf('brown')))
  })

  it.each(['whole', 'streamed'])('messages takes tools through a round, two at once, %s', async (way) => {
    const messages: MessageParam[] = [{ role: 'user', content: TOOL_PROMPT }]
    const body = { model, max_tokens: MAX_TOKENS, messages, tools: MESSAGE_TOOLS }
    const ask = () =>
      way === 'streamed' ? client.messages.stream(body).finalMessage() : client.messages.create(body)
    const first = await billed(house, ask)
    expect(first.result.stop_reason).toBe('tool_use')
    expect(first.result.usage).toMatchObject(usage(first.bill))
    const calls = first.result.content.filter((block) => block.type === 'tool_use')
    expect(calls.map(({ name }) => name)).toEqual(TOOL_NAMES)
    expect(new Set(calls.map(({ id }) => id)).size).toBe(2)
    const results = calls.map(({ id, name, input }): ToolResultBlockParam => {
      expect(input).toEqual(TOOL_ARGUMENTS)
      return { type: 'tool_result', tool_use_id: id, content: runTool(name) }
    })
    messages.push({ role: 'assistant', content: first.result.content }, { role: 'user', content: results })
    const second = await billed(house, ask)
    expect(second.result.content).toMatchObject([{ type: 'text', text: TOOL_ANSWER }])
    expect(second.result.stop_reason).toBe('end_turn')
    expect(second.result.usage).toMatchObject(usage(second.bill))
  })

  it('messages.create() forces the tool that is named', async () => {
    const { content } = await client.messages.create({
      model,
      max_tokens: MAX_TOKENS,
      messages: [{ role: 'user', content: 'How is it in "Bern"?' }],
      tools: MESSAGE_TOOLS,
      tool_choice: { type: 'tool', name: 'get_time', disable_parallel_tool_use: true },
    })
    expect(content).toMatchObject([{ type: 'tool_use', name: 'get_time', input: { city: 'Bern' } }])
  })

  it('messages.parse() gives structured output', async () => {
    const message = await client.messages.parse({
      model,
      max_tokens: MAX_TOKENS,
      messages: [{ role: 'user', content: 'Tell me about "Lima".' }],
      output_config: { format: zodOutputFormat(z.object({ city: z.string(), population: z.number() })) },
    })
    expect(message.parsed_output).toEqual({ city: 'Lima', population: 1 })
  })

  it('messages.create() accepts images', async () => {
    const { result, bill } = await billed(house, () =>
      client.messages.create({
        model,
        max_tokens: MAX_TOKENS,
        messages: [
          {
            role: 'user',
            content: [
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: PNG_BASE64 } },
              { type: 'text', text: 'What is this?' },
            ],
          },
        ],
      }),
    )
    expect(result.content).toMatchObject([{ type: 'text', text: 'What is this?' }])
    // Four words of text, and what the simulator takes for an image.
    expect(bill.tokensInput).toBe(4 + 85)
    expect(result.usage).toMatchObject(usage(bill))
  })

  it('messages.countTokens() is what the call will be charged, or a marked estimate', async () => {
    const { max_tokens: _, ...question } = asked
    const counting = await billed(house, () =>
      client.messages.countTokens({ ...question, tools: MESSAGE_TOOLS }).withResponse(),
    )
    const { bill } = await billed(house, () => client.messages.create({ ...asked, tools: MESSAGE_TOOLS }))
    const { data, response } = counting.result
    const warning = response.headers.get('x-gatehouse-warning')
    if (countsTokens) {
      expect(data.input_tokens).toBe(bill.tokensInput)
      expect(warning).toBeNull()
    } else {
      // Another tokenizer than the simulator's, so only the size can be right.
      expect(data.input_tokens).toBeGreaterThan(bill.tokensInput / 2)
      expect(data.input_tokens).toBeLessThan(bill.tokensInput * 2)
      expect(warning).toContain('Estimated')
      expect(counting.bill.calls).toBe(0)
    }
    expect(counting.bill.tokensOutput).toBe(0)
  })

  it('streams that break throw', async () => {
    const stream = client.messages.stream(asked, { headers: { 'x-sim': 'cut=5' } })
    await expect(stream.finalMessage()).rejects.toThrow(/complete|connection/i)
  })
})

describe('anthropic', () => {
  it('models.list() and models.retrieve() name the models of every provider', async () => {
    const ids = (await collect(client.models.list({ limit: 1000 }))).map(({ id }) => id)
    for (const { model } of FAMILIES) {
      expect(ids).toContain(model)
      expect(await client.models.retrieve(model)).toMatchObject({ type: 'model', id: model })
    }
  })

  it('authToken works as well as apiKey', async () => {
    const bearer = new Anthropic({ authToken: house.key, apiKey: null, baseURL: house.url, maxRetries: 0 })
    const message = await bearer.messages.create({
      model: 'anthropic/claude-sonnet-4-5',
      max_tokens: MAX_TOKENS,
      messages: [{ role: 'user', content: 'Hello' }],
    })
    expect(message.content).toMatchObject([{ text: 'Hello' }])
  })

  it('errors have the class and the body that the client looks for', async () => {
    const asked = { max_tokens: MAX_TOKENS, messages: [{ role: 'user' as const, content: 'Hello' }] }
    const missing = await client.messages
      .create({ ...asked, model: 'claude-nine' })
      .catch((error: unknown) => error)
    expect(missing).toBeInstanceOf(Anthropic.NotFoundError)
    expect(missing).toMatchObject({
      error: { type: 'error', error: { type: 'not_found_error' } },
      requestID: expect.stringMatching(/^req_/),
    })
    const stranger = new Anthropic({ apiKey: 'gh-wrong', baseURL: house.url, maxRetries: 0 })
    const refused = await stranger.messages
      .create({ ...asked, model: 'anthropic/claude-sonnet-4-5' })
      .catch((error: unknown) => error)
    expect(refused).toBeInstanceOf(Anthropic.AuthenticationError)
  })
})
