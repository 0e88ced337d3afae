import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Part, StreamEvent } from '../../contract/chat.ts'
import { SseFramer } from '../../core/sse.ts'
import { type Collected, collectEvents } from './fixtures/collect-events.ts'
import { fromEnd, fromEvent } from './from-events.ts'
import { newStreamState } from './stream-state.ts'

const FIXTURES = new URL('fixtures/', import.meta.url)

function recorded(name: string): Uint8Array {
  return new Uint8Array(readFileSync(new URL(`${name}.sse`, FIXTURES)))
}

function decode(pieces: readonly Uint8Array[]): StreamEvent[] {
  const framer = new SseFramer()
  const state = newStreamState()
  const events = pieces.flatMap((piece) => framer.push(piece)).flatMap((frame) => fromEvent(state, frame))
  const rest = framer.flush().flatMap((frame) => fromEvent(state, frame))
  return [...events, ...rest, ...fromEnd(state)]
}

function decodeText(text: string): StreamEvent[] {
  return decode([new TextEncoder().encode(text)])
}

function chunk(fields: Record<string, unknown>): string {
  return `data: ${JSON.stringify({ id: 'c', created: 1, model: 'm', ...fields })}\n\n`
}

function read(name: string): Collected {
  return collectEvents(decode([recorded(name)]))
}

function content(collected: Collected): readonly Part[] {
  expect(collected.reply.choices).toHaveLength(1)
  return collected.reply.choices[0]?.content ?? []
}

