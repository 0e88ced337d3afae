import { readFileSync } from 'node:fs'
import Anthropic from '@anthropic-ai/sdk'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatReply, ChatRequest, Message, Part, StreamEvent, Usage } from '../../contract/chat.ts'
import { MessagesEncoder } from '../../contract/formats/messages/encoder.ts'
import { parseMessagesRequest } from '../../contract/formats/messages/parse-request.ts'
import { toMessagesReply } from '../../contract/formats/messages/to-reply.ts'
import { SseFramer } from '../../core/sse.ts'
import { traitsOf } from '../provider-kind.ts'
import { anthropicDialect } from './adapter.ts'
import { anthropicKind } from './kind.ts'
import { fromTokenCountReply } from './token-count.ts'

const REQUEST: ChatRequest = { model: 'm', messages: [], stream: true, includeUsage: true, unmapped: [] }
const CONTEXT = { requestId: 'req_1', nowSeconds: 0 }

const text = fc.string({ minLength: 1, unit: 'grapheme' })
const json = fc.dictionary(fc.string(), fc.jsonValue(), { maxKeys: 3 }).map((value) => JSON.stringify(value))
const id = fc.stringMatching(/^[a-z0-9_]{1,12}$/)
const textPart = text.map((value): Part => ({ type: 'text', text: value }))
const callPart = fc
  .record({ id, name: id, arguments: json })
  .map((call): Part => ({ type: 'tool-call', ...call }))
const thought = fc.record({ text, signature: id }).map((state): Part => ({ type: 'reasoning', ...state }))
const redacted = id.map((encrypted): Part => ({ type: 'reasoning', text: '', encrypted }))
const usage = fc.record({ fresh: fc.nat(), read: fc.nat(), written: fc.nat(), output: fc.nat() }).map(
  (counts): Usage => ({
    inputTokens: counts.fresh + counts.read + counts.written,
    cachedInputTokens: counts.read,
    cacheWriteTokens: counts.written,
    outputTokens: counts.output,
  }),
)

/** Adjacent texts are one text in a stream: what separates them is not in the neutral events. */
const content = fc
  .array(fc.oneof(textPart, callPart, thought, redacted), { maxLength: 6 })
  .map((parts) => parts.filter((part, index) => part.type !== 'text' || parts[index - 1]?.type !== 'text'))

const reply = fc.record({ id, content, usage }).map(
  (made): ChatReply => ({
    id: made.id,
    model: 'claude-x',
    createdSeconds: 0,
    choices: [
      {
        index: 0,
        content: made.content,
        finishReason: made.content.some((part) => part.type === 'tool-call') ? 'tool-calls' : 'stop',
      },
    ],
    usage: made.usage,
  }),
)

function eventsOf(made: ChatReply): StreamEvent[] {
  const events: StreamEvent[] = [{ type: 'reply-start', id: made.id, model: made.model, createdSeconds: 0 }]
  let calls = 0
  for (const part of made.choices[0]?.content ?? []) {
    if (part.type === 'text') events.push({ type: 'text-delta', choice: 0, text: part.text })
    if (part.type === 'reasoning') {
      const { signature, encrypted } = part
      if (part.text !== '') events.push({ type: 'reasoning-delta', choice: 0, text: part.text })
      events.push({
        type: 'reasoning-end',
        choice: 0,
        ...(signature === undefined ? {} : { signature }),
        ...(encrypted === undefined ? {} : { encrypted }),
      })
    }
    if (part.type === 'tool-call') {
      events.push({ type: 'tool-call-start', choice: 0, index: calls, id: part.id, name: part.name })
      events.push({ type: 'tool-call-delta', choice: 0, index: calls, arguments: part.arguments })
      calls += 1
    }
  }
  const reason = made.choices[0]?.finishReason ?? 'other'
  return [...events, { type: 'choice-finish', choice: 0, reason }, { type: 'reply-end' }]
}

function encode(events: readonly StreamEvent[]): string {
  const encoder = new MessagesEncoder(REQUEST, CONTEXT)
  return events.map((event) => encoder.encode(event)).join('')
}

function decode(stream: string): StreamEvent[] {
  const state = anthropicDialect.newStreamState()
  return new SseFramer()
    .push(new TextEncoder().encode(stream))
    .flatMap((frame) => anthropicDialect.fromEvent(state, frame))
}

function withoutUsage(events: readonly StreamEvent[]): StreamEvent[] {
  return events.filter((event) => event.type !== 'usage-report')
}

