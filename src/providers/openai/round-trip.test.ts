import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { ChatReply, ChatRequest, Message, Part, StreamEvent } from '../../contract/chat.ts'
import { responsesFormat } from '../../contract/formats/responses/responses-format.ts'
import { SseFramer } from '../../core/sse.ts'
import { responsesDialect } from './adapter.ts'

const context = { requestId: 'req_1', nowSeconds: 1000 }
const target = { model: 'm', traits: {} }

const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 })
const name = fc.stringMatching(/^[a-z][a-z0-9_]{0,20}$/)
const callArguments = fc.dictionary(name, words, { maxKeys: 3 }).map((value) => JSON.stringify(value))
const text: fc.Arbitrary<Part> = words.map((value) => ({ type: 'text', text: value }))
const refusal: fc.Arbitrary<Part> = words.map((value) => ({ type: 'refusal', text: value }))
const thought: fc.Arbitrary<Part> = fc
  .record({
    text: fc.oneof(fc.constant(''), words),
    digits: fc.nat(),
    encrypted: fc.base64String({ minLength: 4 }),
  })
  .map(({ text: value, digits, encrypted }) => ({
    type: 'reasoning',
    text: value,
    encrypted,
    id: `rs_${digits}`,
  }))
const call: fc.Arbitrary<Part> = fc
  .record({ id: fc.uuid(), name, arguments: callArguments })
  .map((fields) => ({ type: 'tool-call', ...fields }))
const image: fc.Arbitrary<Part> = fc.oneof(
  fc.webUrl().map((url): Part => ({ type: 'image', source: { kind: 'url', url } })),
  fc
    .base64String({ minLength: 4 })
    .map((data): Part => ({ type: 'image', source: { kind: 'base64', mediaType: 'image/png', data } })),
)
const file: fc.Arbitrary<Part> = fc.base64String({ minLength: 4 }).map((data) => ({
  type: 'file',
  source: { kind: 'base64', mediaType: 'application/pdf', data },
  name: 'a.pdf',
}))
const turn: fc.Arbitrary<Message> = fc.oneof(
  fc
    .array(fc.oneof(text, image, file), { minLength: 1, maxLength: 3 })
    .map((content): Message => ({ role: 'user', content })),
  fc.array(text, { minLength: 1, maxLength: 1 }).map((content): Message => ({ role: 'system', content })),
  fc
    .array(fc.oneof(thought, text, refusal, call), { minLength: 1, maxLength: 5 })
    .map((content): Message => ({ role: 'assistant', content })),
  fc.array(fc.record({ callId: fc.uuid(), value: words }), { minLength: 1, maxLength: 3 }).map(
    (results): Message => ({
      role: 'tool',
      content: results.map(({ callId, value }) => ({
        type: 'tool-result',
        callId,
        content: [{ type: 'text', text: value }],
      })),
    }),
  ),
)
/** Two turns of the model that follow each other are one here, as are two of tools. */
const conversation = fc
  .array(turn, { minLength: 1, maxLength: 8 })
  .map((turns) =>
    turns.filter(
      (message, index) =>
        message.role !== turns[index - 1]?.role || !['assistant', 'tool'].includes(message.role),
    ),
  )

