import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type ChatReply,
  type ChatRequest,
  type Message,
  mergeUsage,
  type Part,
  type StreamEvent,
  type Usage,
} from '../../contract/chat.ts'
import { geminiFormat } from '../../contract/formats/gemini/gemini-format.ts'
import { SseFramer } from '../../core/sse.ts'
import { googleDialect } from './google-dialect.ts'
import type { GoogleTraits } from './traits.ts'

const CONTEXT = { requestId: 'req-1', nowSeconds: 1, pathModel: 'gemini-2.5-flash', pathStream: true }
const TRAITS: GoogleTraits = { thinking: { control: 'budget', tokensMin: 0 } }
const TARGET = { model: 'gemini-2.5-flash', traits: TRAITS }

// Any Unicode text, with what is special in SSE, JSON and UTF-8 more often than chance would have it.
const text = fc
  .array(
    fc.oneof(
      fc.string({ unit: 'grapheme' }),
      fc.constantFrom('\n\n', '\r\n', 'data: ', '"', '\\', '東京', '👩‍🚀', '\u2028'),
    ),
    {
      maxLength: 6,
    },
  )
  .map((pieces) => pieces.join(''))
const someText = text.filter((value) => value !== '')
const name = fc.stringMatching(/^[a-z_][a-z0-9_]{0,15}$/)
const signature = fc.base64String({ minLength: 4, maxLength: 24 }).filter((value) => value !== '')
const args = fc
  .dictionary(name, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 4 })
  .map((value) => JSON.stringify(value))

const textPart = someText.map((value): Part => ({ type: 'text', text: value }))
const image = fc
  .base64String({ minLength: 4 })
  .map((data): Part => ({ type: 'image', source: { kind: 'base64', mediaType: 'image/png', data } }))
const sound = fc.base64String({ minLength: 4 }).map(
  (data): Part => ({
    type: 'audio',
    source: { kind: 'base64', mediaType: 'audio/wav', data },
    encoding: 'wav',
  }),
)
const thought = fc.tuple(someText, fc.option(signature, { nil: undefined })).map(
  ([value, signed]): Part => ({
    type: 'reasoning',
    text: value,
    ...(signed === undefined ? {} : { signature: signed }),
  }),
)

/** A turn of the user, an answer with thoughts and calls, and the results of the calls. */
const turn: fc.Arbitrary<Message[]> = fc
  .record({
    user: fc.array(fc.oneof(textPart, image, sound), { minLength: 1, maxLength: 3 }),
    answer: fc.array(fc.oneof(textPart, thought), { minLength: 1, maxLength: 3 }),
    calls: fc.array(
      fc.record({ name, args, result: text, failed: fc.boolean(), signature: fc.option(signature) }),
      {
        maxLength: 3,
      },
    ),
    seed: fc.uuid(),
  })
  .map(({ user, answer, calls, seed }) => {
    const made = calls.map(
      (call, index): Part => ({
        type: 'tool-call',
        id: `${seed}-${index}`,
        name: call.name,
        arguments: call.args,
        ...(call.signature === null ? {} : { signature: call.signature }),
      }),
    )
    const results = calls.map(
      (call, index): Part => ({
        type: 'tool-result',
        callId: `${seed}-${index}`,
        name: call.name,
        content: [{ type: 'text', text: call.result }],
        ...(call.failed ? { isError: true } : {}),
      }),
    )
    const messages: Message[] = [
      { role: 'user', content: user },
      { role: 'assistant', content: [...answer, ...made] },
    ]
    return results.length === 0 ? messages : [...messages, { role: 'tool', content: results }]
  })

const schema = fc.constantFrom(
  { type: 'object', properties: { a: { type: ['string', 'null'] } }, additionalProperties: false },
  { type: 'object', properties: { a: { $ref: '#/$defs/A' } }, $defs: { A: { enum: [1, 'x'] } } },
)

