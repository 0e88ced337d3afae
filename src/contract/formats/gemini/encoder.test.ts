import { describe, expect, it } from 'vitest'
import type { ChatRequest, StreamEvent } from '../../chat.ts'
import { createArrayEncoder, createEncoder, formerStyle } from './encoder.ts'

const CONTEXT = { requestId: 'req-1', nowSeconds: 1 }
const REQUEST: ChatRequest = { model: 'chat', messages: [], stream: true, includeUsage: true, unmapped: [] }
const START: StreamEvent = { type: 'reply-start', id: 'r', model: 'm', createdSeconds: 1 }
const END: readonly StreamEvent[] = [
  { type: 'choice-finish', choice: 0, reason: 'stop' },
  { type: 'usage-report', usage: { inputTokens: 2, outputTokens: 3 } },
  { type: 'reply-end' },
]
const LAST = {
  candidates: [{ content: { parts: [{ text: '' }], role: 'model' }, finishReason: 'STOP', index: 0 }],
  usageMetadata: { promptTokenCount: 2, candidatesTokenCount: 3, totalTokenCount: 5 },
  modelVersion: 'm',
  responseId: 'r',
}

/** @returns the chunks written at each event */
function encode(events: readonly StreamEvent[]): unknown[][] {
  const encoder = createEncoder(REQUEST, CONTEXT)
  return events.map((event) => {
    const frames = encoder.encode(event)
    expect(frames).toMatch(/^(data: .*\n\n)*$/)
    return frames
      .split('\n\n')
      .slice(0, -1)
      .map((frame) => JSON.parse(frame.slice('data: '.length)))
  })
}

function partsOf(chunks: readonly unknown[]): unknown[] {
  return chunks.flatMap((chunk) =>
    (chunk as typeof LAST).candidates.flatMap((candidate) => candidate.content.parts),
  )
}

