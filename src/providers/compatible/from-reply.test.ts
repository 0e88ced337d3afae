import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../core/errors.ts'
import { fromReply } from './from-reply.ts'

function reply(message: Record<string, unknown>, choice: Record<string, unknown> = {}) {
  return {
    id: 'r-1',
    object: 'chat.completion',
    created: 1_763_712_000,
    model: 'm',
    choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: 'stop', ...choice }],
  }
}

describe('fromReply()', () => {
  it('fromReply() reads a reply of OpenAI', () => {
    const body = {
      ...reply({ content: 'Hi', refusal: null, annotations: [] }, { logprobs: null }),
      usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
      system_fingerprint: 'fp',
    }
    expect(fromReply(body)).toMatchObject({
      id: 'r-1',
      model: 'm',
      createdSeconds: 1_763_712_000,
      choices: [{ index: 0, finishReason: 'stop' }],
      usage: { inputTokens: 3, outputTokens: 1 },
    })
  })

  it('fromReply() reads thoughts, text, refusal and calls in their order', () => {
    const { choices } = fromReply(
      reply(
        {
          content: 'Text',
          reasoning_content: 'Hm.',
          refusal: 'No.',
          tool_calls: [
            { id: 'c1', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
            { type: 'function', function: { name: 'g', arguments: { b: 2 } } },
            { id: 'c3', type: 'custom', custom: { name: 'sql', input: 'select' } },
          ],
        },
        { finish_reason: 'tool_calls' },
      ),
    )
    expect(choices[0]?.content).toEqual([
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'Text' },
      { type: 'refusal', text: 'No.' },
      { type: 'tool-call', id: 'c1', name: 'f', arguments: '{"a":1}' },
      { type: 'tool-call', id: 'call_r1_0_1', name: 'g', arguments: '{"b":2}' },
      {
        type: 'other',
        format: 'chat',
        raw: { tool_calls: [{ id: 'c3', type: 'custom', custom: { name: 'sql', input: 'select' } }] },
      },
    ])
  })

  it('fromReply() reads the thinking parts of Mistral', () => {
    const content = [
      { type: 'thinking', thinking: [{ type: 'text', text: 'Hm.' }] },
      { type: 'text', text: 'So.' },
    ]
    expect(fromReply(reply({ content })).choices[0]?.content).toEqual([
      { type: 'reasoning', text: 'Hm.' },
      { type: 'text', text: 'So.' },
    ])
  })

  it('fromReply() reads the deprecated function_call, and stop as tool-calls where tools were called', () => {
    const { choices } = fromReply(reply({ content: null, function_call: { name: 'f', arguments: '{}' } }))
    expect(choices[0]).toMatchObject({
      content: [{ type: 'tool-call', name: 'f' }],
      finishReason: 'tool-calls',
    })
  })

  it('fromReply() keeps the sources of Perplexity and the pictures of OpenRouter apart', () => {
    const body = {
      ...reply({ content: 'x', images: [{ type: 'image_url' }] }),
      citations: ['u'],
      images: [{ image_url: 'v' }],
    }
    expect(fromReply(body).choices[0]?.content.slice(1)).toEqual([
      { type: 'other', format: 'chat', raw: { images: [{ type: 'image_url' }] } },
      { type: 'other', format: 'chat', raw: { reply: { citations: ['u'], images: [{ image_url: 'v' }] } } },
    ])
  })

  it('fromReply() adds the thoughts of xAI, which it counts beside the answer, to the output', () => {
    const usage = {
      prompt_tokens: 32,
      completion_tokens: 9,
      total_tokens: 130,
      prompt_tokens_details: { text_tokens: 32, cached_tokens: 6 },
      completion_tokens_details: { reasoning_tokens: 89 },
    }
    expect(fromReply({ ...reply({ content: 'x' }), usage }).usage).toMatchObject({
      inputTokens: 32,
      outputTokens: 98,
      cachedInputTokens: 6,
      reasoningTokens: 89,
    })
  })

  it('fromReply() leaves undefined what the provider did not say', () => {
    expect(fromReply(reply({ content: 'x' })).usage).toEqual({})
    const { usage } = fromReply({ ...reply({ content: 'x' }), usage: { prompt_tokens: 5, total_tokens: 8 } })
    expect(usage).toMatchObject({ inputTokens: 5, outputTokens: 3 })
    expect(usage.cachedInputTokens).toBeUndefined()
  })

  it('fromReply() never takes nonsense for a count', () => {
    const usage = { prompt_tokens: -1, completion_tokens: 1.5, total_tokens: '7' }
    expect(fromReply({ ...reply({ content: 'x' }), usage }).usage).toEqual({})
  })

  it.each([
    ['text', 'no JSON object'],
    [null, 'no JSON object'],
    [{ id: 'x' }, 'without choices'],
    [{ error: { message: 'Quota.', code: 429 } }, 'Quota.'],
    [{ error: 'model is loading' }, 'model is loading'],
    [reply({ content: 'Half' }, { finish_reason: 'error' }), 'failed on the way'],
  ])('fromReply() throws for %j', (body, message) => {
    expect(() => fromReply(body)).toThrow(GatewayError)
    expect(() => fromReply(body)).toThrow(message)
  })
})