test('parseRequest(toRequest()) keeps the conversation and the settings', () => {
  const settings = fc.record(
    {
      temperature: fc.double({ min: 0, max: 2, noNaN: true }),
      topP: fc.double({ min: 0, max: 1, noNaN: true }),
      outputTokensMax: fc.integer({ min: 1, max: 100_000 }),
      parallelToolCalls: fc.boolean(),
      user: words,
      reasoning: fc.record({ effort: fc.constantFrom('low', 'high'), summary: fc.constant('auto') }),
      toolChoice: fc.constantFrom({ type: 'auto' } as const, { type: 'required' } as const),
      responseFormat: fc.constantFrom({ type: 'json' } as const, { type: 'text' } as const),
      metadata: fc.dictionary(name, words, { minKeys: 1, maxKeys: 2 }),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(conversation, settings, fc.boolean(), (messages, fields, stream) => {
      const request: ChatRequest = {
        model: 'm',
        messages,
        tools: [{ name: 'run', description: 'Runs.', parameters: { type: 'object' }, strict: false }],
        ...fields,
        stream,
        includeUsage: true,
        unmapped: [],
      }
      const { body, warnings } = responsesDialect.toRequest(request, target)
      const { responses: _responses, ...again } = {
        responses: undefined,
        ...responsesFormat.parseRequest(JSON.parse(JSON.stringify(body)), context),
      }
      expect(again).toEqual(request)
      expect(warnings).toEqual([])
    }),
  )
})

const parts = fc.uniqueArray(fc.oneof(thought, text, refusal, call), {
  maxLength: 6,
  selector: (part) => ('id' in part ? part.id : part),
})

function reply(content: readonly Part[]): ChatReply {
  const hasCall = content.some((part) => part.type === 'tool-call')
  const hasRefusal = content.some((part) => part.type === 'refusal')
  return {
    id: 'resp_1',
    model: 'served',
    createdSeconds: 5,
    choices: [{ index: 0, content, finishReason: hasCall ? 'tool-calls' : hasRefusal ? 'refusal' : 'stop' }],
    usage: {
      inputTokens: 10,
      outputTokens: 4,
      cachedInputTokens: 1,
      cacheWriteTokens: 0,
      reasoningTokens: 2,
    },
  }
}

const plain: ChatRequest = {
  model: 'm',
  messages: [{ role: 'user', content: [{ type: 'text', text: 'x' }] }],
  stream: true,
  includeUsage: true,
  unmapped: [],
}

test('fromReply(toReply()) keeps a reply', () => {
  fc.assert(
    fc.property(parts, (content) => {
      const before = reply(content)
      const body = JSON.parse(JSON.stringify(responsesFormat.toReply(before, plain, context)))
      expect(responsesDialect.fromReply(body)).toEqual(before)
    }),
  )
})

function eventsOf(before: ChatReply): StreamEvent[] {
  let calls = 0
  const events = (before.choices[0]?.content ?? []).flatMap((part): StreamEvent[] => {
    switch (part.type) {
      case 'text':
        return pieces(part.text).map((piece) => ({ type: 'text-delta', choice: 0, text: piece }))
      case 'refusal':
        return pieces(part.text).map((piece) => ({ type: 'refusal-delta', choice: 0, text: piece }))
      case 'reasoning':
        return [
          ...pieces(part.text).map((piece) => ({ type: 'reasoning-delta', choice: 0, text: piece }) as const),
          { type: 'reasoning-end', choice: 0, encrypted: part.encrypted ?? '', id: part.id ?? '' },
        ]
      case 'tool-call': {
        const index = calls++
        return [
          { type: 'tool-call-start', choice: 0, index, id: part.id, name: part.name },
          ...pieces(part.arguments).map(
            (piece) => ({ type: 'tool-call-delta', choice: 0, index, arguments: piece }) as const,
          ),
        ]
      }
      default:
        return []
    }
  })
  const { id, model, createdSeconds, usage } = before
  return [
    { type: 'reply-start', id, model, createdSeconds },
    ...events,
    { type: 'choice-finish', choice: 0, reason: before.choices[0]?.finishReason ?? 'stop' },
    { type: 'usage-report', usage },
    { type: 'reply-end' },
  ]
}

function pieces(value: string): string[] {
  const half = Math.ceil(value.length / 2)
  return [value.slice(0, half), value.slice(half)].filter((piece) => piece !== '')
}

/** What a stream said: texts of a kind joined, each call and each thought for itself. */
function meaning(events: readonly StreamEvent[]): unknown {
  const calls = events.flatMap((event) =>
    event.type === 'tool-call-start'
      ? [{ id: event.id, name: event.name, arguments: argumentsOf(events, event.index) }]
      : [],
  )
  const joined = (type: 'text-delta' | 'refusal-delta' | 'reasoning-delta') =>
    events.map((event) => (event.type === type ? event.text : '')).join('')
  return {
    calls,
    text: joined('text-delta'),
    refusal: joined('refusal-delta'),
    reasoning: joined('reasoning-delta'),
    thoughts: events.filter((event) => event.type === 'reasoning-end').length,
    rest: events.filter((event) =>
      ['reply-start', 'choice-finish', 'usage-report', 'reply-end', 'error'].includes(event.type),
    ).length,
    finish: events.find((event) => event.type === 'choice-finish'),
    usage: events.find((event) => event.type === 'usage-report'),
  }
}

function argumentsOf(events: readonly StreamEvent[], index: number): string {
  return events
    .map((event) => (event.type === 'tool-call-delta' && event.index === index ? event.arguments : ''))
    .join('')
}

test('fromEvent(encode()) keeps what a stream says', () => {
  fc.assert(
    fc.property(parts, (content) => {
      const before = eventsOf(reply(content))
      const encoder = responsesFormat.createEncoder(plain, context)
      const bytes = new TextEncoder().encode(before.map((event) => encoder.encode(event)).join(''))
      const state = responsesDialect.newStreamState()
      const after = new SseFramer().push(bytes).flatMap((frame) => responsesDialect.fromEvent(state, frame))
      expect(meaning(after)).toEqual(meaning(before))
    }),
  )
})

test('toReply() renders a reply of the chat dialect with tool calls so that its own dialect reads it', () => {
  const chatReply: ChatReply = {
    id: 'chatcmpl-9',
    model: 'llama',
    createdSeconds: 7,
    choices: [
      {
        index: 0,
        content: [
          { type: 'text', text: 'Looking.' },
          { type: 'tool-call', id: 'call_1', name: 'run', arguments: '{"a":1}' },
          { type: 'tool-call', id: 'call_2', name: 'stop', arguments: '' },
        ],
        finishReason: 'tool-calls',
      },
    ],
    usage: { inputTokens: 3, outputTokens: 2 },
  }
  const read = responsesDialect.fromReply(responsesFormat.toReply(chatReply, plain, context))
  expect(read.choices[0]).toMatchObject({
    content: [
      { type: 'text', text: 'Looking.' },
      { type: 'tool-call', id: 'call_1', name: 'run', arguments: '{"a":1}' },
      { type: 'tool-call', id: 'call_2', name: 'stop', arguments: '{}' },
    ],
    finishReason: 'tool-calls',
  })
})
