import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { StreamEvent } from '../../contract/chat.ts'
import { SseFramer } from '../../core/sse.ts'
import { fromEvent, newStreamState } from './from-events.ts'

function fixture(name: string): Uint8Array {
  return readFileSync(new URL(`./fixtures/${name}.sse`, import.meta.url))
}

function decode(chunks: readonly Uint8Array[]): StreamEvent[] {
  const framer = new SseFramer()
  const state = newStreamState()
  const frames = chunks.flatMap((chunk) => framer.push(chunk))
  return [...frames, ...framer.flush()].flatMap((frame) => fromEvent(state, frame))
}

function decodeEvents(...events: readonly object[]): StreamEvent[] {
  const bytes = events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join('')
  return decode([new TextEncoder().encode(bytes)])
}

/** Deltas of one kind joined, so that a test reads what was said. */
function said(
  events: readonly StreamEvent[],
  type: 'text-delta' | 'refusal-delta' | 'reasoning-delta',
): string {
  return events.map((event) => (event.type === type ? event.text : '')).join('')
}

function called(events: readonly StreamEvent[], index: number): string {
  return events
    .map((event) => (event.type === 'tool-call-delta' && event.index === index ? event.arguments : ''))
    .join('')
}

function tail(events: readonly StreamEvent[], count: number): readonly StreamEvent[] {
  return events.slice(-count)
}

test('fromEvent() reads text to its end', () => {
  const events = decode([fixture('text')])
  expect(events[0]).toEqual({
    type: 'reply-start',
    id: 'resp_text',
    model: 'gpt-5-pro-2025-10-06',
    createdSeconds: 1763700000,
  })
  expect(said(events, 'text-delta')).toBe('Grüße aus 東京 👋🏽!')
  expect(tail(events, 3)).toEqual([
    {
      type: 'usage-report',
      usage: { inputTokens: 14, outputTokens: 9, cachedInputTokens: 8, reasoningTokens: 0 },
    },
    { type: 'choice-finish', choice: 0, reason: 'stop' },
    { type: 'reply-end' },
  ])
})

test('fromEvent() counts parallel calls from 0 and keeps their arguments apart', () => {
  const events = decode([fixture('tools')])
  expect(events.filter((event) => event.type === 'tool-call-start')).toEqual([
    { type: 'tool-call-start', choice: 0, index: 0, id: 'call_a', name: 'get_weather' },
    { type: 'tool-call-start', choice: 0, index: 1, id: 'call_b', name: 'get_time' },
  ])
  expect([called(events, 0), called(events, 1)]).toEqual(['{"city":"Zürich"}', '{}'])
  expect(tail(events, 2)[0]).toEqual({ type: 'choice-finish', choice: 0, reason: 'tool-calls' })
})

test('fromEvent() reads a thought in several parts, with what has to come back', () => {
  const events = decode([fixture('reasoning')])
  expect(said(events, 'reasoning-delta')).toBe('**Weighing it**\n\nTwo ways.\n\n**Deciding**\n\nThe second.')
  expect(events.filter((event) => event.type === 'reasoning-end')).toEqual([
    { type: 'reasoning-end', choice: 0, encrypted: 'gAAAAABmfinalCipher==', id: 'rs_01' },
  ])
  expect(said(events, 'text-delta')).toBe('The second.')
})

test('fromEvent() reads a refusal', () => {
  const events = decode([fixture('refusal')])
  expect(said(events, 'refusal-delta')).toBe('I cannot help with that.')
  expect(tail(events, 2)[0]).toEqual({ type: 'choice-finish', choice: 0, reason: 'refusal' })
})

test('fromEvent() reads an incomplete reply as cut by length', () => {
  const events = decode([fixture('incomplete')])
  expect(tail(events, 2)).toEqual([
    { type: 'choice-finish', choice: 0, reason: 'length' },
    { type: 'reply-end' },
  ])
})

test('fromEvent() ends a failed reply in an error, after its usage and without an end', () => {
  const events = decode([fixture('failed')])
  expect(tail(events, 2)).toEqual([
    {
      type: 'usage-report',
      usage: { inputTokens: 11, outputTokens: 2, cachedInputTokens: 0, reasoningTokens: 0 },
    },
    {
      type: 'error',
      error: {
        code: 'server_error',
        type: 'upstream_error',
        message: 'The model had a problem. Please retry.',
      },
    },
  ])
  expect(events.some((event) => event.type === 'reply-end')).toBe(false)
})

test('fromEvent() reads the free text of a custom tool as one JSON string', () => {
  const events = decode([fixture('custom-tool')])
  expect(JSON.parse(called(events, 0))).toEqual({
    input: '*** Begin Patch\n*** Add File: "a\\b".txt\n+héllo 🎉\n*** End Patch',
  })
})