describe('fromEvent()', () => {
  it('fromEvent() reads text, logprobs, tool calls and usage as OpenAI streams them', () => {
    const stream = read('openai')
    expect(content(stream)).toEqual([
      { type: 'text', text: 'Grüße 👋🏽 你好' },
      { type: 'tool-call', id: 'call_a', name: 'weather', arguments: '{"city":"Köln"}' },
      { type: 'tool-call', id: 'call_b', name: 'time', arguments: '{}' },
    ])
    expect(stream.reply).toMatchObject({
      id: 'chatcmpl-B1',
      model: 'gpt-4o-2024-08-06',
      createdSeconds: 1763712000,
      choices: [{ finishReason: 'tool-calls', logprobs: { content: [{ token: 'Gr' }] } }],
      usage: { inputTokens: 120, outputTokens: 31, cachedInputTokens: 64, reasoningTokens: 0 },
    })
    expect(stream.isComplete).toBe(true)
  })

  it('fromEvent() starts an Azure reply after the chunk of filter results', () => {
    const stream = read('azure-openai')
    expect(stream.reply).toMatchObject({ id: 'chatcmpl-az1', model: 'gpt-4o-mini' })
    expect(stream.reply.choices[0]?.finishReason).toBe('content-filter')
    expect(stream.reply.usage).toMatchObject({ inputTokens: 9, outputTokens: 1 })
  })

  it('fromEvent() finds the usage of Groq under x_groq, and its thoughts under reasoning', () => {
    const stream = read('groq')
    expect(content(stream)).toEqual([
      { type: 'reasoning', text: 'They greet me.' },
      { type: 'text', text: 'Hi!' },
    ])
    expect(stream.reply.usage).toMatchObject({ inputTokens: 70, outputTokens: 22, reasoningTokens: 6 })
  })

  it('fromEvent() ends in the error of an event named error (Groq)', () => {
    const stream = read('groq-error')
    expect(stream.error).toEqual({
      code: 'tool_use_failed',
      type: 'invalid_request_error',
      message: 'Failed to call a function.',
    })
    expect(stream.isComplete).toBe(false)
  })

  it('fromEvent() reads the thinking parts and the whole tool calls of Mistral', () => {
    const stream = read('mistral')
    expect(content(stream)).toEqual([
      { type: 'reasoning', text: 'Ein Werkzeug hilft.' },
      { type: 'text', text: 'Moment …' },
      { type: 'tool-call', id: 'D681PevKs', name: 'weather', arguments: '{"city": "Paris"}' },
      { type: 'tool-call', id: 'aB3dE6gH9', name: 'time', arguments: '{"city": "Paris"}' },
    ])
    expect(stream.reply.usage).toMatchObject({ inputTokens: 80, outputTokens: 45 })
  })

  it('fromEvent() reads reasoning_content, keep-alives and an explicit zero of the cache (DeepSeek)', () => {
    const stream = read('deepseek')
    expect(content(stream)).toEqual([
      { type: 'reasoning', text: '先想一下。' },
      { type: 'text', text: '答案是 42' },
    ])
    expect(stream.pings).toBe(1)
    expect(stream.reply.usage).toMatchObject({ cachedInputTokens: 0, outputTokens: 40, reasoningTokens: 30 })
  })

  it('fromEvent() keeps the signature of OpenRouter and counts its thought once', () => {
    const stream = read('openrouter')
    expect(content(stream)).toEqual([
      { type: 'reasoning', text: 'Think twice.', signature: 'sig-xyz' },
      { type: 'text', text: 'Done.' },
    ])
    // The usage came on a chunk with a choice, which had finished before.
    expect(stream.reply.usage).toMatchObject({
      inputTokens: 2100,
      outputTokens: 60,
      cachedInputTokens: 1024,
      cacheWriteTokens: 512,
    })
    expect(stream.pings).toBe(2)
  })

  it('fromEvent() ends in the error that OpenRouter puts beside the choices', () => {
    const stream = read('openrouter-error')
    expect(stream.error).toMatchObject({
      code: 'server_error',
      message: 'Provider disconnected unexpectedly',
    })
    expect(stream.isComplete).toBe(false)
  })

  it('fromEvent() gives the sources of Perplexity once, its last usage, and an end without [DONE]', () => {
    const stream = read('perplexity')
    expect(content(stream)).toEqual([
      { type: 'text', text: 'Rain' },
      {
        type: 'other',
        format: 'chat',
        raw: {
          reply: {
            citations: ['https://example.org/a'],
            search_results: [{ title: 'A', url: 'https://example.org/a', date: null }],
          },
        },
      },
      { type: 'text', text: ' [1]' },
    ])
    expect(stream.reply.usage).toMatchObject({ inputTokens: 7, outputTokens: 3 })
    expect(stream.isComplete).toBe(true)
  })

  it('fromEvent() finds the usage of Moonshot inside the choice', () => {
    const stream = read('moonshot')
    expect(stream.reply.usage).toMatchObject({ inputTokens: 19, outputTokens: 3, cachedInputTokens: 16 })
  })

  it('fromEvent() tells apart calls that share an index, and keeps their signatures (Gemini)', () => {
    const stream = read('gemini-compat')
    expect(content(stream)).toEqual([
      {
        type: 'tool-call',
        id: 'function-call-1',
        name: 'weather',
        arguments: '{"city":"Oslo"}',
        signature: 'CsIB',
      },
      { type: 'tool-call', id: 'function-call-2', name: 'weather', arguments: '{"city":"Rome"}' },
    ])
    expect(stream.reply.choices[0]?.finishReason).toBe('tool-calls')
  })

  it('fromEvent() reads calls without index, without id, and with arguments as an object (Ollama)', () => {
    const stream = read('ollama')
    expect(content(stream)).toEqual([
      { type: 'tool-call', id: 'call_x1', name: 'weather', arguments: '{"city":"Bern"}' },
      { type: 'tool-call', id: 'call_chatcmplol_0_1', name: 'time', arguments: '{}' },
    ])
    expect(stream.reply.choices[0]?.finishReason).toBe('tool-calls')
  })

  it('fromEvent() counts a thought once that comes under two names, and keeps the stop sequence (vLLM)', () => {
    const stream = read('vllm')
    expect(content(stream)).toEqual([
      { type: 'reasoning', text: 'Hm' },
      { type: 'text', text: 'one, two,' },
    ])
    expect(stream.reply.choices[0]).toMatchObject({ finishReason: 'stop', stopSequence: 'three' })
  })

  it('fromEvent() takes an error that is followed by [DONE] for no end (vLLM)', () => {
    const stream = read('vllm-error')
    expect(stream.error).toEqual({
      code: '500',
      type: 'InternalServerError',
      message: 'EngineCore encountered an issue.',
    })
    expect(stream.isComplete).toBe(false)
  })

  it('fromEvent() bears chunks without choices and usage null, and knows eos (Together)', () => {
    const stream = read('together')
    expect(content(stream)).toEqual([{ type: 'text', text: 'Yes' }])
    expect(stream.reply.choices[0]?.finishReason).toBe('stop')
    expect(stream.reply.usage).toMatchObject({ inputTokens: 40, outputTokens: 2, cachedInputTokens: 0 })
  })

  it('fromEvent() reads one call whose id and name come with every piece, and finish reasons of "" (Zhipu)', () => {
    const stream = read('zhipu')
    expect(content(stream)).toEqual([
      { type: 'tool-call', id: 'call_-8', name: 'search', arguments: '{"q":"雪"}' },
    ])
    expect(stream.reply.choices[0]?.finishReason).toBe('tool-calls')
  })

  it('fromEvent() reads the deprecated function_call as a tool call', () => {
    const stream = read('function-call')
    expect(content(stream)).toMatchObject([{ type: 'tool-call', name: 'weather', arguments: '{"a":1}' }])
    expect(stream.reply.choices[0]?.finishReason).toBe('tool-calls')
  })

  it('fromEvent() keeps an unknown finish reason as other, with its word', () => {
    const text = chunk({ choices: [{ index: 0, delta: {}, finish_reason: 'insufficient_system_resource' }] })
    expect(collectEvents(decodeText(text)).reply.choices[0]).toMatchObject({
      finishReason: 'other',
      rawFinishReason: 'insufficient_system_resource',
    })
  })

  it('fromEvent() reads a whole message as the only chunk', () => {
    const choice = { index: 0, message: { role: 'assistant', content: 'All.' }, finish_reason: 'stop' }
    const stream = collectEvents(decodeText(`${chunk({ choices: [choice] })}data: [DONE]\n\n`))
    expect(content(stream)).toEqual([{ type: 'text', text: 'All.' }])
  })

  it('fromEvent() keeps the choices of n > 1 apart', () => {
    const text = [
      chunk({ choices: [{ index: 1, delta: { content: 'b' }, finish_reason: null }] }),
      chunk({ choices: [{ index: 0, delta: { content: 'a' }, finish_reason: 'stop' }] }),
      chunk({ choices: [{ index: 1, delta: { content: 'B' }, finish_reason: 'length' }] }),
    ].join('')
    const { choices } = collectEvents(decodeText(text)).reply
    expect(choices.map(({ index, content: parts }) => [index, parts])).toEqual([
      [1, [{ type: 'text', text: 'bB' }]],
      [0, [{ type: 'text', text: 'a' }]],
    ])
  })

  it('fromEvent() turns unreadable data into an error and reads nothing after it', () => {
    const events = decodeText('data: {"id":\n\ndata: [DONE]\n\n')
    expect(events).toEqual([expect.objectContaining({ type: 'error' })])
  })

  it('fromEvent() stops at more tool calls or choices than a sane stream has', () => {
    const calls = Array.from({ length: 1025 }, (_, index) => ({ index, function: { name: 'f' } }))
    const many = decodeText(chunk({ choices: [{ index: 0, delta: { tool_calls: calls } }] }))
    expect(many.at(-1)?.type).toBe('error')
    const choices = Array.from({ length: 129 }, (_, index) => ({ index, delta: { content: 'x' } }))
    expect(decodeText(chunk({ choices })).at(-1)?.type).toBe('error')
  })

  it.each([{ data: 'null' }, { data: '[]' }, { data: '1' }])(
    'fromEvent() turns $data, which is no chunk, into an error',
    ({ data }) => {
      expect(decodeText(`data: ${data}\n\n`)).toEqual([expect.objectContaining({ type: 'error' })])
    },
  )

  it('fromEvent() gives the same events wherever the network cuts the stream', () => {
    const names = readdirSync(FIXTURES).filter((name) => name.endsWith('.sse'))
    expect(names.length).toBeGreaterThan(12)
    for (const name of names) {
      const bytes = new Uint8Array(readFileSync(new URL(name, FIXTURES)))
      const expected = JSON.stringify(decode([bytes]))
      for (let cut = 0; cut <= bytes.length; cut++) {
        const events = JSON.stringify(decode([bytes.subarray(0, cut), bytes.subarray(cut)]))
        if (events !== expected) expect(`${name} at ${cut}: ${events}`).toBe(expected)
      }
      const single = Array.from(bytes, (_byte, index) => bytes.subarray(index, index + 1))
      expect(JSON.stringify(decode(single))).toBe(expected)
    }
  })
})

describe('fromEnd()', () => {
  it('fromEnd() leaves a stream open that was cut before its finish reason', () => {
    for (const name of ['openai', 'perplexity', 'mistral']) {
      const bytes = recorded(name)
      const events = decode([bytes.subarray(0, Math.floor(bytes.length / 2))])
      expect(events.some(({ type }) => type === 'reply-end')).toBe(false)
    }
  })

  it('fromEnd() gives no second end after [DONE]', () => {
    const ends = decode([recorded('openai')]).filter(({ type }) => type === 'reply-end')
    expect(ends).toHaveLength(1)
  })
})
