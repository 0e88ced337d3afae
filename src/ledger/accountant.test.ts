import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Attempt, Incoming } from '../pipeline/exchange.ts'
import { makeExchange, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../routing/attempt.ts'
import { createAccountant, type TokenCounter } from './accountant.ts'

const PRICE = { version: 'test@1', known: true }

/** One nano-dollar a token of input, a thousand a token of output. */
const PRICES = {
  priceOf: () => PRICE,
  costOf: (usage: { inputTokens?: number | undefined; outputTokens?: number | undefined }) =>
    (usage.inputTokens ?? 0) + 1000 * (usage.outputTokens ?? 0),
}

/** A word is a token; a conversation has seven. */
const TOKENS: TokenCounter = {
  countChat: async () => 7,
  countText: async (text) => (text === '' ? 0 : text.trim().split(/\s+/).length),
}

function makeAttempt(changes: Partial<Attempt> = {}): Attempt {
  const target = { provider: 'p', model: 'm', reason: '' }
  return { ...newAttempt('a-1', 1, target, PRICE, 0), dispatched: true, status: 200, ...changes }
}

async function account(attempt: Attempt, incoming: Incoming = makeIncoming(), tokens = TOKENS) {
  await createAccountant({ prices: PRICES, tokens }).account(makeExchange({ incoming }), attempt)
  const { usage, estimated, costNanoUsd } = attempt
  return { input: usage.inputTokens, output: usage.outputTokens, estimated, costNanoUsd }
}

describe('account()', () => {
  it('prices what the provider said, zeros included, and has nothing to wait for', () => {
    const accountant = createAccountant({ prices: PRICES, tokens: TOKENS })
    const attempt = makeAttempt({ usage: { inputTokens: 5, outputTokens: 2, cachedInputTokens: 3 } })
    expect(accountant.account(makeExchange(), attempt)).toBeUndefined()
    expect(attempt).toMatchObject({ costNanoUsd: 2005, estimated: false })
    const nothing = makeAttempt({ usage: { inputTokens: 0, outputTokens: 0 }, outputText: 'some text' })
    expect(accountant.account(makeExchange(), nothing)).toBeUndefined()
    expect(nothing).toMatchObject({ costNanoUsd: 0, estimated: false })
  })

  it.each([
    ['both', {}, { input: 7, output: 3, estimated: true, costNanoUsd: 3007 }],
    ['input', { outputTokens: 9 }, { input: 7, output: 9, estimated: true, costNanoUsd: 9007 }],
    ['output', { inputTokens: 9 }, { input: 9, output: 3, estimated: true, costNanoUsd: 3009 }],
    ['input beside a zero', { outputTokens: 0 }, { input: 7, output: 0, estimated: true, costNanoUsd: 7 }],
    ['output beside a zero', { inputTokens: 0 }, { input: 0, output: 3, estimated: true, costNanoUsd: 3000 }],
  ])('counts %s itself where the provider did not say', async (_name, usage, expected) => {
    expect(await account(makeAttempt({ usage, outputText: 'one two three' }))).toEqual(expected)
  })

  it('keeps the parts that the provider did say', async () => {
    const attempt = makeAttempt({ usage: { inputTokens: 9, cachedInputTokens: 4, reasoningTokens: 1 } })
    await account(attempt)
    expect(attempt.usage).toEqual({
      inputTokens: 9,
      cachedInputTokens: 4,
      reasoningTokens: 1,
      outputTokens: 0,
    })
  })

  it('charges nothing for what never left us, nor for what the provider refused', async () => {
    const nothing = { input: undefined, output: undefined, estimated: false, costNanoUsd: 0 }
    expect(await account(makeAttempt({ dispatched: false, status: undefined }))).toEqual(nothing)
    for (const status of [400, 401, 404, 429, 500, 503])
      expect(await account(makeAttempt({ status }))).toEqual(nothing)
  })

  it('charges the input of a request that left and was not answered', async () => {
    expect(await account(makeAttempt({ status: undefined, errorCode: 'upstream_timeout' }))).toEqual({
      input: 7,
      output: 0,
      estimated: true,
      costNanoUsd: 7,
    })
  })

  it('charges a stream that was left for what came, and no more', async () => {
    const attempt = makeAttempt({ errorCode: 'client_closed', outputText: 'two words' })
    expect(await account(attempt)).toMatchObject({ output: 2, estimated: true, costNanoUsd: 2007 })
  })

  it('accounts an attempt once', async () => {
    const accountant = createAccountant({ prices: PRICES, tokens: TOKENS })
    const attempt = makeAttempt({ usage: { inputTokens: 1, outputTokens: 1 } })
    accountant.account(makeExchange(), attempt)
    attempt.usage = { inputTokens: 100, outputTokens: 100 }
    expect(accountant.account(makeExchange(), attempt)).toBeUndefined()
    expect(attempt.costNanoUsd).toBe(1001)
  })

  it('counts the texts and the token ids of embeddings', async () => {
    const incoming = makeIncoming(
      { model: 'm', input: [] },
      {
        operation: 'embedding',
        embedding: () => ({
          model: 'm',
          inputs: ['one two', [11, 12, 13]],
          encodingFormat: 'float',
          unmapped: [],
        }),
      },
    )
    expect(await account(makeAttempt({ usage: { outputTokens: 0 } }), incoming)).toMatchObject({ input: 5 })
  })

  it.each([
    ['of ours', new GatewayError('invalid_request', { message: 'no' })],
    ['of anybody', new TypeError('x is undefined')],
  ])('counts the body as text where reading it ends in an error %s', async (_name, error) => {
    const incoming = makeIncoming(
      { messages: 'a new shape' },
      {
        chat() {
          throw error
        },
      },
    )
    const { input, estimated } = await account(makeAttempt(), incoming)
    expect(input).toBeGreaterThan(0)
    expect(estimated).toBe(true)
  })

  it('goes by the length of the text where no tokenizer can be loaded', async () => {
    const broken: TokenCounter = {
      countChat: async () => {
        throw new Error('Cannot find module')
      },
      countText: async () => {
        throw new Error('Cannot find module')
      },
    }
    const attempt = makeAttempt({ outputText: 'x'.repeat(700) })
    const { input, output, estimated } = await account(attempt, makeIncoming(), broken)
    expect(input).toBeGreaterThan(5)
    expect(output).toBe(200)
    expect(estimated).toBe(true)
  })

  it('never leaves an attempt that cost something without both counts and a cost', async () => {
    const count = fc.option(fc.nat(1000), { nil: undefined })
    await fc.assert(
      fc.asyncProperty(count, count, fc.string(), async (inputTokens, outputTokens, outputText) => {
        const { input, output, estimated, costNanoUsd } = await account(
          makeAttempt({ usage: { inputTokens, outputTokens }, outputText }),
        )
        expect(input).toBe(inputTokens ?? 7)
        expect(estimated).toBe(inputTokens === undefined || outputTokens === undefined)
        expect(costNanoUsd).toBe((input ?? 0) + 1000 * (output ?? 0))
      }),
    )
  })
})