const request: fc.Arbitrary<ChatRequest> = fc
  .record(
    {
      system: text,
      turns: fc.array(turn, { minLength: 1, maxLength: 3 }),
      tools: fc.array(
        fc.record({ name, description: text, parameters: schema }, { requiredKeys: ['name'] }),
        {
          minLength: 1,
          maxLength: 3,
        },
      ),
      toolChoice: fc.constantFrom(
        { type: 'auto' },
        { type: 'none' },
        { type: 'required' },
        { type: 'tool', name: 'f' },
      ) as fc.Arbitrary<ChatRequest['toolChoice']>,
      outputTokensMax: fc.integer({ min: 1, max: 100_000 }),
      temperature: fc.double({ min: 0, max: 2, noNaN: true }).map((value) => value + 0),
      topK: fc.nat(100),
      stop: fc.array(someText, { minLength: 1, maxLength: 3 }),
      seed: fc.integer(),
      n: fc.integer({ min: 1, max: 8 }),
      reasoning: fc.constantFrom(
        { budgetTokens: 0 },
        { budgetTokens: 512, summary: 'auto' },
        { summary: 'auto' },
      ),
      responseFormat: fc.oneof(
        fc.constant({ type: 'json' } as const),
        schema.map((value) => ({ type: 'json-schema', name: 'response', schema: value }) as const),
      ),
      stream: fc.constant(true),
    },
    { requiredKeys: ['system', 'turns', 'stream'] },
  )
  .map(({ system, turns, ...rest }): ChatRequest => {
    const { toolChoice, tools, ...settings } = rest
    const leading: Message[] =
      system === '' ? [] : [{ role: 'system', content: [{ type: 'text', text: system }] }]
    return {
      model: CONTEXT.pathModel,
      messages: [...leading, ...turns.flat()],
      ...settings,
      ...(tools === undefined ? {} : { tools, ...(toolChoice === undefined ? {} : { toolChoice }) }),
      includeUsage: true,
      unmapped: [],
    }
  })

describe('toRequest() and parseRequest()', () => {
  it('undo each other for everything that both formats can say', () => {
    fc.assert(
      fc.property(request, (asked) => {
        const { body, warnings } = googleDialect.toRequest(asked, TARGET)
        expect(warnings).toEqual([])
        expect(geminiFormat.parseRequest(JSON.parse(JSON.stringify(body)), CONTEXT)).toEqual(asked)
      }),
    )
  })

  it('give Google’s own fields back', () => {
    const body = {
      contents: [{ role: 'user', parts: [{ text: 'Hi' }] }],
      tools: [{ googleSearch: {} }, { functionDeclarations: [{ name: 'f' }] }, { codeExecution: {} }],
      toolConfig: { functionCallingConfig: { mode: 'AUTO' }, includeServerSideToolInvocations: true },
      safetySettings: [{ category: 'HARM_CATEGORY_HARASSMENT', threshold: 'BLOCK_NONE' }],
      cachedContent: 'cachedContents/1',
      labels: { team: 'x' },
      generationConfig: {
        responseModalities: ['TEXT', 'IMAGE'],
        thinkingConfig: { thinkingBudget: -1, includeThoughts: true },
      },
    }
    const written = googleDialect.toRequest(geminiFormat.parseRequest(body, CONTEXT), TARGET)
    expect(written.warnings).toEqual([])
    expect(written.body).toEqual({
      ...body,
      tools: [{ functionDeclarations: [{ name: 'f' }] }, { googleSearch: {} }, { codeExecution: {} }],
    })
  })
})

const usage: fc.Arbitrary<Usage> = fc.record({
  inputTokens: fc.nat(1e6),
  outputTokens: fc.integer({ min: 1000, max: 2000 }),
  cachedInputTokens: fc.nat(100),
  reasoningTokens: fc.nat(1000),
})

const call = fc.record({ id: fc.uuid(), name, args, signature: fc.option(signature) }).map(
  (made): Part => ({
    type: 'tool-call',
    id: made.id,
    name: made.name,
    arguments: made.args,
    ...(made.signature === null ? {} : { signature: made.signature }),
  }),
)
const bareSignature = signature.map((signed): Part => ({ type: 'reasoning', text: '', signature: signed }))
const ending = fc.constantFrom(
  { finishReason: 'stop', rawFinishReason: 'STOP' } as const,
  { finishReason: 'length', rawFinishReason: 'MAX_TOKENS' } as const,
  { finishReason: 'content-filter', rawFinishReason: 'SPII' } as const,
)

describe('toReply() and fromReply()', () => {
  it('undo each other', () => {
    const choice = fc.record({
      content: fc.array(fc.oneof(textPart, thought, image, call, bareSignature), { maxLength: 5 }),
      ending,
    })
    const reply = fc.record({ choices: fc.array(choice, { minLength: 1, maxLength: 3 }), usage })
    fc.assert(
      fc.property(reply, (made) => {
        const given: ChatReply = {
          id: 'r1',
          model: 'gemini-2.5-flash',
          createdSeconds: 0,
          choices: made.choices.map(({ content, ending: end }, index) => ({
            index,
            content,
            ...end,
            ...(end.finishReason === 'stop' && content.some((part) => part.type === 'tool-call')
              ? { finishReason: 'tool-calls' as const }
              : {}),
          })),
          usage: made.usage,
        }
        const asked = geminiFormat.parseRequest({ contents: [{ parts: [{ text: 'Hi' }] }] }, CONTEXT)
        const body = JSON.parse(JSON.stringify(geminiFormat.toReply(given, asked, CONTEXT)))
        expect(googleDialect.fromReply(body)).toEqual(given)
      }),
    )
  })
})

