import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { Attempt } from '../pipeline/exchange.ts'
import { failAttempt, newAttempt, noteEvent } from './attempt.ts'

function makeAttempt(): Attempt {
  return newAttempt('a', 1, { provider: 'p', model: 'm', reason: '' }, { version: 'v', known: true }, 5)
}

function note(events: readonly StreamEvent[], attempt = makeAttempt()): Attempt {
  let nowMs = 10
  for (const event of events) noteEvent(attempt, event, () => nowMs++)
  return attempt
}

describe('noteEvent()', () => {
  it('keeps everything the model wrote, of all choices, and when the first of it came', () => {
    const attempt = note([
      { type: 'reply-start', id: 'r', model: 'm', createdSeconds: 0 },
      { type: 'reasoning-delta', choice: 0, text: 'hm ' },
      { type: 'text-delta', choice: 0, text: 'a' },
      { type: 'text-delta', choice: 1, text: 'b' },
      { type: 'refusal-delta', choice: 0, text: 'no' },
      { type: 'tool-call-start', choice: 0, index: 0, id: 'c', name: 'f' },
      { type: 'tool-call-delta', choice: 0, index: 0, arguments: '{}' },
      { type: 'reply-end' },
    ])
    expect(attempt.outputText).toBe('hm abnof{}')
    expect(attempt.firstTokenMs).toBe(10)
  })

  it('takes the last word of the provider on each count', () => {
    const attempt = note([
      { type: 'usage-report', usage: { inputTokens: 5, cachedInputTokens: 2 } },
      { type: 'text-delta', choice: 0, text: 'a' },
      { type: 'usage-report', usage: { outputTokens: 1 } },
      { type: 'text-delta', choice: 0, text: 'b' },
      { type: 'usage-report', usage: { outputTokens: 2 } },
    ])
    expect(attempt.usage).toEqual({ inputTokens: 5, cachedInputTokens: 2, outputTokens: 2 })
  })

  it('does not take a count for the last word that more text followed', () => {
    const attempt = note([
      { type: 'usage-report', usage: { inputTokens: 5, outputTokens: 0 } },
      { type: 'text-delta', choice: 0, text: 'a long answer, then the connection breaks' },
    ])
    expect(attempt.usage).toEqual({ inputTokens: 5, outputTokens: undefined })
  })

  it('holds no more text than any model writes', () => {
    const attempt = makeAttempt()
    const text = 'x'.repeat(1 << 20)
    for (let i = 0; i < 64; i++) noteEvent(attempt, { type: 'text-delta', choice: 0, text }, () => 0)
    expect(attempt.outputText.length).toBeLessThanOrEqual(8 << 20)
    expect(attempt.outputText.length).toBeGreaterThanOrEqual(4 << 20)
  })

  it('notes an error of the provider as a failure of the attempt', () => {
    const attempt = note([{ type: 'error', error: { code: 'x', type: 'y', message: 'It broke.' } }])
    expect(attempt).toMatchObject({ errorCode: 'upstream_error', errorMessage: 'It broke.' })
  })
})

describe('failAttempt()', () => {
  it('ends the attempt, hides what is not ours, and keeps an end that is known', () => {
    const attempt = makeAttempt()
    const defect = failAttempt(attempt, new TypeError('x'), 20)
    expect(defect.code).toBe('internal_error')
    expect(attempt).toMatchObject({ endedMs: 20, errorCode: 'internal_error' })
    const error = new GatewayError('upstream_timeout', { message: 'late' })
    expect(failAttempt(attempt, error, 30)).toBe(error)
    expect(attempt).toMatchObject({ endedMs: 20, errorCode: 'upstream_timeout', errorMessage: 'late' })
  })
})
