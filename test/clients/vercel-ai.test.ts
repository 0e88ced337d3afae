import { createAnthropic } from '@ai-sdk/anthropic'
import { createGoogleGenerativeAI } from '@ai-sdk/google'
import { createOpenAI } from '@ai-sdk/openai'
import { embed, generateText, isStepCount, type LanguageModel, Output, streamText, tool } from 'ai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { z } from 'zod'
import { startGateway, type TestGateway } from '../support/gateway.ts'
import { type Bill, billed } from './bill.ts'
import {
  FAMILIES,
  GREETING,
  PNG_BASE64,
  SYSTEM,
  TOOL_ANSWER,
  TOOL_ARGUMENTS,
  TOOL_NAMES,
  TOOL_PROMPT,
  TOOLS,
} from './families.ts'

interface Client {
  readonly name: string
  languageModel(house: TestGateway, model: string): LanguageModel
}

const CLIENTS: readonly Client[] = [
  {
    name: '@ai-sdk/openai (chat)',
    languageModel: ({ url, key }, model) => createOpenAI({ apiKey: key, baseURL: `${url}/v1` }).chat(model),
  },
  {
    name: '@ai-sdk/openai (responses)',
    languageModel: ({ url, key }, model) => createOpenAI({ apiKey: key, baseURL: `${url}/v1` })(model),
  },
  {
    name: '@ai-sdk/anthropic',
    languageModel: ({ url, key }, model) => createAnthropic({ apiKey: key, baseURL: `${url}/v1` })(model),
  },
  {
    name: '@ai-sdk/google',
    languageModel: ({ url, key }, model) =>
      createGoogleGenerativeAI({ apiKey: key, baseURL: `${url}/v1beta` })(model),
  },
]

const PAIRS = CLIENTS.flatMap((client) => FAMILIES.map((family) => ({ client, family })))

let house: TestGateway

beforeAll(async () => {
  house = await startGateway()
})

afterAll(() => house.close())

function usage({ tokensInput, tokensOutput }: Bill) {
  return { inputTokens: tokensInput, outputTokens: tokensOutput, totalTokens: tokensInput + tokensOutput }
}

/** @returns the two tools, and the arguments they were called with */
function newTools() {
  const asked: unknown[] = []
  const tools = Object.fromEntries(
    TOOLS.map(({ name, description, result }) => [
      name,
      tool({
        description,
        inputSchema: z.object({ city: z.string() }),
        execute: async (input) => {
          asked.push(input)
          return result
        },
      }),
    ]),
  )
  return { asked, tools }
}

describe.each(PAIRS)('$client.name at $family.provider', ({ client, family }) => {
  const settings = () => ({ model: client.languageModel(house, family.model), maxRetries: 0 })

  it('generateText() brings text, finish reason and usage', async () => {
    const { result, bill } = await billed(house, () =>
      generateText({ ...settings(), instructions: SYSTEM, prompt: GREETING }),
    )
    expect(result.text).toBe(GREETING)
    expect(result.finishReason).toBe('stop')
    expect(bill.calls).toBe(1)
    expect(result.usage).toMatchObject(usage(bill))
    expect(result.response.modelId).toBe(
      // Google's client keeps the name that it was given.
      client.name === '@ai-sdk/google' ? family.model : family.upstreamModel,
    )
  })

  it('streamText() brings the same', async () => {
    const deltas: string[] = []
    const { result, bill } = await billed(house, async () => {
      const stream = streamText({ ...settings(), instructions: SYSTEM, prompt: GREETING })
      for await (const delta of stream.textStream) deltas.push(delta)
      return { usage: await stream.usage, finishReason: await stream.finishReason }
    })
    expect(deltas.join('')).toBe(GREETING)
    expect(deltas.length).toBeGreaterThan(1)
    expect(result.finishReason).toBe('stop')
    expect(result.usage).toMatchObject(usage(bill))
  })

  it('generateText() takes tools through a whole round, two at once', async () => {
    const { asked, tools } = newTools()
    const { result, bill } = await billed(house, () =>
      generateText({ ...settings(), prompt: TOOL_PROMPT, tools, stopWhen: isStepCount(3) }),
    )
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(result.steps[0]?.toolCalls.map(({ toolName }) => toolName)).toEqual(TOOL_NAMES)
    expect(asked).toEqual([TOOL_ARGUMENTS, TOOL_ARGUMENTS])
    expect(result.text).toBe(TOOL_ANSWER)
    expect(bill.calls).toBe(2)
    const [first, second] = result.steps
    expect({
      calls: 2,
      tokensInput: (first?.usage.inputTokens ?? 0) + (second?.usage.inputTokens ?? 0),
      tokensOutput: (first?.usage.outputTokens ?? 0) + (second?.usage.outputTokens ?? 0),
    }).toEqual(bill)
  })

  it('streamText() takes tools through a whole round, two at once', async () => {
    const { asked, tools } = newTools()
    const { result, bill } = await billed(house, async () => {
      const stream = streamText({ ...settings(), prompt: TOOL_PROMPT, tools, stopWhen: isStepCount(3) })
      return { text: await stream.text, steps: await stream.steps }
    })
    expect(result.steps.map(({ finishReason }) => finishReason)).toEqual(['tool-calls', 'stop'])
    expect(result.steps[0]?.toolCalls.map(({ toolName }) => toolName)).toEqual(TOOL_NAMES)
    expect(asked).toEqual([TOOL_ARGUMENTS, TOOL_ARGUMENTS])
    expect(result.text).toBe(TOOL_ANSWER)
    expect(bill.calls).toBe(2)
  })

  it('generateText() gives structured output', async () => {
    const { output } = await generateText({
      ...settings(),
      prompt: 'Tell me about "Lima".',
      output: Output.object({ schema: z.object({ city: z.string(), population: z.number() }) }),
    })
    expect(output).toEqual({ city: 'Lima', population: 1 })
  })

  it('generateText() accepts images', async () => {
    const { result, bill } = await billed(house, () =>
      generateText({
        ...settings(),
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'file', data: PNG_BASE64, mediaType: 'image/png' },
            ],
          },
        ],
      }),
    )
    expect(result.text).toBe('What is this?')
    // Four words of text, and what the simulator takes for an image.
    expect(bill.tokensInput).toBe(4 + 85)
  })

  it('streamText() reports a stream that breaks', async () => {
    const errors: unknown[] = []
    const stream = streamText({
      ...settings(),
      prompt: GREETING,
      headers: { 'x-sim': 'cut=4' },
      onError: ({ error }) => {
        errors.push(error)
      },
    })
    await stream.consumeStream()
    expect(errors).toHaveLength(1)
  })
})

describe('embed()', () => {
  const families = FAMILIES.flatMap(({ embeddingModel }) => embeddingModel ?? [])
  it.each(families)('gives vectors of %s, asked for in either format', async (model) => {
    const clients = [
      createOpenAI({ apiKey: house.key, baseURL: `${house.url}/v1` }).embedding(model),
      createGoogleGenerativeAI({ apiKey: house.key, baseURL: `${house.url}/v1beta` }).embedding(model),
    ]
    for (const client of clients) {
      const { result, bill } = await billed(house, () => embed({ model: client, value: GREETING }))
      expect(Math.hypot(...result.embedding)).toBeCloseTo(1, 4)
      expect(bill.calls).toBe(1)
    }
  })
})