test('fromEvent() keeps events and items of unknown types whole', () => {
  const events = decode([fixture('web-search')])
  const others = events.filter((event) => event.type === 'other')
  expect(others.map((event) => (event.raw as { type: string }).type)).toEqual([
    'response.web_search_call.searching',
    'response.web_search_call.completed',
    'response.output_item.done',
  ])
  expect(said(events, 'text-delta')).toBe('Tea.')
})

const FIXTURES = [
  'text',
  'tools',
  'reasoning',
  'refusal',
  'incomplete',
  'failed',
  'custom-tool',
  'web-search',
] as const

test.each(FIXTURES)('fromEvent() reads %s the same wherever the network cut it', (name) => {
  const bytes = fixture(name)
  const whole = decode([bytes])
  for (let cut = 1; cut < bytes.length; cut++) {
    const events = decode([bytes.subarray(0, cut), bytes.subarray(cut)])
    // Comparing texts is much faster than comparing trees, and as strict.
    if (JSON.stringify(events) !== JSON.stringify(whole))
      expect({ cut, events }).toEqual({ cut, events: whole })
  }
  expect(whole.length).toBeGreaterThan(3)
})

test('fromEvent() reads a stream the same in any number of pieces', () => {
  const bytes = fixture('reasoning')
  const whole = JSON.stringify(decode([bytes]))
  fc.assert(
    fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => {
      const edges = [0, ...cuts.toSorted((first, second) => first - second), bytes.length]
      const chunks = edges.slice(1).map((edge, index) => bytes.subarray(edges[index], edge))
      expect(JSON.stringify(decode(chunks))).toBe(whole)
    }),
  )
})

test.each(FIXTURES)('fromEvent() gives no end for %s before its last frame', (name) => {
  const bytes = fixture(name)
  const text = new TextDecoder().decode(bytes)
  const withoutLast = text.slice(0, text.lastIndexOf('event: '))
  const events = decode([new TextEncoder().encode(withoutLast)])
  expect(events.some((event) => event.type === 'reply-end' || event.type === 'error')).toBe(false)
})

test('fromEvent() turns unreadable data into an error and stays silent afterwards', () => {
  const bytes = new TextEncoder().encode(
    'data: {"type":\n\ndata: {"type":"response.completed","response":{}}\n\n',
  )
  expect(decode([bytes])).toEqual([
    { type: 'error', error: expect.objectContaining({ code: 'upstream_error' }) },
  ])
})

test.each([
  [{ type: 'error', code: 'rate_limit_exceeded', message: 'Slow down.', param: null }, 'upstream_error'],
  [
    { type: 'error', error: { type: 'tokens', code: 'rate_limit_exceeded', message: 'Slow down.' } },
    'tokens',
  ],
])('fromEvent() reads an error event flat and nested', (event, type) => {
  expect(decodeEvents(event)).toEqual([
    { type: 'error', error: { code: 'rate_limit_exceeded', type, message: 'Slow down.' } },
  ])
})

test('fromEvent() reads servers that send items whole, without deltas', () => {
  const message = { id: 'm', type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }
  const call = { id: 'f', type: 'function_call', call_id: 'c', name: 'run', arguments: '{"a":1}' }
  const events = decodeEvents(
    { type: 'response.created', response: { id: 'resp_1', model: 'm', created_at: 5 } },
    { type: 'response.output_item.done', output_index: 0, item: message },
    { type: 'response.output_item.done', output_index: 1, item: call },
    { type: 'response.completed', response: { id: 'resp_1', output: [message, call] } },
  )
  expect(said(events, 'text-delta')).toBe('Hi')
  expect(called(events, 0)).toBe('{"a":1}')
  expect(events.filter((event) => event.type === 'tool-call-start')).toHaveLength(1)
})

test('fromEvent() reads a reply that came only in its last event', () => {
  const message = { id: 'm', type: 'message', content: [{ type: 'output_text', text: 'Hi' }] }
  const events = decodeEvents({
    type: 'response.completed',
    response: { id: 'r', model: 'm', output: [message] },
  })
  expect(events.map((event) => event.type)).toEqual([
    'reply-start',
    'text-delta',
    'choice-finish',
    'reply-end',
  ])
})

test('fromEvent() shows a thought once where a server sends it and its summary', () => {
  const events = decodeEvents(
    { type: 'response.created', response: { id: 'r' } },
    {
      type: 'response.output_item.added',
      output_index: 0,
      item: { id: 'rs_1', type: 'reasoning', summary: [] },
    },
    { type: 'response.reasoning_text.delta', output_index: 0, delta: 'raw' },
    { type: 'response.reasoning_summary_text.delta', output_index: 0, summary_index: 0, delta: 'short' },
  )
  expect(said(events, 'reasoning-delta')).toBe('raw')
})

test('fromEvent() skips comments and the terminator of Chat', () => {
  expect(decode([new TextEncoder().encode(': keep-alive\n\ndata: [DONE]\n\n')])).toEqual([])
})