describe('createEncoder()', () => {
  it('writes text as it comes, and finish reason and usage in the last chunk', () => {
    const text: StreamEvent = { type: 'text-delta', choice: 0, text: 'Grüße\n\n' }
    expect(encode([START, text, ...END])).toEqual([
      [],
      [
        {
          candidates: [{ content: { parts: [{ text: 'Grüße\n\n' }], role: 'model' }, index: 0 }],
          modelVersion: 'm',
          responseId: 'r',
        },
      ],
      [],
      [],
      [LAST],
    ])
  })

  it('writes a call whole: at the next call or where the choice ends', () => {
    const written = encode([
      START,
      { type: 'tool-call-start', choice: 0, index: 0, id: 'a', name: 'f', signature: 'c2ln' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"x":' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '1}' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'b', name: 'g' },
      ...END,
    ]).map(partsOf)
    const first = { functionCall: { id: 'a', name: 'f', args: { x: 1 } }, thoughtSignature: 'c2ln' }
    const second = { functionCall: { id: 'b', name: 'g', args: {} } }
    expect(written).toEqual([[], [], [], [], [first], [second], [], [{ text: '' }]])
  })

  it('waits for calls whose arguments come interleaved', () => {
    const written = encode([
      START,
      { type: 'tool-call-start', choice: 0, index: 0, id: 'a', name: 'f' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'b', name: 'g' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"x":1}' },
      { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{"y":2}' },
      ...END,
    ]).map(partsOf)
    const first = { functionCall: { id: 'a', name: 'f', args: { x: 1 } } }
    const second = { functionCall: { id: 'b', name: 'g', args: { y: 2 } } }
    expect(written).toEqual([[], [], [], [], [], [first, second], [], [{ text: '' }]])
  })

  it('reports a call that never became JSON', () => {
    const written = encode([
      START,
      { type: 'tool-call-start', choice: 0, index: 0, id: 'a', name: 'f' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"x":' },
      { type: 'choice-finish', choice: 0, reason: 'length' },
      { type: 'reply-end' },
    ])
    expect(written.at(-1)).toMatchObject([
      { candidates: [{ finishReason: 'MALFORMED_FUNCTION_CALL', finishMessage: 'f({"x":)' }] },
    ])
  })

  it('marks thoughts and tells their signature from that of the text', () => {
    const written = encode([
      START,
      { type: 'reasoning-delta', choice: 0, text: 'Hm' },
      { type: 'reasoning-end', choice: 0, signature: 'b25l' },
      { type: 'text-delta', choice: 0, text: 'Yes' },
      { type: 'reasoning-end', choice: 0, signature: 'dHdv' },
    ]).flatMap(partsOf)
    expect(written).toEqual([
      { text: 'Hm', thought: true },
      { text: '', thought: true, thoughtSignature: 'b25l' },
      { text: 'Yes' },
      { text: '', thoughtSignature: 'dHdv' },
    ])
  })

  it('finishes every choice in one last chunk', () => {
    const [last] = encode([
      START,
      { type: 'choice-finish', choice: 1, reason: 'length' },
      { type: 'choice-finish', choice: 0, reason: 'content-filter', rawReason: 'SPII' },
      { type: 'reply-end' },
    ]).at(-1) as { candidates: unknown[] }[]
    expect(last?.candidates).toMatchObject([
      { index: 1, finishReason: 'MAX_TOKENS' },
      { index: 0, finishReason: 'SPII' },
    ])
  })

  it('passes chunks of Gemini that the neutral model has no word for', () => {
    const raw = { candidates: [{ index: 0, groundingMetadata: {} }] }
    expect(encode([START, { type: 'other', format: 'gemini', raw }])[1]).toEqual([
      { ...raw, modelVersion: 'm', responseId: 'r' },
    ])
    expect(encode([START, { type: 'other', format: 'chat', raw }])[1]).toEqual([])
  })

  it.each([
    ['upstream_timeout', 504, 'DEADLINE_EXCEEDED'],
    ['UNAVAILABLE', 503, 'UNAVAILABLE'],
    ['overloaded_error', 502, 'UNAVAILABLE'],
  ])('ends a broken stream in an error: %s', (code, status, name) => {
    const written = encode([
      START,
      { type: 'error', error: { code, type: 'upstream_error', message: 'Gone.' } },
    ])
    expect(written[1]).toEqual([
      {
        error: {
          code: status,
          message: 'Gone.',
          status: name,
          details: [
            { '@type': 'type.googleapis.com/google.rpc.ErrorInfo', reason: code, domain: 'gatehouse' },
          ],
        },
      },
    ])
  })

  it('leaves a ping to the heartbeat of the connection', () => {
    expect(createEncoder(REQUEST, CONTEXT).encode({ type: 'ping' })).toBe('')
  })
})

describe('formerStyle', () => {
  it('ends a stream that breaks in a finish reason, and any other like the rest of the format', () => {
    const error: StreamEvent = {
      type: 'error',
      error: { code: 'upstream_error', type: 'x', message: 'Gone.' },
    }
    const text = formerStyle.createEncoder(REQUEST, CONTEXT).encode(error)
    const [last, failure] = text.split('\n\n').map((frame) => frame.replace('data: ', ''))
    expect(JSON.parse(last ?? '')).toMatchObject({
      candidates: [{ finishReason: 'OTHER', finishMessage: 'Gone.' }],
    })
    expect(JSON.parse(failure ?? '')).toMatchObject({ error: { code: 502 } })
    const [usual, former] = [createEncoder, formerStyle.createEncoder].map((create) => {
      const encoder = create(REQUEST, CONTEXT)
      return [START, ...END].map((event) => encoder.encode(event)).join('')
    })
    expect(former).toBe(usual)
  })
})

describe('createArrayEncoder()', () => {
  const text: StreamEvent = { type: 'text-delta', choice: 0, text: 'Hi' }

  it('writes one JSON array', () => {
    const encoder = createArrayEncoder(REQUEST, CONTEXT)
    const events: StreamEvent[] = [{ type: 'ping' }, START, text, { type: 'ping' }, text, ...END]
    const array = JSON.parse(events.map((event) => encoder.encode(event)).join(''))
    expect(array).toHaveLength(3)
    expect(array[2]).toEqual(LAST)
  })

  it('closes the array after an error', () => {
    const encoder = createArrayEncoder(REQUEST, CONTEXT)
    const error: StreamEvent = {
      type: 'error',
      error: { code: 'upstream_error', type: 'x', message: 'Gone.' },
    }
    expect(JSON.parse(encoder.encode(error))).toMatchObject([{ error: { code: 502 } }])
  })
})
