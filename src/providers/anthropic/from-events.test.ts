import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mergeUsage, type StreamEvent, type Usage } from '../../contract/chat.ts'
import { SseFramer } from '../../core/sse.ts'
import { fromMessagesEvent, newStreamState } from './from-events.ts'

const FIXTURES = new URL('./fixtures/', import.meta.url)

function decode(chunks: readonly Uint8Array[]): StreamEvent[] {
  const framer = new SseFramer()
  const state = newStreamState()
  const frames = chunks.flatMap((chunk) => framer.push(chunk))
  return [...frames, ...framer.flush()].flatMap((frame) => fromMessagesEvent(state, frame))
}

function bytesOf(name: string): Uint8Array {
  return readFileSync(new URL(name, FIXTURES))
}

function eventsOf(name: string): StreamEvent[] {
  return decode([bytesOf(name)])
}

function usageOf(events: readonly StreamEvent[]): Usage {
  return events.reduce<Usage>(
    (usage, event) => (event.type === 'usage-report' ? mergeUsage(usage, event.usage) : usage),
    {},
  )
}

function withoutUsage(events: readonly StreamEvent[]): StreamEvent[] {
  return events.filter((event) => event.type !== 'usage-report')
}

describe('fromMessagesEvent()', () => {
  it.each(readdirSync(FIXTURES).filter((name) => name.endsWith('.sse')))(
    'decodes %s to the same events wherever it is cut',
    (name) => {
      const bytes = bytesOf(name)
      const whole = decode([bytes])
      expect(whole.length).toBeGreaterThan(3)
      for (let cut = 1; cut < bytes.length; cut++) {
        expect(decode([bytes.subarray(0, cut), bytes.subarray(cut)])).toEqual(whole)
      }
    },
  )

  it('decodes a stream that comes byte by byte', () => {
    const bytes = bytesOf('text.sse')
    expect(decode([...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(decode([bytes]))
  })

  it('decodes text, pings and the stop sequence', () => {
    expect(withoutUsage(eventsOf('text.sse'))).toEqual([
      { type: 'reply-start', id: 'msg_01AbCdEf', model: 'claude-sonnet-4-5-20250929', createdSeconds: 0 },
      { type: 'ping' },
      { type: 'text-delta', choice: 0, text: 'Grüße aus 東京' },
      { type: 'text-delta', choice: 0, text: ' — schön 👩‍👩‍👧 hier.' },
      { type: 'choice-finish', choice: 0, reason: 'stop', stopSequence: 'ENDE' },
      { type: 'reply-end' },
    ])
  })

  it('numbers calls from 0 and completes one without arguments', () => {
    expect(withoutUsage(eventsOf('parallel-tools.sse')).slice(1)).toEqual([
      { type: 'text-delta', choice: 0, text: "I'll look." },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'toolu_01A', name: 'get_weather' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"city": "Mün' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: 'chen"}' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'toolu_01B', name: 'get_time' },
      { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{}' },
      { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
      { type: 'reply-end' },
    ])
  })

  it('decodes thoughts with their signatures, and redacted ones', () => {
    expect(withoutUsage(eventsOf('thinking.sse')).slice(1, 5)).toEqual([
      { type: 'reasoning-delta', choice: 0, text: '27 × 453: ' },
      { type: 'reasoning-delta', choice: 0, text: '12231.' },
      { type: 'reasoning-end', choice: 0, signature: 'EqQBCgIYAhIM1gbcDa9GJwZA2b3h' },
      { type: 'reasoning-end', choice: 0, encrypted: 'EmwKAhgBEgy3va3pzix/LafPsn4a' },
    ])
  })

  it('counts cached tokens into the input', () => {
    expect(usageOf(eventsOf('thinking.sse'))).toEqual({
      inputTokens: 6240,
      cachedInputTokens: 5000,
      cacheWriteTokens: 1200,
      outputTokens: 64,
      reasoningTokens: 51,
    })
  })

  it('does not take the output count of message_start for one', () => {
    const first = eventsOf('thinking.sse').find((event) => event.type === 'usage-report')
    expect(first?.usage).toMatchObject({ inputTokens: 6240, outputTokens: undefined })
  })

  it('keeps input counts that message_delta leaves out, and takes those it names', () => {
    expect(usageOf(eventsOf('parallel-tools.sse'))).toMatchObject({ inputTokens: 512, outputTokens: 91 })
    expect(usageOf(eventsOf('server-tool.sse'))).toMatchObject({ inputTokens: 10682, outputTokens: 510 })
  })

  it('keeps cached counts where message_delta names the input alone', () => {
    const frames = [
      { type: 'message_start', message: { usage: { input_tokens: 10, cache_read_input_tokens: 90 } } },
      {
        type: 'message_delta',
        delta: {},
        usage: { input_tokens: 10, cache_read_input_tokens: null, output_tokens: 3 },
      },
    ]
    const bytes = frames.map((frame) => new TextEncoder().encode(`data: ${JSON.stringify(frame)}\n\n`))
    expect(usageOf(decode(bytes))).toMatchObject({ inputTokens: 100, cachedInputTokens: 90, outputTokens: 3 })
  })

  it('says why the provider refused', () => {
    expect(withoutUsage(eventsOf('refusal.sse')).slice(-3)).toEqual([
      { type: 'refusal-delta', choice: 0, text: 'This request was declined.' },
      { type: 'choice-finish', choice: 0, reason: 'refusal' },
      { type: 'reply-end' },
    ])
  })

  it('ends in the provider’s error, and never as if complete', () => {
    expect(eventsOf('error-mid-stream.sse').at(-1)).toEqual({
      type: 'error',
      error: { code: 'overloaded_error', type: 'upstream_error', message: 'Overloaded' },
    })
  })

  it('has no reply-end where the provider hung up', () => {
    const text = new TextDecoder().decode(bytesOf('text.sse'))
    const cut = new TextEncoder().encode(text.slice(0, text.indexOf('event: message_delta')))
    expect(decode([cut]).map((event) => event.type)).not.toContain('reply-end')
  })

  it('turns unreadable data into an error, once', () => {
    const garbage = new TextEncoder().encode('data: {"type":\n\ndata: [1]\n\n')
    expect(decode([garbage])).toEqual([
      { type: 'error', error: expect.objectContaining({ code: 'upstream_error' }) },
    ])
  })

  it('hands on what it does not know', () => {
    const raw = { type: 'message_sparkle', n: 1 }
    const bytes = new TextEncoder().encode(`: hello\n\nevent: x\ndata: ${JSON.stringify(raw)}\n\n`)
    expect(decode([bytes])).toEqual([{ type: 'other', format: 'messages', raw }])
  })

  it('takes the stand-in for a response format for the text of the answer', () => {
    expect(withoutUsage(eventsOf('structured-output.sse')).slice(1)).toEqual([
      { type: 'text-delta', choice: 0, text: '{"prices": {"tea"' },
      { type: 'text-delta', choice: 0, text: ': 3}}' },
      { type: 'choice-finish', choice: 0, reason: 'stop' },
      { type: 'reply-end' },
    ])
  })
})
