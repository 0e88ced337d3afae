import { describe, expect, it } from 'vitest'
import { makeChatRequest } from '../pipeline/fixtures/make-exchange.ts'
import { createTokenCounter } from './token-counter.ts'

describe('createTokenCounter()', () => {
  it('counts texts and conversations by the tokenizer of the model', async () => {
    const tokens = createTokenCounter()
    expect(await tokens.countText('', 'gpt-4o')).toBe(0)
    expect(await tokens.countText('Hello, world!', 'gpt-4o')).toBe(4)
    // A message of "user" and "Hi": three around it, three to prime the answer.
    expect(await tokens.countChat(makeChatRequest(), 'gpt-4o')).toBe(8)
  })
})
