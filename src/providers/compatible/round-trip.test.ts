import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ChatChoice, ChatReply, ChatRequest, Message, Part, StreamEvent } from '../../contract/chat.ts'
import { chatFormat } from '../../contract/formats/chat/chat-format.ts'
import { SseFramer } from '../../core/sse.ts'
import { compatibleDialect } from './compatible-dialect.ts'
import { collectEvents } from './fixtures/collect-events.ts'
import type { CompatibleTraits } from './traits.ts'

const CONTEXT = { requestId: 'r', nowSeconds: 1 }
const TRAITS: CompatibleTraits = { topK: true, cacheControl: true, reasoningField: 'reasoning_details' }

const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
const word = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_-]{0,10}$/)
const base64 = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('base64'))
const json = fc.dictionary(word, fc.oneof(text, fc.integer(), fc.boolean()), { maxKeys: 3 })
const schema = json.map((properties) => ({ type: 'object', properties }))

/** @returns the arbitrary, or one that leaves the field out */
function optional<Value>(name: string, value: fc.Arbitrary<Value>): fc.Arbitrary<Record<string, Value>> {
  return fc.oneof(
    fc.constant({}),
    value.map((present) => ({ [name]: present })),
  )
}

function merge(...fields: fc.Arbitrary<object>[]): fc.Arbitrary<object> {
  return fc.tuple(...fields).map((parts) => Object.assign({}, ...parts))
}

const textPart = merge(
  fc.record({ type: fc.constant('text'), text }),
  optional('cacheControl', fc.constant({ type: 'ephemeral' })),
)
const url = word.map((path) => ({ kind: 'url', url: `https://example.org/${path}` }))
const bytes = (mediaType: string) => base64.map((data) => ({ kind: 'base64', mediaType, data }))
const imagePart = merge(
  fc.record({ type: fc.constant('image'), source: fc.oneof(url, bytes('image/png')) }),
  optional('detail', fc.constantFrom('low', 'high')),
)
const audioPart = fc.record({
  type: fc.constant('audio'),
  source: bytes('audio/wav'),
  encoding: fc.constant('wav'),
})
const filePart = fc.record({
  type: fc.constant('file'),
  source: fc.oneof(
    bytes('application/pdf'),
    word.map((id) => ({ kind: 'file', id })),
  ),
  name: word,
})
const reasoningPart = fc.oneof(
  fc.record({ type: fc.constant('reasoning'), text, signature: word }),
  fc.record({ type: fc.constant('reasoning'), text: fc.constant(''), encrypted: word }),
  fc.record({ type: fc.constant('reasoning'), text, encrypted: word, id: word }),
)
const call = merge(
  fc.record({
    type: fc.constant('tool-call'),
    id: word,
    name: word,
    arguments: json.map((value) => JSON.stringify(value)),
  }),
  optional('signature', word),
)
const refusal = fc.record({ type: fc.constant('refusal'), text })

const system = fc.record({
  role: fc.constant('system'),
  content: fc.array(textPart, { minLength: 1, maxLength: 2 }),
})
const user = merge(
  fc.record({
    role: fc.constant('user'),
    content: fc.array(fc.oneof(textPart, imagePart, audioPart, filePart), { minLength: 1, maxLength: 3 }),
  }),
  optional('name', word),
)
/** In the order in which the chat format can say it: thoughts, one text, a refusal, calls. */
const assistantContent = fc
  .tuple(
    fc.array(reasoningPart, { maxLength: 2 }),
    fc.array(fc.record({ type: fc.constant('text'), text }), { maxLength: 1 }),
    fc.array(refusal, { maxLength: 1 }),
    fc.array(call, { maxLength: 2 }),
  )
  .map((groups) => groups.flat())
  .filter((content) => content.some((part) => 'type' in part && part.type !== 'reasoning'))
const assistant = fc.record({ role: fc.constant('assistant'), content: assistantContent })
const result = fc.record({
  type: fc.constant('tool-result'),
  callId: word,
  content: fc.array(fc.record({ type: fc.constant('text'), text }), { minLength: 1, maxLength: 1 }),
})
const tool = fc.record({ role: fc.constant('tool'), content: fc.tuple(result) })

