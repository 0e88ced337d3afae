import { describe, expect, it } from 'vitest'
import { GatewayError } from '../../../core/errors.ts'
import type { ChatReply, StreamEvent } from '../../chat.ts'
import { completionsFormat } from './completions-format.ts'
import { assertTranslatable } from './parse-request.ts'

const CONTEXT = { requestId: 'r', nowSeconds: 7 }

function parse(fields: Record<string, unknown> = {}) {
  return completionsFormat.parseRequest({ model: 'm', prompt: 'Once', ...fields }, CONTEXT)
}

const LOGPROBS = {
  content: [
    { token: ' upon', logprob: -0.5, top_logprobs: [{ token: ' upon', logprob: -0.5 }] },
    { token: ' a', logprob: -0.1, top_logprobs: [] },
  ],
}

const REPLY: ChatReply = {
  id: 'i',
  model: 'm-1',
  createdSeconds: 5,
  choices: [
    {
      index: 0,
      content: [
        { type: 'reasoning', text: 'Hm.' },
        { type: 'text', text: ' upon a' },
      ],
      finishReason: 'length',
      logprobs: LOGPROBS,
    },
  ],
  usage: { inputTokens: 1, outputTokens: 2 },
}

describe('completionsFormat.parseRequest()', () => {
  it('parseRequest() reads a prompt as a turn of the user, with the settings of the route', () => {
    expect(parse({ max_tokens: 16, logprobs: 2, stop: ['\n'], stream: true })).toMatchObject({
      model: 'm',
      messages: [{ role: 'user', content: [{ type: 'text', text: 'Once' }] }],
      outputTokensMax: 16,
      logprobs: true,
      topLogprobs: 2,
      stop: ['\n'],
      stream: true,
      unmapped: [],
    })
    expect(parse({ prompt: ['Once'] }).messages).toHaveLength(1)
  })

  it('parseRequest() lists what a conversation has no place for', () => {
    const request = parse({ suffix: 'end', best_of: 3, echo: true })
    expect(request.unmapped.map(({ path }) => path)).toEqual(['suffix', 'echo', 'best_of'])
    expect(parse({ echo: false, suffix: null }).unmapped).toEqual([])
  })

  it.each([
    [{ prompt: undefined }, 'prompt'],
    [{ prompt: [] }, 'prompt'],
    [{ prompt: ['a', 5] }, 'prompt[1]'],
    [{ logprobs: 9 }, 'logprobs'],
    [{ temperature: 'x' }, 'temperature'],
    [{ model: '' }, 'model'],
  ])('parseRequest() names the field at fault in %j', (fields, param) => {
    expect(() => parse(fields)).toThrow(expect.objectContaining({ code: 'invalid_request', param }))
  })
})

describe('assertTranslatable()', () => {
  it.each([
    [{ suffix: 'end' }, 'suffix'],
    [{ prompt: ['a', 'b'] }, 'prompt'],
    [{ prompt: [1, 2, 3] }, 'prompt'],
    [{ prompt: [[1], [2]] }, 'prompt'],
  ])('assertTranslatable() refuses %j', (fields, param) => {
    expect(() => assertTranslatable(parse(fields))).toThrow(GatewayError)
    expect(() => assertTranslatable(parse(fields))).toThrow(
      expect.objectContaining({ code: 'unsupported_feature', param }),
    )
  })

  it('assertTranslatable() lets a plain prompt pass', () => {
    expect(() => assertTranslatable(parse({ best_of: 2, echo: true }))).not.toThrow()
  })
})

describe('completionsFormat.toReply()', () => {
  it('toReply() writes text, parallel arrays of probabilities and usage', () => {
    expect(completionsFormat.toReply(REPLY, parse(), CONTEXT)).toEqual({
      id: 'i',
      object: 'text_completion',
      created: 5,
      model: 'm-1',
      choices: [
        {
          text: ' upon a',
          index: 0,
          logprobs: {
            tokens: [' upon', ' a'],
            token_logprobs: [-0.5, -0.1],
            top_logprobs: [{ ' upon': -0.5 }, {}],
            text_offset: [0, 5],
          },
          finish_reason: 'length',
        },
      ],
      usage: { prompt_tokens: 1, completion_tokens: 2, total_tokens: 3 },
    })
  })

  it('toReply() puts the prompt in front where the caller wants the echo', () => {
    expect(completionsFormat.toReply(REPLY, parse({ echo: true }), CONTEXT)).toMatchObject({
      choices: [{ text: 'Once upon a', logprobs: { text_offset: [4, 9] } }],
    })
  })
})

describe('completionsFormat.createEncoder()', () => {
  const EVENTS: StreamEvent[] = [
    { type: 'reply-start', id: 'i', model: 'm-1', createdSeconds: 5 },
    { type: 'reasoning-delta', choice: 0, text: 'Hm.' },
    { type: 'reasoning-end', choice: 0 },
    { type: 'text-delta', choice: 0, text: ' upon', logprobs: { content: LOGPROBS.content.slice(0, 1) } },
    { type: 'text-delta', choice: 0, text: ' a', logprobs: { content: LOGPROBS.content.slice(1) } },
    { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
    { type: 'usage-report', usage: { inputTokens: 1, outputTokens: 2 } },
    { type: 'reply-end' },
  ]

  function encode(events: readonly StreamEvent[], fields: Record<string, unknown> = {}): string {
    const encoder = completionsFormat.createEncoder(parse({ stream: true, ...fields }), CONTEXT)
    return events.map((event) => encoder.encode(event)).join('')
  }

  function frames(text: string) {
    return text
      .split('\n\n')
      .filter((frame) => frame.startsWith('data: {'))
      .map((frame) => JSON.parse(frame.slice(6)))
  }

  it('createEncoder() writes text chunks with running offsets, and [DONE]', () => {
    const text = encode(EVENTS)
    expect(frames(text).map(({ choices }) => [choices[0].text, choices[0].finish_reason])).toEqual([
      [' upon', null],
      [' a', null],
      ['', 'stop'],
    ])
    expect(frames(text).map(({ choices }) => choices[0].logprobs?.text_offset)).toEqual([[0], [5], undefined])
    expect(text.endsWith('data: [DONE]\n\n')).toBe(true)
    expect(text).not.toContain('usage')
  })

  it('createEncoder() writes the usage chunk for callers who asked, and the echo once', () => {
    const list = frames(encode(EVENTS, { stream_options: { include_usage: true }, echo: true }))
    expect(list.map(({ choices }) => choices[0]?.text)).toEqual(['Once upon', ' a', '', undefined])
    expect(list.at(-1)).toMatchObject({ choices: [], usage: { total_tokens: 3 } })
  })

  it('createEncoder() ends a stream that breaks in an error without [DONE]', () => {
    const error = { code: 'upstream_error', type: 'upstream_error', message: 'Gone.' }
    const text = encode([...EVENTS.slice(0, 4), { type: 'error', error }, { type: 'reply-end' }])
    expect(frames(text).at(-1)).toEqual({
      error: { message: 'Gone.', type: 'upstream_error', param: null, code: 'upstream_error' },
    })
    expect(text).not.toContain('[DONE]')
  })
})
