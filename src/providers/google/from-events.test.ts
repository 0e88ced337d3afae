import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { mergeUsage, type StreamEvent, type Usage } from '../../contract/chat.ts'
import { SseFramer } from '../../core/sse.ts'
import { fromEvent, newStreamState } from './from-events.ts'

function fixture(name: string): Buffer {
  return readFileSync(new URL(`fixtures/${name}`, import.meta.url))
}

function decode(...chunks: readonly Uint8Array[]): StreamEvent[] {
  const framer = new SseFramer()
  const state = newStreamState()
  const frames = chunks.flatMap((chunk) => framer.push(chunk))
  return [...frames, ...framer.flush()].flatMap((frame) => fromEvent(state, frame))
}

function frameOf(chunk: unknown): Uint8Array {
  return Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`)
}

function textOf(events: readonly StreamEvent[]): string {
  return events.map((event) => (event.type === 'text-delta' ? event.text : '')).join('')
}

function usageIn(events: readonly StreamEvent[]): Usage {
  return events.reduce(
    (usage, event) => (event.type === 'usage-report' ? mergeUsage(usage, event.usage) : usage),
    {},
  )
}

const RECORDED = [
  'text.sse',
  'parallel-calls.sse',
  'thoughts.sse',
  'blocked-prompt.sse',
  'blocked-answer.sse',
  'error-mid-stream.sse',
  'late-usage.sse',
  'two-candidates.sse',
]

describe('fromEvent()', () => {
  it('reads a text with usage in every chunk', () => {
    const events = decode(fixture('text.sse'))
    expect(events[0]).toEqual({
      type: 'reply-start',
      id: 'kP3xaPqmN5_pnvgPvLbJ8Ak',
      model: 'gemini-2.5-flash',
      createdSeconds: 0,
    })
    expect(textOf(events)).toBe('Grüße aus 東京, 👩‍🚀 sagt „hallo“.\n\ndata: kein Feld')
    expect(usageIn(events)).toEqual({ inputTokens: 9, outputTokens: 19 })
    expect(events.slice(-3)).toEqual([
      { type: 'choice-finish', choice: 0, reason: 'stop', rawReason: 'STOP' },
      { type: 'usage-report', usage: { inputTokens: 9, outputTokens: 19 } },
      { type: 'reply-end' },
    ])
  })

  it('numbers parallel calls over chunks and keeps the signature on its call', () => {
    const events = decode(fixture('parallel-calls.sse')).filter((event) => event.type !== 'usage-report')
    expect(events).toEqual([
      { type: 'reply-start', id: 'n1d-aZ_LHqe7', model: 'gemini-3.8-flash', createdSeconds: 0 },
      {
        type: 'tool-call-start',
        choice: 0,
        index: 0,
        id: 'fx8k2p1q',
        name: 'get_weather',
        signature: 'EqoCCqcCAdHtim9bG1vZGVsLXNpZ25hdHVyZQ==',
      },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"city":"Zürich","days":2}' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'fx8k2p1r', name: 'get_weather' },
      { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{"city":"東京"}' },
      { type: 'tool-call-start', choice: 0, index: 2, id: 'call_n1d-aZ_LHqe7_0_2', name: 'now' },
      { type: 'tool-call-delta', choice: 0, index: 2, arguments: '{}' },
      { type: 'choice-finish', choice: 0, reason: 'tool-calls', rawReason: 'STOP' },
      { type: 'reply-end' },
    ])
  })

  it('ends thoughts where the text begins and reports the signature after the text', () => {
    const events = decode(fixture('thoughts.sse')).filter((event) => event.type !== 'usage-report')
    expect(events.slice(1)).toEqual([
      { type: 'reasoning-delta', choice: 0, text: '**Counting the letters**\n\nI go through the word' },
      { type: 'reasoning-delta', choice: 0, text: ' one letter at a time.\n' },
      { type: 'reasoning-end', choice: 0 },
      { type: 'text-delta', choice: 0, text: 'There are three' },
      { type: 'text-delta', choice: 0, text: ' letters “r”.' },
      { type: 'reasoning-end', choice: 0, signature: 'EuYECuMEAdHtim8vc2lnbmF0dXJlLW9mLXRleHQ=' },
      { type: 'choice-finish', choice: 0, reason: 'stop', rawReason: 'STOP' },
      { type: 'reply-end' },
    ])
  })

  it('counts thoughts as output', () => {
    expect(usageIn(decode(fixture('thoughts.sse')))).toEqual({
      inputTokens: 12,
      outputTokens: 114,
      reasoningTokens: 106,
      cachedInputTokens: 4,
    })
  })

  it('ends a blocked prompt as content-filter', () => {
    expect(decode(fixture('blocked-prompt.sse'))).toEqual([
      { type: 'reply-start', id: 'b1ock3d', model: 'gemini-2.5-flash', createdSeconds: 0 },
      { type: 'choice-finish', choice: 0, reason: 'content-filter', rawReason: 'PROHIBITED_CONTENT' },
      { type: 'usage-report', usage: { inputTokens: 31, outputTokens: 0 } },
      { type: 'reply-end' },
    ])
  })

  it('ends a blocked answer, which has no content, as content-filter', () => {
    expect(decode(fixture('blocked-answer.sse'))).toContainEqual({
      type: 'choice-finish',
      choice: 0,
      reason: 'content-filter',
      rawReason: 'SAFETY',
    })
  })

  it('reports an error in the middle and never the end of the reply', () => {
    const events = decode(fixture('error-mid-stream.sse'))
    expect(events.at(-1)).toEqual({
      type: 'error',
      error: {
        code: 'UNAVAILABLE',
        type: 'upstream_error',
        message: 'The model is overloaded. Please try again later.',
      },
    })
    expect(events.some((event) => event.type === 'reply-end')).toBe(false)
  })

  it('lets only usage follow the end of the reply', () => {
    const events = decode(fixture('late-usage.sse'))
    expect(events.slice(2)).toEqual([
      { type: 'choice-finish', choice: 0, reason: 'length', rawReason: 'MAX_TOKENS' },
      { type: 'reply-end' },
      { type: 'usage-report', usage: { inputTokens: 4, outputTokens: 2 } },
    ])
  })

  it('ends the reply with the last of several candidates', () => {
    const events = decode(fixture('two-candidates.sse'))
    const texts = ['', '']
    for (const event of events) {
      if (event.type === 'text-delta') texts[event.choice] += event.text
    }
    expect(texts).toEqual(['One!', 'Eins?'])
    expect(events.filter((event) => event.type === 'choice-finish')).toHaveLength(2)
    expect(events.filter((event) => event.type === 'reply-end')).toHaveLength(1)
    expect(events.at(-1)).toEqual({ type: 'reply-end' })
  })

  it.each(RECORDED)('reads %s the same wherever the network cuts it', (name) => {
    const bytes = fixture(name)
    const whole = decode(bytes)
    for (let cut = 0; cut <= bytes.length; cut++) {
      expect(decode(bytes.subarray(0, cut), bytes.subarray(cut)), `cut at ${cut}`).toEqual(whole)
    }
    expect(decode(...[...bytes].map((byte) => Uint8Array.of(byte)))).toEqual(whole)
  })

  it.each(['text.sse', 'parallel-calls.sse', 'thoughts.sse', 'blocked-answer.sse', 'two-candidates.sse'])(
    'sees that %s is cut off wherever its last chunk is missing',
    (name) => {
      const bytes = fixture(name)
      const last = bytes.lastIndexOf('data: {')
      expect(decode(bytes).at(-1)).toEqual({ type: 'reply-end' })
      for (let cut = 0; cut <= last; cut++) {
        expect(decode(bytes.subarray(0, cut)), `cut at ${cut}`).not.toContainEqual({ type: 'reply-end' })
      }
    },
  )

  it('keeps parts it has no word for as events of Gemini', () => {
    const part = { executableCode: { language: 'PYTHON', code: 'print(1)' } }
    const events = decode(frameOf({ candidates: [{ content: { parts: [part] } }], responseId: 'x' }))
    expect(events.at(-1)).toEqual({
      type: 'other',
      format: 'gemini',
      raw: { candidates: [{ content: { parts: [part], role: 'model' }, index: 0 }] },
    })
  })

  it('turns unreadable data into an error', () => {
    expect(decode(Buffer.from('data: {"candidates":[\n\n'))).toMatchObject([{ type: 'error' }])
  })

  it('skips comments and the terminator of other formats', () => {
    expect(decode(Buffer.from(': hello\n\ndata: [DONE]\n\n'))).toEqual([])
  })

  it('gives the probabilities of a chunk to its text', () => {
    const logprobsResult = {
      chosenCandidates: [{ token: 'Hi', logProbability: -0.5 }],
      topCandidates: [
        {
          candidates: [
            { token: 'Hi', logProbability: -0.5 },
            { token: 'Ho', logProbability: -2 },
          ],
        },
      ],
    }
    const events = decode(frameOf({ candidates: [{ content: { parts: [{ text: 'Hi' }] }, logprobsResult }] }))
    expect(events.at(-1)).toEqual({
      type: 'text-delta',
      choice: 0,
      text: 'Hi',
      logprobs: {
        content: [
          {
            token: 'Hi',
            logprob: -0.5,
            bytes: null,
            top_logprobs: [
              { token: 'Hi', logprob: -0.5, bytes: null },
              { token: 'Ho', logprob: -2, bytes: null },
            ],
          },
        ],
        refusal: null,
      },
    })
  })

  it('remembers no more candidates than its bound', () => {
    const candidates = Array.from({ length: 500 }, (_, index) => ({
      index,
      content: { parts: [{ text: 'x' }] },
    }))
    expect(decode(frameOf({ candidates })).filter((event) => event.type === 'text-delta')).toHaveLength(64)
  })
})