const request = merge(
  fc.record({
    model: word,
    messages: fc.array(fc.oneof(system, user, assistant, tool), { minLength: 1, maxLength: 6 }),
    unmapped: fc.constant([]),
  }),
  fc.oneof(
    fc.constant({}),
    merge(
      fc.record({
        tools: fc.array(
          merge(
            fc.record({ name: word }),
            optional('description', text),
            optional('parameters', schema),
            optional('strict', fc.boolean()),
          ),
          { minLength: 1, maxLength: 2 },
        ),
      }),
      optional(
        'toolChoice',
        fc.oneof(
          fc.constantFrom({ type: 'auto' }, { type: 'none' }, { type: 'required' }),
          fc.record({ type: fc.constant('tool'), name: word }),
        ),
      ),
      optional('parallelToolCalls', fc.boolean()),
    ),
  ),
  optional(
    'responseFormat',
    fc.oneof(
      fc.constantFrom({ type: 'text' }, { type: 'json' }),
      fc.record({ type: fc.constant('json-schema'), name: word, schema, strict: fc.boolean() }),
    ),
  ),
  optional('outputTokensMax', fc.integer({ min: 1, max: 100_000 })),
  optional('temperature', fc.double({ min: 0, max: 2, noNaN: true })),
  optional('topP', fc.double({ min: 0, max: 1, noNaN: true })),
  optional('topK', fc.integer({ min: 1, max: 100 })),
  optional('stop', fc.array(text, { minLength: 1, maxLength: 4 })),
  optional('seed', fc.integer()),
  optional('n', fc.integer({ min: 2, max: 128 })),
  optional('presencePenalty', fc.double({ min: -2, max: 2, noNaN: true })),
  optional('frequencyPenalty', fc.double({ min: -2, max: 2, noNaN: true })),
  optional('logitBias', fc.dictionary(word, fc.integer({ min: -100, max: 100 }), { maxKeys: 2 })),
  fc.oneof(
    fc.constant({}),
    fc.record({ logprobs: fc.constant(true), topLogprobs: fc.integer({ min: 0, max: 20 }) }),
  ),
  optional('reasoning', fc.record({ effort: fc.constantFrom('minimal', 'low', 'medium', 'high') })),
  optional('user', word),
  fc.constantFrom({ stream: false, includeUsage: false }, { stream: true, includeUsage: true }),
) as fc.Arbitrary<ChatRequest>

/** JSON has no -0, and knows no field that is `undefined`. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** Providers get joined what the format has one field for; only then the texts can be compared. */
function mergeTexts(content: readonly Part[]): Part[] {
  const merged: Part[] = []
  for (const part of content) {
    const last = merged.at(-1)
    if (part.type === 'text' && last?.type === 'text')
      merged[merged.length - 1] = { ...last, text: last.text + part.text }
    else merged.push(part)
  }
  return merged
}

const usage = fc.record({
  inputTokens: fc.nat(10_000),
  outputTokens: fc.nat(10_000),
  cachedInputTokens: fc.nat(100),
  cacheWriteTokens: fc.nat(100),
  reasoningTokens: fc.constant(0),
  inputAudioTokens: fc.nat(100),
  outputAudioTokens: fc.nat(100),
})

const choiceContent = assistantContent as unknown as fc.Arbitrary<Part[]>
const finishReason = fc.constantFrom('stop', 'length', 'content-filter') satisfies fc.Arbitrary<
  ChatChoice['finishReason']
>

const reply: fc.Arbitrary<ChatReply> = fc
  .record({
    id: word,
    model: word,
    createdSeconds: fc.integer({ min: 1, max: 2_000_000_000 }),
    contents: fc.array(choiceContent, { minLength: 1, maxLength: 3 }),
    finishReason,
    usage,
  })
  .map(({ contents, finishReason: reason, ...rest }) => ({
    ...rest,
    choices: contents.map((content, index): ChatChoice => {
      const hasCalls = content.some(({ type }) => type === 'tool-call')
      return { index, content, finishReason: reason === 'stop' && hasCalls ? 'tool-calls' : reason }
    }),
  }))

