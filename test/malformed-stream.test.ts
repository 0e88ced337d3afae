import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startGateway, type TestGateway } from './support/gateway.ts'

let house: TestGateway

beforeAll(async () => {
  house = await startGateway()
})
afterAll(() => house.close())

const WORDS = Array.from({ length: 30 }, (_, index) => `word${index}`).join(' ')
const ENDS = /\[DONE\]|response\.completed|message_stop|"finishReason"/

// Forwarded where the families are the same, translated where they are not.
const CASES = (['openai/gpt-4o', 'anthropic/claude-sonnet-4-5', 'google/gemini-2.5-flash'] as const).flatMap(
  (model) => [
    [
      '/v1/chat/completions',
      model,
      { model, stream: true, messages: [{ role: 'user', content: WORDS }] },
      '"error"',
    ] as const,
    ['/v1/responses', model, { model, stream: true, input: WORDS }, 'response.failed'] as const,
    [
      '/v1/messages',
      model,
      { model, stream: true, max_tokens: 99, messages: [{ role: 'user', content: WORDS }] },
      'event: error',
    ] as const,
    [
      `/v1beta/models/${model}:streamGenerateContent?alt=sse`,
      model,
      { contents: [{ parts: [{ text: WORDS }] }] },
      '"error"',
    ] as const,
  ],
)

describe('a stream in which an event is broken', () => {
  it.each(CASES)(
    'ends in an error event and never as if complete: %s of %s',
    async (path, _model, body, mark) => {
      for (const fault of ['error-event=14', 'end=14']) {
        const response = await fetch(house.url + path, {
          method: 'POST',
          headers: { authorization: `Bearer ${house.key}`, 'x-sim': fault },
          body: JSON.stringify(body),
        })
        const text = await response.text()
        expect(text, fault).toContain(mark)
        expect(text.replaceAll('"finishReason":"OTHER"', ''), fault).not.toMatch(ENDS)
        const id = response.headers.get('x-request-id')
        const rows = (await house.ledger()).filter(({ requestId }) => requestId === id)
        expect(rows, fault).toMatchObject([{ status: 502, errorCode: 'upstream_error' }])
      }
    },
  )

  it.each(CASES)(
    'is an error like any other where nothing was said yet: %s of %s',
    async (path, _model, body) => {
      const response = await fetch(house.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${house.key}`, 'x-sim': 'malformed=1' },
        body: JSON.stringify(body),
      })
      expect(response.status).toBe(502)
      expect(await response.json()).toHaveProperty('error')
    },
  )
})
