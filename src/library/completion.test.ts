import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../routing/attempt.ts'
import { ReplyCollector, toCompletion, toFacts } from './completion.ts'

function collect(...events: readonly StreamEvent[]) {
  const collector = new ReplyCollector()
  for (const event of events) collector.take(event)
  return collector.toReply({ inputTokens: 1 })
}

function text(value: string, choice = 0): StreamEvent {
  return { type: 'text-delta', choice, text: value }
}

function thought(value: string): StreamEvent {
  return { type: 'reasoning-delta', choice: 0, text: value }
}

describe('ReplyCollector', () => {
  it('puts a reply together in the order in which the model made it', () => {
    const reply = collect(
      { type: 'reply-start', id: 'r', model: 'm', createdSeconds: 7 },
      thought('let '),
      thought('me'),
      { type: 'reasoning-end', choice: 0, signature: 's' },
      text('a'),
      { type: 'ping' },
      text('b'),
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c0', name: 'f' },
      { type: 'tool-call-start', choice: 0, index: 1, id: 'c1', name: 'g', signature: 'gs' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{"x"' },
      { type: 'tool-call-delta', choice: 0, index: 1, arguments: '{}' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: ':1}' },
      text('c'),
      { type: 'choice-finish', choice: 0, reason: 'tool-calls' },
      { type: 'reply-end' },
    )
    expect(reply).toEqual({
      id: 'r',
      model: 'm',
      createdSeconds: 7,
      usage: { inputTokens: 1 },
      choices: [
        {
          index: 0,
          finishReason: 'tool-calls',
          content: [
            { type: 'reasoning', text: 'let me', signature: 's' },
            { type: 'text', text: 'ab' },
            { type: 'tool-call', id: 'c0', name: 'f', arguments: '{"x":1}' },
            { type: 'tool-call', id: 'c1', name: 'g', arguments: '{}', signature: 'gs' },
            { type: 'text', text: 'c' },
          ],
        },
      ],
    })
  })

  it('keeps thoughts apart that were sealed apart, whatever seals them', () => {
    for (const seal of [{ signature: 's' }, { encrypted: 'e' }, { id: 'rs_1' }]) {
      const { choices } = collect(
        thought('one'),
        { type: 'reasoning-end', choice: 0, ...seal },
        thought('two'),
        { type: 'reasoning-end', choice: 0, signature: 't' },
      )
      expect(choices[0]?.content).toEqual([
        { type: 'reasoning', text: 'one', ...seal },
        { type: 'reasoning', text: 'two', signature: 't' },
      ])
    }
  })

  it('does not put the seal of one thought on another', () => {
    const { choices } = collect(
      thought('one'),
      { type: 'reasoning-end', choice: 0, signature: 's' },
      { type: 'reasoning-end', choice: 0, encrypted: 'e' },
    )
    expect(choices[0]?.content).toEqual([
      { type: 'reasoning', text: 'one', signature: 's' },
      { type: 'reasoning', text: '', encrypted: 'e' },
    ])
  })

  it('keeps choices apart, in their order', () => {
    const { choices } = collect(text('b', 1), text('a', 0), text('B', 1))
    expect(choices.map(({ index, content }) => [index, content])).toEqual([
      [0, [{ type: 'text', text: 'a' }]],
      [1, [{ type: 'text', text: 'bB' }]],
    ])
  })

  it('gives nothing for a stream of nothing, and drops arguments of no call', () => {
    expect(collect().choices).toEqual([])
    expect(
      collect({ type: 'tool-call-delta', choice: 0, index: 3, arguments: '{}' }).choices[0]?.content,
    ).toEqual([])
  })
})

describe('toCompletion()', () => {
  it('shows the first choice, and what all attempts cost', () => {
    const attempt = (number: number, changes: object) => ({
      ...newAttempt(
        `a-${number}`,
        number,
        { provider: `p${number}`, model: 'm', reason: '' },
        { version: 'v', known: true },
        0,
      ),
      ...changes,
    })
    const exchange = makeExchange({
      attempts: [attempt(1, { costNanoUsd: 5 }), attempt(2, { costNanoUsd: 7, usage: { inputTokens: 3 } })],
    })
    const reply = collect(thought('hm'), text('a'), text('other', 1), {
      type: 'choice-finish',
      choice: 0,
      reason: 'stop',
    })
    expect(toCompletion(exchange, reply)).toMatchObject({
      text: 'a',
      reasoning: 'hm',
      finishReason: 'stop',
      provider: 'p2',
      usage: { inputTokens: 3 },
      costNanoUsd: 12,
    })
    expect(toFacts(makeExchange())).toMatchObject({ provider: '', costNanoUsd: 0, usage: {} })
  })
})