/** A reply as the events of a stream, each text cut in two. */
function toEvents({ id, model, createdSeconds, choices, usage: counts }: ChatReply): StreamEvent[] {
  const events: StreamEvent[] = [{ type: 'reply-start', id, model, createdSeconds }]
  for (const { index: choice, content, finishReason: reason } of choices) {
    let calls = 0
    for (const part of content) {
      switch (part.type) {
        case 'text':
          for (const piece of halves(part.text)) events.push({ type: 'text-delta', choice, text: piece })
          break
        case 'refusal':
          for (const piece of halves(part.text)) events.push({ type: 'refusal-delta', choice, text: piece })
          break
        case 'reasoning': {
          const { type: _type, text: thought, ...proof } = part
          for (const piece of halves(thought)) events.push({ type: 'reasoning-delta', choice, text: piece })
          events.push({ type: 'reasoning-end', choice, ...proof })
          break
        }
        case 'tool-call': {
          const { type: _type, arguments: whole, ...head } = part
          events.push({ type: 'tool-call-start', choice, index: calls, ...head })
          for (const piece of halves(whole)) {
            events.push({ type: 'tool-call-delta', choice, index: calls, arguments: piece })
          }
          calls += 1
        }
      }
    }
    events.push({ type: 'choice-finish', choice, reason })
  }
  return [...events, { type: 'usage-report', usage: counts }, { type: 'reply-end' }]
}

function halves(whole: string): string[] {
  const letters = [...whole]
  const middle = Math.ceil(letters.length / 2)
  return [letters.slice(0, middle).join(''), letters.slice(middle).join('')].filter((piece) => piece !== '')
}

function parse(body: unknown): ChatRequest {
  return chatFormat.parseRequest(body, CONTEXT)
}

describe('chatFormat and compatibleDialect', () => {
  it('parseRequest(toRequest(request)) means the same', () => {
    fc.assert(
      fc.property(request, (original) => {
        const wire = compatibleDialect.toRequest(original, { model: original.model, traits: TRAITS })
        expect(wire.warnings).toEqual([])
        const messages = original.messages.map(
          (message): Message =>
            message.role === 'assistant' ? { ...message, content: mergeTexts(message.content) } : message,
        )
        expect(plain(parse(plain(wire.body)))).toEqual(plain({ ...original, messages }))
      }),
      { numRuns: 400 },
    )
  })

  it('fromReply(toReply(reply)) means the same', () => {
    const asked = parse({ model: 'm', messages: [{ role: 'user', content: 'x' }] })
    fc.assert(
      fc.property(reply, (original) => {
        const body = plain(chatFormat.toReply(original, asked, CONTEXT))
        expect(plain(compatibleDialect.fromReply(body))).toEqual(plain(original))
        expect(plain(compatibleDialect.usageOf(body))).toEqual(plain(original.usage))
      }),
      { numRuns: 400 },
    )
  })

  it('fromEvent(encode(events)) means the same, wherever the bytes are cut', () => {
    const asked = parse({
      model: 'm',
      messages: [{ role: 'user', content: 'x' }],
      stream: true,
      stream_options: { include_usage: true },
    })
    fc.assert(
      fc.property(reply, fc.array(fc.nat(5000), { maxLength: 6 }), (original, cuts) => {
        const encoder = chatFormat.createEncoder(asked, CONTEXT)
        const events = toEvents(original)
        const encoded = new TextEncoder().encode(events.map((event) => encoder.encode(event)).join(''))
        const decoded = collectEvents(decode(encoded, cuts))
        expect(plain(decoded.reply)).toEqual(plain(collectEvents(events).reply))
        expect(plain(decoded.reply)).toEqual(plain(original))
        expect(decoded.isComplete).toBe(true)
      }),
      { numRuns: 400 },
    )
  })
})

function decode(encoded: Uint8Array, cuts: readonly number[]): StreamEvent[] {
  const places = [0, ...cuts.map((cut) => cut % (encoded.length + 1)), encoded.length].sort((a, b) => a - b)
  const framer = new SseFramer()
  const state = compatibleDialect.newStreamState()
  return places
    .slice(1)
    .flatMap((place, index) => framer.push(encoded.subarray(places[index], place)))
    .flatMap((frame) => compatibleDialect.fromEvent(state, frame))
}