/** Events of one choice in a form that does not depend on how its text is cut. */
function fold(events: readonly StreamEvent[]): { written: unknown[]; usage: Usage; finish: unknown } {
  const written: { kind: string; text: string }[] = []
  let folded: Usage = {}
  let finish: unknown
  for (const event of events) {
    const last = written.at(-1)
    if (event.type === 'text-delta' || event.type === 'reasoning-delta') {
      if (last?.kind === event.type) last.text += event.text
      else written.push({ kind: event.type, text: event.text })
    } else if (event.type === 'tool-call-start') {
      written.push({ kind: `${event.id} ${event.name} ${event.signature ?? ''}`, text: '' })
    } else if (event.type === 'tool-call-delta' && last !== undefined) last.text += event.arguments
    // Where an unsigned thought ends before another begins is nothing that Gemini's format can say.
    else if (event.type === 'reasoning-end' && event.signature !== undefined) {
      written.push({ kind: 'end', text: event.signature })
    } else if (event.type === 'usage-report') folded = mergeUsage(folded, event.usage)
    else if (event.type === 'choice-finish') finish = event
  }
  return { written, usage: folded, finish }
}

/** @returns a stream as another provider would send it: arguments in pieces, usage after the end of the choice */
function toEvents(content: readonly Part[], total: Usage): StreamEvent[] {
  const choice = 0
  let index = 0
  const events: StreamEvent[] = [{ type: 'reply-start', id: 'r1', model: 'm', createdSeconds: 0 }]
  for (const part of content) {
    if (part.type === 'text') events.push({ type: 'text-delta', choice, text: part.text })
    if (part.type === 'reasoning') {
      if (part.text !== '') events.push({ type: 'reasoning-delta', choice, text: part.text })
      events.push({
        type: 'reasoning-end',
        choice,
        ...(part.signature === undefined ? {} : { signature: part.signature }),
      })
    }
    if (part.type === 'tool-call') {
      const { id, signature: signed } = part
      const half = Math.floor(part.arguments.length / 2)
      events.push(
        {
          type: 'tool-call-start',
          choice,
          index,
          id,
          name: part.name,
          ...(signed === undefined ? {} : { signature: signed }),
        },
        { type: 'tool-call-delta', choice, index, arguments: part.arguments.slice(0, half) },
        { type: 'tool-call-delta', choice, index, arguments: part.arguments.slice(half) },
      )
      index++
    }
  }
  return [
    ...events,
    {
      type: 'choice-finish',
      choice,
      reason: index > 0 ? 'tool-calls' : 'stop',
      rawReason: 'STOP',
    },
    { type: 'usage-report', usage: total },
    { type: 'reply-end' },
  ]
}

describe('createEncoder() and fromEvent()', () => {
  it('undo each other, wherever the bytes are cut', () => {
    // Calls stand last: text that follows a call is written before it, where the call is not complete yet.
    const content = fc
      .tuple(
        fc.array(fc.oneof(textPart, thought, bareSignature), { maxLength: 4 }),
        fc.array(call, { maxLength: 3 }),
      )
      .map(([first, calls]) => [...first, ...calls])
    fc.assert(
      fc.property(
        content,
        usage,
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        (parts, total, sizes) => {
          const asked = geminiFormat.parseRequest({ contents: [{ parts: [{ text: 'Hi' }] }] }, CONTEXT)
          const encoder = geminiFormat.createEncoder(asked, CONTEXT)
          const sent = toEvents(parts, total)
          const bytes = Buffer.from(
            sent.map((event) => encoder.encode(event)).join(`${geminiFormat.heartbeat}`),
          )
          const framer = new SseFramer()
          const state = googleDialect.newStreamState()
          const received: StreamEvent[] = []
          for (let start = 0; start < bytes.length; ) {
            const size = sizes.next().value ?? 1
            for (const frame of framer.push(bytes.subarray(start, start + size))) {
              received.push(...googleDialect.fromEvent(state, frame))
            }
            start += size
          }
          expect(received.at(-1)).toEqual({ type: 'reply-end' })
          expect(fold(received)).toEqual(fold(sent))
        },
      ),
    )
  })
})
