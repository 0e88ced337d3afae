import { ChatAnthropic } from '@langchain/anthropic'
import type { BaseChatModel } from '@langchain/core/language_models/chat_models'
import { type AIMessage, type AIMessageChunk, HumanMessage, ToolMessage } from '@langchain/core/messages'
import { tool } from '@langchain/core/tools'
import { concat } from '@langchain/core/utils/stream'
import { ChatGoogleGenerativeAI } from '@langchain/google-genai'
import { ChatOpenAI, OpenAIEmbeddings } from '@langchain/openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Bill, billed, collect } from './bill.ts'
import {
  FAMILIES,
  GREETING,
  SYSTEM,
  TOOL_ANSWER,
  TOOL_ARGUMENTS,
  TOOL_NAMES,
  TOOL_PROMPT,
  TOOLS,
} from './families.ts'

interface Client {
  readonly name: string
  /**
   * Takes a stream's input tokens from the first event, which only Anthropic knows then, and adds the output tokens
   * of the first event to those of the last (`_makeMessageChunkFromAnthropicEvent`, @langchain/anthropic 1.5.11).
   */
  readonly addsFirstUsage?: true
  /** It skips error events, whoever sends them: what it then shows as the reason why the reply ended. */
  readonly finishOfBroken?: string
  chatModel(house: TestGateway, model: string): BaseChatModel
}

const CLIENTS: readonly Client[] = [
  {
    name: 'ChatOpenAI',
    chatModel: ({ url, key }, model) =>
      new ChatOpenAI({ model, apiKey: key, maxRetries: 0, configuration: { baseURL: `${url}/v1` } }),
  },
  {
    name: 'ChatOpenAI (responses)',
    finishOfBroken: 'undefined',
    chatModel: ({ url, key }, model) =>
      new ChatOpenAI({
        model,
        apiKey: key,
        maxRetries: 0,
        useResponsesApi: true,
        configuration: { baseURL: `${url}/v1` },
      }),
  },
  {
    name: 'ChatAnthropic',
    addsFirstUsage: true,
    chatModel: ({ url, key }, model) =>
      new ChatAnthropic({ model, apiKey: key, anthropicApiUrl: url, maxRetries: 0 }),
  },
  {
    name: 'ChatGoogleGenerativeAI',
    finishOfBroken: 'OTHER',
    chatModel: ({ url, key }, model) =>
      new ChatGoogleGenerativeAI({ model, apiKey: key, baseUrl: url, maxRetries: 0 }),
  },
]

const PAIRS = CLIENTS.flatMap((client) => FAMILIES.map((family) => ({ client, family })))

let house: TestGateway

beforeAll(async () => {
  house = await startGateway()
})

afterAll(() => house.close())

const OFFERED = TOOLS.map(({ name, description, result }) =>
  tool(() => result, { name, description, schema: z.object({ city: z.string() }) }),
)

function usage({ tokensInput, tokensOutput }: Bill) {
  return {
    input_tokens: tokensInput,
    output_tokens: tokensOutput,
    total_tokens: tokensInput + tokensOutput,
  }
}

/** What a client makes of the usage in a stream. */
function expectStreamUsage(client: Client, provider: string, found: unknown, bill: Bill): void {
  if (client.addsFirstUsage === undefined) {
    expect(found).toMatchObject(usage(bill))
  } else if (provider === 'anthropic') {
    // `message_start` says one token of output there.
    expect(found).toMatchObject(usage({ ...bill, tokensOutput: bill.tokensOutput + 1 }))
  } else {
    const { input_tokens, output_tokens } = z
      .object({ input_tokens: z.number(), output_tokens: z.number() })
      .parse(found)
    expect(output_tokens).toBe(bill.tokensOutput)
    // Our estimate, by another measure than the simulator's.
    expect(input_tokens).toBeGreaterThan(bill.tokensInput / 2)
    expect(input_tokens).toBeLessThan(bill.tokensInput * 2)
  }
}

/** Each format has a field and a word of its own for the reason why a reply ended. */
function finishOf({ response_metadata }: AIMessage | AIMessageChunk): string {
  const { finish_reason, finishReason, stop_reason, status } = response_metadata
  return String(finish_reason ?? finishReason ?? stop_reason ?? status)
}

async function streamed(model: Pick<BaseChatModel, 'stream'>, input: Parameters<BaseChatModel['stream']>[0]) {
  const chunks = await collect(await model.stream(input))
  const [first, ...rest] = chunks
  if (first === undefined) throw new Error('The stream was empty.')
  return { chunks, whole: rest.reduce((sum, chunk) => concat(sum, chunk), first) }
}

