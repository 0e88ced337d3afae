import { describe, expect, it } from 'vitest'
import type { ChatReply, ChatRequest, FinishReason, Part } from '../../chat.ts'
import { parseRequest } from './parse-request.ts'
import { toReply } from './to-reply.ts'

const CONTEXT = { requestId: 'r1', nowSeconds: 1_700_000_000 }
const REQUEST: ChatRequest = parseRequest({ model: 'm', messages: [{ role: 'user', content: 'x' }] })

function reply(content: readonly Part[], finishReason: FinishReason = 'stop'): ChatReply {
  return {
    id: 'id-1',
    model: 'm-1',
    createdSeconds: 5,
    choices: [{ index: 0, content, finishReason }],
    usage: {},
  }
}

describe('toReply()', () => {
  it('toReply() writes a plain answer as OpenAI does', () => {
    const body = toReply(
      {
        ...reply([{ type: 'text', text: 'Hi' }]),
        usage: { inputTokens: 10, outputTokens: 2, cachedInputTokens: 4, reasoningTokens: 0 },
      },
      REQUEST,
      CONTEXT,
    )
    expect(body).toEqual({
      id: 'id-1',
      object: 'chat.completion',
      created: 5,
      model: 'm-1',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'Hi', refusal: null },
          logprobs: null,
          finish_reason: 'stop',
        },
      ],
      usage: {
        prompt_tokens: 10,
        completion_tokens: 2,
        total_tokens: 12,
        prompt_tokens_details: { cached_tokens: 4 },
        completion_tokens_details: { reasoning_tokens: 0 },
      },
    })
  })

  it('toReply() writes thoughts, calls with null content, and what a thought needs to come back', () => {
    const body = toReply(
      reply(
        [
          { type: 'reasoning', text: 'Hm.', signature: 's' },
          { type: 'tool-call', id: 'c', name: 'f', arguments: '{}', signature: 'g' },
        ],
        'tool-calls',
      ),
      REQUEST,
      CONTEXT,
    )
    expect(body.choices).toEqual([
      {
        index: 0,
        message: {
          role: 'assistant',
          content: null,
          refusal: null,
          reasoning_content: 'Hm.',
          reasoning_details: [{ type: 'reasoning.text', text: 'Hm.', signature: 's', index: 0 }],
          tool_calls: [
            {
              id: 'c',
              type: 'function',
              function: { name: 'f', arguments: '{}' },
              extra_content: { google: { thought_signature: 'g' } },
            },
          ],
        },
        logprobs: null,
        finish_reason: 'tool_calls',
      },
    ])
  })

  it('toReply() leaves reasoning_details out where a thought has nothing but text', () => {
    const body = JSON.stringify(toReply(reply([{ type: 'reasoning', text: 'Hm.' }]), REQUEST, CONTEXT))
    expect(body).toContain('"reasoning_content":"Hm."')
    expect(body).not.toContain('reasoning_details')
  })

  it('toReply() fills in what the provider did not say, and no usage where there is none', () => {
    const body = toReply({ id: '', model: '', createdSeconds: 0, choices: [], usage: {} }, REQUEST, CONTEXT)
    expect(body).toEqual({
      id: 'chatcmpl-r1',
      object: 'chat.completion',
      created: 1_700_000_000,
      model: 'm',
      choices: [],
    })
  })

  it('toReply() answers a caller of functions with function_call', () => {
    const request = parseRequest({
      model: 'm',
      messages: [{ role: 'user', content: 'x' }],
      functions: [{ name: 'f' }],
    })
    const body = toReply(
      reply([{ type: 'tool-call', id: 'c', name: 'f', arguments: '{}' }], 'tool-calls'),
      request,
      CONTEXT,
    )
    expect(body.choices).toMatchObject([
      { message: { function_call: { name: 'f', arguments: '{}' } }, finish_reason: 'function_call' },
    ])
    expect(JSON.stringify(body)).not.toContain('tool_calls')
  })

  it('toReply() puts sources beside the choices and annotations into the message', () => {
    const body = toReply(
      reply([
        { type: 'text', text: 'x' },
        { type: 'other', format: 'chat', raw: { reply: { citations: ['u'] }, annotations: [1] } },
        { type: 'other', format: 'messages', raw: { secret: true } },
      ]),
      REQUEST,
      CONTEXT,
    )
    expect(body.citations).toEqual(['u'])
    expect(body.choices).toMatchObject([{ message: { annotations: [1] } }])
    expect(JSON.stringify(body)).not.toContain('secret')
  })

  it.each([
    ['stop', 'stop'],
    ['length', 'length'],
    ['tool-calls', 'tool_calls'],
    ['content-filter', 'content_filter'],
    ['refusal', 'content_filter'],
    ['pause', 'length'],
    ['other', 'length'],
  ] as const)('toReply() writes the finish reason %s as %s', (reason, word) => {
    const body = toReply(reply([{ type: 'text', text: '' }], reason), REQUEST, CONTEXT)
    expect(body.choices).toMatchObject([{ finish_reason: word }])
  })
})
