import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway()
})
afterAll(() => house.close())

const WORDS = Array.from({ length: 20 }, (_, index) => `word${index}`).join(' ')

// Each of these is forwarded as it is, though our own reader would refuse it.
const CASES = [
  [
    '/v1/chat/completions',
    {
      model: 'openai/gpt-4o',
      stream: true,
      top_logprobs: 99,
      messages: [{ role: 'user', content: WORDS }],
    },
    'upstream_error',
  ],
  [
    '/v1/responses',
    { model: 'openai/gpt-4o', stream: true, top_logprobs: 'many', input: WORDS },
    'response.failed',
  ],
  [
    '/v1/messages',
    {
      model: 'anthropic/claude-sonnet-4-5',
      stream: true,
      max_tokens: 50,
      top_k: 'x',
      messages: [{ role: 'user', content: WORDS }],
    },
    'event: error',
  ],
  [
    '/v1beta/models/google/gemini-2.5-flash:streamGenerateContent?alt=sse',
    { generationConfig: { topK: 'x' }, contents: [{ parts: [{ text: WORDS }] }] },
    '"error"',
  ],
] as const

describe('a forwarded stream that breaks', () => {
  it.each(CASES)(
    'ends in an error event and is settled once at %s, although its request is unreadable',
    async (path, body, mark) => {
      const response = await fetch(house.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${house.key}`, 'x-sim': 'end=12,tps=1000' },
        body: JSON.stringify(body),
      })
      expect(response.status).toBe(200)
      expect(await response.text()).toContain(mark)
      const rows = await house.ledger()
      expect(rows.filter((row) => row.requestId === response.headers.get('x-request-id'))).toMatchObject([
        { status: 502, errorCode: 'upstream_error' },
      ])
    },
  )
})