describe.each(PAIRS)('$client.name at $family.provider', ({ client, family }) => {
  const newModel = () => client.chatModel(house, family.model)
  const greeting = [
    { role: 'system', content: SYSTEM },
    { role: 'user', content: GREETING },
  ]

  it('invoke() brings text, finish reason and usage', async () => {
    const { result, bill } = await billed(house, () => newModel().invoke(greeting))
    expect(result.text).toBe(GREETING)
    expect(finishOf(result)).toMatch(/^(stop|STOP|end_turn|completed)$/)
    expect(bill.calls).toBe(1)
    expect(result.usage_metadata).toMatchObject(usage(bill))
  })

  it('stream() brings the same', async () => {
    const { result, bill } = await billed(house, () => streamed(newModel(), greeting))
    expect(result.whole.text).toBe(GREETING)
    expect(result.chunks.filter(({ text }) => text !== '').length).toBeGreaterThan(1)
    expectStreamUsage(client, family.provider, result.whole.usage_metadata, bill)
  })

  it.each(['invoke', 'stream'])('bindTools() takes tools through a whole round with %s()', async (way) => {
    const model = newModel().bindTools?.(OFFERED)
    if (model === undefined) throw new Error('This client knows no tools.')
    const ask = async (messages: (HumanMessage | AIMessage | AIMessageChunk | ToolMessage)[]) => {
      if (way === 'invoke') return model.invoke(messages)
      const { whole } = await streamed(model as unknown as BaseChatModel, messages)
      return whole
    }
    const expectUsage = (found: unknown, bill: Bill) => {
      if (way === 'invoke') expect(found).toMatchObject(usage(bill))
      else expectStreamUsage(client, family.provider, found, bill)
    }
    const question = new HumanMessage(TOOL_PROMPT)
    const first = await billed(house, () => ask([question]))
    const calls = first.result.tool_calls ?? []
    expect(calls.map(({ name }) => name)).toEqual(TOOL_NAMES)
    expect(calls.map(({ args }) => args)).toEqual([TOOL_ARGUMENTS, TOOL_ARGUMENTS])
    expectUsage(first.result.usage_metadata, first.bill)
    const results: ToolMessage[] = []
    for (const call of calls) {
      const found = OFFERED.find(({ name }) => name === call.name)
      if (found === undefined) throw new Error(`Nobody offered the tool ${call.name}.`)
      results.push(
        new ToolMessage({
          content: await found.invoke({ city: String(call.args.city) }),
          tool_call_id: call.id ?? '',
          name: call.name,
        }),
      )
    }
    const second = await billed(house, () => ask([question, first.result, ...results]))
    expect(second.result.text).toBe(TOOL_ANSWER)
    expectUsage(second.result.usage_metadata, second.bill)
  })

  it('stream() tells a broken stream from a complete one', async () => {
    await fetch(`${house.simulatorUrl}/sim/control`, {
      method: 'POST',
      body: JSON.stringify({ cut: 5, times: 1 }),
    })
    const broken = streamed(newModel(), greeting)
    if (client.finishOfBroken === undefined) {
      await expect(broken).rejects.toThrow()
    } else {
      const { whole } = await broken
      expect(whole.text).not.toBe(GREETING)
      expect(finishOf(whole)).toBe(client.finishOfBroken)
    }
  })

  it('withStructuredOutput() gives structured output', async () => {
    const schema = z.object({ city: z.string(), population: z.number() }).describe('A city.')
    const answer = await newModel().withStructuredOutput(schema).invoke('Tell me about "Lima".')
    expect(answer).toEqual({ city: 'Lima', population: 1 })
  })
})

describe('OpenAIEmbeddings', () => {
  const models = FAMILIES.flatMap(({ embeddingModel }) => embeddingModel ?? [])
  it.each(models)('embedDocuments() gives vectors of %s', async (model) => {
    const embeddings = new OpenAIEmbeddings({
      model,
      apiKey: house.key,
      maxRetries: 0,
      configuration: { baseURL: `${house.url}/v1` },
    })
    const vectors = await embeddings.embedDocuments(['The fox jumps.', 'The dog sleeps.'])
    expect(vectors).toHaveLength(2)
    for (const vector of vectors) expect(Math.hypot(...vector)).toBeCloseTo(1, 4)
  })
})
