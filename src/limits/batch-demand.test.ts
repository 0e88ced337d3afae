import { describe, expect, it } from 'vitest'
import { BatchDemand, type BatchDemandOptions } from './batch-demand.ts'
import { Experience } from './experience.ts'

const INPUT_NANO = 1
const OUTPUT_NANO = 1_000_000

function demand(change: Partial<BatchDemandOptions> = {}): BatchDemand {
  return new BatchDemand({
    experience: new Experience(),
    provider: 'openai',
    endpoint: '/v1/chat/completions',
    task: undefined,
    quoteOf: () => ({
      quote: { costOf: (input, output) => input * INPUT_NANO + output * OUTPUT_NANO },
      priceVersion: 'v1',
      unitsNanoUsd: () => 0,
    }),
    ...change,
  })
}

/** @returns tokens of output, and of input, that one line is held for */
function tokensOf(body: Record<string, unknown>, change: Partial<BatchDemandOptions> = {}): [number, number] {
  const one = demand(change)
  one.add({ model: 'm', ...body })
  return [Math.floor(one.costNanoUsd / OUTPUT_NANO), one.costNanoUsd % OUTPUT_NANO]
}

const MESSAGES = [{ role: 'user', content: 'word '.repeat(2000) }]

describe('BatchDemand.add()', () => {
  it('takes the cap of a line, for each of its answers', () => {
    expect(tokensOf({ messages: MESSAGES, max_completion_tokens: 50, n: 3 })[0]).toBe(150)
    expect(tokensOf({ max_output_tokens: 70 }, { endpoint: '/v1/responses' })[0]).toBe(70)
    expect(tokensOf({ prompt: ['a', 'b'], max_tokens: 5 }, { endpoint: '/v1/completions' })[0]).toBe(10)
  })

  it('takes a usual answer where a line has no cap, and half a token a byte of input, for a model that is new', () => {
    const [output, input] = tokensOf({ messages: MESSAGES })
    expect(output).toBe(1024)
    expect(input).toBeGreaterThanOrEqual(5000)
    expect(input).toBeLessThan(5100)
  })

  it('takes what calls to the model usually used', () => {
    const experience = new Experience()
    for (let i = 0; i < 50; i++) {
      experience.note({
        target: 'openai/m',
        task: undefined,
        inputBytes: 10_000,
        inputTokens: 2500,
        outputTokens: 200,
        choices: 1,
        costFactor: 1,
        outputTokensMax: undefined,
        reasons: false,
      })
    }
    const [output, input] = tokensOf({ messages: MESSAGES }, { experience })
    expect(output).toBeGreaterThanOrEqual(200)
    expect(output).toBeLessThan(220)
    expect(input).toBeGreaterThan(2400)
    expect(input).toBeLessThan(2800)
  })

  it('expects no text of embeddings, and adds what is sold by the piece', () => {
    expect(tokensOf({ input: 'x'.repeat(1000) }, { endpoint: '/v1/embeddings' })[0]).toBe(0)
    const images = demand({
      endpoint: '/v1/images/generations',
      quoteOf: () => ({
        quote: { costOf: () => 0 },
        priceVersion: 'v1',
        unitsNanoUsd: ({ operation, json }) => (operation === 'image' ? Number(json?.n) * 7 : 0),
      }),
    })
    images.add({ model: 'dall-e-3', prompt: 'a cat', n: 2 })
    images.add({ model: 'dall-e-3', prompt: 'a dog', n: 1 })
    expect(images.costNanoUsd).toBe(21)
  })

  it('holds nothing for moderations without a model, and asks for the price of every other line', () => {
    const asked: string[] = []
    const quoteOf: BatchDemandOptions['quoteOf'] = (model) => {
      asked.push(model)
      throw new Error('unknown')
    }
    const free = demand({ endpoint: '/v1/moderations', quoteOf })
    free.add({ input: 'text' })
    expect(free.costNanoUsd).toBe(0)
    expect(() => demand({ quoteOf }).add({ messages: MESSAGES })).toThrow('unknown')
    expect(asked).toEqual([''])
  })

  it('asks once for the price of a model, and forgets no line among many models', () => {
    const asked: string[] = []
    const many = demand({
      quoteOf: (model) => {
        asked.push(model)
        return { quote: { costOf: () => 1 }, priceVersion: 'v1', unitsNanoUsd: () => 0 }
      },
    })
    for (let i = 0; i < 1000; i++) many.add({ model: `m${i % 2}` })
    expect([many.costNanoUsd, asked]).toEqual([1000, ['m0', 'm1']])
    for (let i = 0; i < 1000; i++) many.add({ model: `m${i}` })
    expect(many.costNanoUsd).toBe(2000)
  })

  it('ends at what counters can hold', () => {
    const dear = demand({
      quoteOf: () => ({
        quote: { costOf: () => Number.MAX_SAFE_INTEGER },
        priceVersion: 'v1',
        unitsNanoUsd: () => 0,
      }),
    })
    dear.add({ model: 'm' })
    dear.add({ model: 'm' })
    expect(dear.costNanoUsd).toBe(Number.MAX_SAFE_INTEGER)
  })
})
