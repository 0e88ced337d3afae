import { describe, expect, it } from 'vitest'
import type { ChatChoice, ChatReply, ChatRequest } from '../../chat.ts'
import { toReply } from './to-reply.ts'

const CONTEXT = { requestId: 'req-1', nowSeconds: 1 }
const REQUEST: ChatRequest = { model: 'chat', messages: [], stream: false, includeUsage: true, unmapped: [] }

function write(choice: Partial<ChatChoice>, rest: Partial<ChatReply> = {}) {
  const choices = [{ index: 0, content: [], finishReason: 'stop' as const, ...choice }]
  return toReply({ id: 'r', model: 'm', createdSeconds: 1, choices, usage: {}, ...rest }, REQUEST, CONTEXT)
}

describe('toReply()', () => {
  it('writes thoughts, text and calls of another provider', () => {
    const reply = write(
      {
        content: [
          { type: 'reasoning', text: 'Hm', signature: 'c2ln' },
          { type: 'reasoning', text: '', encrypted: 'opaque' },
          { type: 'text', text: 'Yes' },
          { type: 'tool-call', id: 'call_1', name: 'f', arguments: '{"a":1}' },
          { type: 'other', format: 'chat', raw: {} },
        ],
        finishReason: 'tool-calls',
        rawFinishReason: 'tool_calls',
      },
      { usage: { inputTokens: 10, outputTokens: 7, reasoningTokens: 3, cachedInputTokens: 4 } },
    )
    expect(reply).toEqual({
      candidates: [
        {
          content: {
            role: 'model',
            parts: [
              { text: 'Hm', thought: true, thoughtSignature: 'c2ln' },
              { text: 'Yes' },
              { functionCall: { id: 'call_1', name: 'f', args: { a: 1 } } },
            ],
          },
          finishReason: 'STOP',
          index: 0,
        },
      ],
      usageMetadata: {
        promptTokenCount: 10,
        candidatesTokenCount: 4,
        thoughtsTokenCount: 3,
        cachedContentTokenCount: 4,
        totalTokenCount: 17,
      },
      modelVersion: 'm',
      responseId: 'r',
    })
  })

  it.each([
    ['stop', 'stop', 'STOP'],
    ['length', 'max_tokens', 'MAX_TOKENS'],
    ['length', 'CONTINUATION', 'MAX_TOKENS'],
    ['content-filter', 'content_filter', 'SAFETY'],
    ['content-filter', 'SPII', 'SPII'],
    ['refusal', 'refusal', 'SAFETY'],
    ['pause', 'pause_turn', 'OTHER'],
    ['other', 'LANGUAGE', 'LANGUAGE'],
    ['other', undefined, 'OTHER'],
  ] as const)('says %s (%s) as %s', (finishReason, rawFinishReason, expected) => {
    const choice = rawFinishReason === undefined ? { finishReason } : { finishReason, rawFinishReason }
    expect(write(choice).candidates?.[0]?.finishReason).toBe(expected)
  })

  it('reports arguments that are no object as a malformed call', () => {
    const content = [{ type: 'tool-call', id: 'a', name: 'f', arguments: '{"x":' }] as const
    expect(write({ content }).candidates?.[0]).toEqual({
      content: { parts: [], role: 'model' },
      finishReason: 'MALFORMED_FUNCTION_CALL',
      finishMessage: 'f({"x":)',
      index: 0,
    })
  })

  it('keeps grounding beside the content and names the request where the provider gave no id', () => {
    const groundingMetadata = { webSearchQueries: ['x'] }
    const reply = write(
      { content: [{ type: 'other', format: 'gemini', raw: { groundingMetadata } }] },
      { id: '' },
    )
    expect(reply.candidates?.[0]).toMatchObject({ content: { parts: [] }, groundingMetadata })
    expect(reply.responseId).toBe('req-1')
  })

  it('writes no count that nobody said', () => {
    expect(write({}, { usage: { inputTokens: 3 } }).usageMetadata).toEqual({ promptTokenCount: 3 })
  })
})
