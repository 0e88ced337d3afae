import { validateHeaderValue } from 'node:http'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { makeExchange, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import type { Reply } from '../pipeline/reply.ts'
import { newAttempt } from '../routing/attempt.ts'
import { toResponseHeaders } from './response-headers.ts'

function attempt(changes: object = {}, model = 'm') {
  return {
    ...newAttempt('a', 1, { provider: 'p', model, reason: '' }, { version: 'v', known: true }, 2),
    endedMs: 8,
    ...changes,
  }
}

const WHOLE: Reply = { kind: 'token-count', status: 200, headers: { 'content-type': 'x' }, inputTokens: 1 }

describe('toResponseHeaders()', () => {
  it('says who answered, what it cost and how long we took ourselves', () => {
    const exchange = makeExchange({
      attempts: [attempt({ costNanoUsd: 1000 }), attempt({ costNanoUsd: 500_000 })],
    })
    expect(toResponseHeaders(exchange, WHOLE, 20)).toEqual({
      'content-type': 'x',
      'x-request-id': 'req_1',
      'x-gatehouse-provider': 'p',
      'x-gatehouse-model': 'm',
      'x-gatehouse-cache': 'miss',
      'x-gatehouse-attempts': '2',
      'x-gatehouse-cost-usd': '0.000501',
      'x-gatehouse-overhead-ms': '8.00',
    })
  })

  it('says no cost that it cannot know yet', () => {
    async function* bytes() {}
    const exchange = makeExchange({ attempts: [attempt()] })
    const head = { status: 200, headers: { 'content-type': 'text/event-stream; charset=utf-8' } }
    const stream: Reply = {
      ...head,
      kind: 'stream',
      format: 'chat',
      onCancel: 'abort',
      events: bytes() as never,
    }
    expect(toResponseHeaders(exchange, stream, 20)).not.toHaveProperty('x-gatehouse-cost-usd')
    const forwarded: Reply = { ...head, kind: 'forward', body: bytes() }
    expect(toResponseHeaders(exchange, forwarded, 20)).not.toHaveProperty('x-gatehouse-cost-usd')
  })

  it('gives Anthropic’s clients the id under their own name', () => {
    const exchange = makeExchange({ incoming: makeIncoming(undefined, { format: 'messages' }) })
    expect(toResponseHeaders(exchange, WHOLE, 0)['request-id']).toBe('req_1')
  })

  it('does not let a provider speak for us', () => {
    const reply: Reply = { ...WHOLE, headers: { 'x-request-id': 'theirs', 'x-gatehouse-cache': 'exact' } }
    expect(toResponseHeaders(makeExchange(), reply, 0)).toMatchObject({
      'x-request-id': 'req_1',
      'x-gatehouse-cache': 'miss',
    })
  })

  it('names what was left out, in one line of bounded length', () => {
    const warnings = [
      { param: 'seed', message: 'is not known to this provider' },
      { param: 'x\r\nset-cookie: a=b', message: 'Ünïcode 🌍' },
    ]
    const { 'x-gatehouse-warning': text } = toResponseHeaders(makeExchange({ warnings }), WHOLE, 0)
    expect(text).toMatch(/^seed: is not known to this provider; x\?\?set-cookie: a=b: /)
    const many = Array.from({ length: 1000 }, () => ({ param: 'seed', message: 'x'.repeat(50) }))
    expect(
      toResponseHeaders(makeExchange({ warnings: many }), WHOLE, 0)['x-gatehouse-warning']?.length,
    ).toBeLessThanOrEqual(1000)
  })

  it('gives values that may stand in a header, whatever a caller wrote', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const exchange = makeExchange({
          attempts: [attempt({}, text)],
          warnings: [{ param: text, message: text }],
        })
        for (const [name, value] of Object.entries(toResponseHeaders(exchange, WHOLE, 0)))
          expect(() => validateHeaderValue(name, value)).not.toThrow()
      }),
    )
  })
})