describe('anthropicDialect and messagesFormat', () => {
  it('give a reply back as it was', () => {
    fc.assert(
      fc.property(reply, (made) => {
        const body = JSON.parse(JSON.stringify(toMessagesReply(made, REQUEST, CONTEXT)))
        expect(anthropicDialect.fromReply(body)).toEqual(made)
        expect(anthropicDialect.usageOf(body)).toEqual(made.usage)
      }),
    )
  })

  it('give the events of a stream back as they were', () => {
    fc.assert(
      fc.property(reply, (made) => {
        expect(withoutUsage(decode(encode(eventsOf(made))))).toEqual(eventsOf(made))
      }),
    )
  })

  it.each(['text', 'parallel-tools', 'thinking', 'server-tool', 'error-mid-stream'])(
    'give the recorded stream %s back, event by event',
    (name) => {
      const recorded = readFileSync(new URL(`./fixtures/${name}.sse`, import.meta.url), 'utf8')
      const events = decode(recorded)
      expect(withoutUsage(decode(encode(events)))).toEqual(withoutUsage(events))
    },
  )

  it('write blocks of Anthropic’s own tools so that the SDK reads them', async () => {
    const recorded = readFileSync(new URL('./fixtures/server-tool.sse', import.meta.url), 'utf8')
    const stream = encode(decode(recorded))
    const client = new Anthropic({
      apiKey: 'k',
      maxRetries: 0,
      fetch: async () => new Response(stream, { headers: { 'content-type': 'text/event-stream' } }),
    })
    const messages = [{ role: 'user' as const, content: 'x' }]
    const message = await client.messages.stream({ model: 'm', max_tokens: 1, messages }).finalMessage()
    expect(message.content).toMatchObject([
      { type: 'server_tool_use', input: { query: 'weather' } },
      { type: 'web_search_tool_result', tool_use_id: 'srvtoolu_01' },
      { type: 'text', text: 'Sunny.', citations: [{ url: 'https://example.com' }] },
    ])
    expect(message.usage.input_tokens).toBe(10_682)
  })

  it('give a request back as it was', () => {
    const result = fc.record({ callId: id, content: fc.array(textPart, { maxLength: 2 }) })
    const toolTurn = fc
      .array(result, { minLength: 1, maxLength: 2 })
      .map((parts) => parts.map((part) => ({ type: 'tool-result', ...part }) as Part))
    const turn = (role: Message['role'], parts: fc.Arbitrary<readonly Part[]>) =>
      parts.map((made): Message => ({ role, content: made }))
    const said = fc.array(textPart, { minLength: 1, maxLength: 3 })
    const rounds = fc.array(
      fc.tuple(
        turn('assistant', fc.array(fc.oneof(textPart, callPart, thought), { minLength: 1 })),
        turn('tool', toolTurn),
      ),
      { maxLength: 3 },
    )
    const made = fc.record({
      system: fc.option(turn('system', said)),
      first: turn('user', said),
      rounds,
      outputTokensMax: fc.integer({ min: 1, max: 9000 }),
      temperature: fc.option(fc.double({ min: 0, max: 0.99, noNaN: true }), { nil: undefined }),
      stop: fc.option(fc.array(id, { minLength: 1 }), { nil: undefined }),
      user: fc.option(id, { nil: undefined }),
      stream: fc.boolean(),
    })
    const target = { model: 'claude-sonnet-4-5', traits: traitsOf(anthropicKind, 'claude-sonnet-4-5') }
    fc.assert(
      fc.property(made, ({ system, first, rounds: turns, ...settings }) => {
        const request: ChatRequest = {
          ...settings,
          model: 'claude-sonnet-4-5',
          messages: [...(system === null ? [] : [system]), first, ...turns.flat()],
          tools: [{ name: 'f', description: 'd', parameters: { properties: {}, type: 'object' } }],
          toolChoice: { type: 'auto' },
          parallelToolCalls: false,
          includeUsage: true,
          unmapped: [],
        }
        const wire = anthropicDialect.toRequest(request, target)
        expect(wire.warnings).toEqual([])
        expect(parseMessagesRequest(JSON.parse(JSON.stringify(wire.body)))).toEqual(request)
      }),
    )
  })

  it('give back what only this API knows', () => {
    const body = {
      model: 'claude-opus-4-6',
      max_tokens: 100,
      messages: [{ role: 'user', content: [{ type: 'container_upload', file_id: 'file_1' }] }],
      tools: [
        { name: 'a', input_schema: { properties: {}, type: 'object' } },
        { type: 'web_search_20250305', name: 'web_search' },
        { name: 'b', input_schema: { properties: {}, type: 'object' }, defer_loading: true },
      ],
      container: 'c_1',
      cache_control: { type: 'ephemeral' },
      service_tier: 'standard_only',
      thinking: { type: 'adaptive', display: 'omitted' },
      output_config: { effort: 'max', task_budget: { type: 'tokens', total: 9 } },
    }
    const traits = traitsOf(anthropicKind, body.model)
    const wire = anthropicDialect.toRequest(parseMessagesRequest(body), { model: body.model, traits })
    expect(wire.body).toEqual(body)
    expect(wire.warnings).toEqual([])
  })
})

describe('anthropicDialect.fromReply()', () => {
  it('reads the arguments of the stand-in as text, and what is said beside', () => {
    const made = anthropicDialect.fromReply({
      id: 'm',
      model: 'c',
      stop_reason: 'tool_use',
      stop_sequence: null,
      content: [{ type: 'tool_use', id: 't', name: 'gatehouse_structured_output', input: { a: 1 } }],
      usage: { input_tokens: 1, output_tokens: 2 },
    })
    expect(made.choices).toEqual([
      { index: 0, content: [{ type: 'text', text: '{"a":1}' }], finishReason: 'stop' },
    ])
  })

  it('keeps a reason and blocks that it does not know', () => {
    const block = { type: 'sparkle', n: 1 }
    const made = anthropicDialect.fromReply({ content: [block], stop_reason: 'tired' })
    expect(made.choices[0]).toMatchObject({
      content: [{ type: 'other', format: 'messages', raw: block }],
      finishReason: 'other',
      rawFinishReason: 'tired',
    })
    expect(made.usage.inputTokens).toBeUndefined()
  })

  it.each([[null], ['<html>'], [{ type: 'error', error: {} }]])('refuses %j', (body) => {
    expect(() => anthropicDialect.fromReply(body)).toThrow(
      expect.objectContaining({ code: 'upstream_error' }),
    )
  })
})

describe('fromTokenCountReply()', () => {
  it('reads the count, and nothing else', () => {
    expect(fromTokenCountReply({ input_tokens: 12 })).toBe(12)
    expect(() => fromTokenCountReply({ input_tokens: '12' })).toThrow(
      expect.objectContaining({ code: 'upstream_error' }),
    )
  })
})
