import type { IncomingMessage } from 'node:http'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { makeClock, makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import type { Reply, ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import type { Running } from '../pipeline/run.ts'
import { createAnswerer, type Visit } from './answer.ts'
import { FakeResponse } from './fixtures/fake-response.ts'

const HEAD = { status: 200, headers: { 'content-type': 'application/json' } }
const STREAM_HEAD = { ...HEAD, kind: 'stream', format: 'chat', onCancel: 'abort' } as const

/** A gateway whose calls go as the test says, and that keeps the books of how they ended. */
function makeGateway(run: (exchange: Exchange) => Promise<Reply>) {
  const ends: [string, string | undefined][] = []
  const logged: string[] = []
  const gateway = {
    clock: makeClock(),
    newRequestId: () => 'req_1',
    newExchange: (id: string, incoming: Exchange['incoming'], signal: AbortSignal) =>
      makeExchange({ id, incoming, signal }),
    async run(exchange: Exchange): Promise<Running> {
      const reply = await run(exchange)
      return {
        reply,
        async end(kind, error) {
          ends.push([kind, error?.code])
          await state.whileSettling()
        },
      }
    },
    logError: (_exchange: unknown, error: GatewayError) => void logged.push(error.code),
  }
  const state = { gateway: gateway as unknown as Gateway, ends, logged, whileSettling: async () => {} }
  return state
}

interface Setting {
  readonly headers?: Record<string, string>
  readonly body?: object
  readonly facts?: Partial<Visit['facts']>
  readonly family?: Visit['family']
  readonly response?: FakeResponse
}

function visit(run: (exchange: Exchange) => Promise<Reply>, setting: Setting = {}) {
  const silences: (() => void)[] = []
  const heartbeats = {
    start(onSilence: () => void) {
      silences.push(onSilence)
      return {
        beat: () => undefined,
        stop: () => {
          silences.length = 0
        },
      }
    },
    close: () => undefined,
  }
  const state = makeGateway(run)
  const { response = new FakeResponse() } = setting
  const body = { model: 'm', messages: [{ role: 'user', content: 'Hi' }], ...setting.body }
  const answered = createAnswerer(
    state.gateway,
    heartbeats,
  )({
    request: { headers: setting.headers ?? {} } as IncomingMessage,
    response: response.asResponse(),
    ip: '192.0.2.1',
    body: Buffer.from(JSON.stringify(body)),
    facts: { operation: 'chat', format: 'chat', ...setting.facts },
    family: setting.family ?? 'openai',
    arrayStream: false,
  })
  return { ...state, response, answered, silence: () => silences.map((call) => call()), state }
}

function framesOf(...batches: readonly (readonly [string, ...StreamEvent[]])[]): ReplyEvents {
  return (async function* () {
    for (const [raw, ...events] of batches) yield [{ raw: Buffer.from(raw), events } satisfies ReplyFrame]
  })()
}

const REFUSED = new GatewayError('upstream_error', { message: 'The provider failed.' })

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('a whole reply', () => {
  it('is sent with its length, and the call is completed', async () => {
    const { answered, response, ends } = visit(async () => ({
      ...HEAD,
      kind: 'chat',
      raw: Buffer.from('{"é":1}'),
      chat: () => {
        throw new Error('not read')
      },
    }))
    await answered
    expect(response).toMatchObject({
      status: 200,
      text: '{"é":1}',
      headers: { 'content-type': 'application/json', 'content-length': '8', 'x-request-id': 'req_1' },
      writableEnded: true,
    })
    expect(ends).toEqual([['completed', undefined]])
  })

  it('that is the provider’s refusal is sent as it is, and the call has failed', async () => {
    const { answered, response, ends, logged } = visit(async () => ({
      ...HEAD,
      kind: 'forward',
      status: 404,
      body: Buffer.from('{"error":{}}'),
    }))
    await answered
    expect([response.status, response.text]).toEqual([404, '{"error":{}}'])
    expect(ends).toEqual([['failed', 'upstream_rejected']])
    expect(logged).toEqual(['upstream_rejected'])
  })

  it('is not sent to a caller who left, and the call is cancelled', async () => {
    const response = new FakeResponse()
    const { answered, ends } = visit(
      async () => {
        response.leave()
        return { ...HEAD, kind: 'token-count', inputTokens: 1 }
      },
      { response },
    )
    await answered
    expect([response.status, response.text]).toEqual([undefined, ''])
    expect(ends).toEqual([['cancelled', 'client_closed']])
  })

  it('that cannot be written becomes our error, and the call has failed', async () => {
    const { answered, response, ends } = visit(async () => ({
      ...HEAD,
      kind: 'chat',
      raw: undefined,
      chat: () => {
        throw new TypeError('x is undefined')
      },
    }))
    await answered
    expect(response.status).toBe(500)
    expect(JSON.parse(response.text)).toMatchObject({ error: { code: 'internal_error' } })
    expect(ends).toEqual([['failed', 'internal_error']])
  })
})

describe('a refusal', () => {
  it.each([
    ['openai', { error: { code: 'upstream_error', type: 'upstream_error' } }],
    ['anthropic', { type: 'error', error: { type: 'api_error' }, request_id: 'req_1' }],
    ['gemini', { error: { code: 502, details: [{ reason: 'upstream_error' }] } }],
  ] as const)('has the shape of %s', async (family, body) => {
    const { answered, response, ends, logged } = visit(
      async () => {
        throw REFUSED
      },
      { family },
    )
    await answered
    expect(response.status).toBe(502)
    expect(JSON.parse(response.text)).toMatchObject(body)
    expect(response.headers['content-length']).toBe(String(Buffer.byteLength(response.text)))
    // run() settles by itself what it refuses.
    expect(ends).toEqual([])
    expect(logged).toEqual(['upstream_error'])
  })

  it('says nothing to a caller who left', async () => {
    const { answered, response } = visit(async () => {
      throw new GatewayError('client_closed', { message: 'left' })
    })
    response.leave()
    await answered
    expect([response.status, response.text]).toEqual([undefined, ''])
  })
})

describe('the signal of a call', () => {
  function signalOf(setting: Setting, act: (response: FakeResponse) => void): Promise<unknown> {
    return new Promise((resolve) => {
      const { response } = visit(
        (exchange) =>
          new Promise((_resolve, reject) => {
            const end = () => {
              reject(exchange.signal.reason)
              resolve(exchange.signal.reason)
            }
            if (exchange.signal.aborted) end()
            else exchange.signal.addEventListener('abort', end)
          }),
        setting,
      )
      act(response)
    })
  }

  it('says that the caller left, also before the call began', async () => {
    const left = { code: 'client_closed' }
    expect(await signalOf({}, (response) => response.leave())).toMatchObject(left)
    const gone = new FakeResponse()
    gone.leave()
    expect(await signalOf({ response: gone }, () => undefined)).toMatchObject(left)
  })

  it('says that the time is up', async () => {
    const reason = await signalOf({ headers: { 'x-gatehouse-timeout-ms': '50' } }, () => {
      vi.advanceTimersByTime(50)
    })
    expect(reason).toMatchObject({ code: 'upstream_timeout', message: expect.stringContaining('50 ms') })
  })

  it('leaves no timer behind', async () => {
    const { answered } = visit(async () => ({ ...HEAD, kind: 'token-count', inputTokens: 1 }), {
      headers: { 'x-gatehouse-timeout-ms': '50' },
    })
    await answered
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a stream', () => {
  const setting: Setting = { body: { stream: true } }

  it('is sent as it comes, without usage that nobody asked for', async () => {
    const { answered, response, ends } = visit(
      async () => ({
        ...STREAM_HEAD,
        events: framesOf(
          ['data: a\n\n', { type: 'text-delta', choice: 0, text: 'a' }],
          ['data: u\n\n', { type: 'usage-report', usage: {} }],
          ['data: [DONE]\n\n', { type: 'reply-end' }],
        ),
      }),
      setting,
    )
    await answered
    expect(response.text).toBe('data: a\n\ndata: [DONE]\n\n')
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'x-request-id': 'req_1',
    })
    expect(ends).toEqual([['completed', undefined]])
  })

  it('that is silent gets a sign of life, and its refusal is then an event', async () => {
    const refusal = Promise.withResolvers<Reply>()
    const { answered, response, silence, ends } = visit(() => refusal.promise, setting)
    silence()
    expect(response).toMatchObject({ status: 200, text: ': ping\n\n' })
    refusal.reject(REFUSED)
    await answered
    expect(response.text).toMatch(/^: ping\n\ndata: \{"error":\{.*"upstream_error".*\}\n\n$/)
    expect(response.writableEnded).toBe(true)
    expect(ends).toEqual([])
  })

  it('that is refused by the provider after a sign of life says so in an event', async () => {
    const refusal = Promise.withResolvers<Reply>()
    const { answered, response, silence, ends } = visit(() => refusal.promise, setting)
    silence()
    refusal.resolve({ ...HEAD, kind: 'forward', status: 400, body: Buffer.from('{}') })
    await answered
    expect(response.text).toContain('"upstream_rejected"')
    expect(ends).toEqual([['failed', 'upstream_rejected']])
  })

  it('gets signs of life until its end, and in no other answer, however long the books take', async () => {
    const refusal = { ...HEAD, kind: 'forward', status: 400, body: Buffer.from('{}') } as const
    const done = { ...STREAM_HEAD, events: framesOf(['data: [DONE]\n\n', { type: 'reply-end' }]) }
    for (const [reply, text] of [
      [refusal, '{}'],
      [done, ': ping\n\ndata: [DONE]\n\n'],
    ] as const) {
      const { answered, response, silence, state } = visit(async () => reply, setting)
      state.whileSettling = async () => void silence()
      await answered
      silence()
      expect(response.text).toBe(text)
    }
  })

  it('that cannot be begun breaks in the caller’s format though nobody could read its request', async () => {
    const { answered, response, ends } = visit(
      async () => ({
        ...STREAM_HEAD,
        events: (async function* (): ReplyEvents {
          yield [{ raw: Buffer.from('data: a\n\n'), events: [] }]
          yield [
            {
              raw: undefined,
              events: [
                { type: 'error', error: { code: 'upstream_error', type: 'upstream_error', message: 'x' } },
              ],
            },
          ]
        })(),
      }),
      { body: { stream: true, messages: 'a new shape' } },
    )
    await answered
    expect(response.text).toMatch(/^data: a\n\ndata: \{"error"/)
    expect(response.writableEnded).toBe(true)
    expect(ends).toEqual([['failed', 'upstream_error']])
  })

  it('that meets a defect of ours says so and is settled once', async () => {
    const { answered, response, ends } = visit(
      async () => ({
        ...STREAM_HEAD,
        events: (async function* (): ReplyEvents {
          yield [{ raw: Buffer.from('data: a\n\n'), events: [] }]
          throw new TypeError('x is undefined')
        })(),
      }),
      setting,
    )
    await answered
    expect(response.text).toContain('"internal_error"')
    expect(ends).toEqual([['failed', 'internal_error']])
  })

  it('is cancelled where the caller leaves in the middle', async () => {
    const { answered, response, ends } = visit(
      async () => ({
        ...STREAM_HEAD,
        events: (async function* (): ReplyEvents {
          yield [{ raw: Buffer.from('data: a\n\n'), events: [] }]
          response.leave()
          yield [{ raw: Buffer.from('data: b\n\n'), events: [] }]
        })(),
      }),
      setting,
    )
    await answered
    expect(response.text).toBe('data: a\n\n')
    expect(ends).toEqual([['cancelled', 'client_closed']])
  })
})

describe('no caller has the end of a reply that is not booked', () => {
  const stream: Setting = { body: { stream: true } }
  const bytes = (failure?: Error): Reply => ({
    ...HEAD,
    kind: 'forward',
    body: (async function* () {
      yield Buffer.from('a')
      if (failure !== undefined) throw failure
    })(),
  })
  const broken: ReplyEvents = (async function* () {
    yield [{ raw: Buffer.from('a'), events: [] }]
    throw new TypeError('x is undefined')
  })()

  it.each<[string, Reply, Setting, string]>([
    ['a reply', { ...HEAD, kind: 'token-count', inputTokens: 1 }, { facts: { format: 'messages' } }, ''],
    ['a refusal of the provider', { ...HEAD, kind: 'forward', status: 400, body: Buffer.from('{}') }, {}, ''],
    ['a stream', { ...STREAM_HEAD, events: framesOf(['a'], ['end', { type: 'reply-end' }]) }, stream, 'a'],
    ['a stream that meets a defect', { ...STREAM_HEAD, events: broken }, stream, 'a'],
    ['bytes', bytes(), { facts: { operation: 'speech', format: 'forward' } }, 'a'],
    ['bytes that break off', bytes(REFUSED), { facts: { operation: 'speech', format: 'forward' } }, 'a'],
  ])('%s', async (_name, reply, setting, before) => {
    const { answered, response, state, ends } = visit(async () => reply, setting)
    let seen: unknown
    state.whileSettling = async () => {
      // What was to be sent has been sent by then.
      for (let turn = 0; turn < 20; turn++) await Promise.resolve()
      seen = [response.text, response.writableEnded, response.destroyed]
    }
    await answered
    expect(seen).toEqual([before, false, false])
    expect(response.writableEnded || response.destroyed).toBe(true)
    expect(ends.length).toBe(1)
  })
})

describe('bytes that are passed on', () => {
  function bytes(chunks: readonly string[], failure?: Error) {
    const seen = { closed: false }
    const body = (async function* () {
      try {
        for (const chunk of chunks) yield Buffer.from(chunk)
        if (failure !== undefined) throw failure
      } finally {
        seen.closed = true
      }
    })()
    return { body, seen, reply: { ...HEAD, kind: 'forward', body } as const }
  }
  const setting: Setting = { facts: { operation: 'speech', format: 'forward' } }

  it('end with the call', async () => {
    const { answered, response, ends } = visit(async () => bytes(['a', 'b']).reply, setting)
    await answered
    expect([response.status, response.text, response.writableEnded]).toEqual([200, 'ab', true])
    expect(ends).toEqual([['completed', undefined]])
  })

  it('are a reply even where there are none', async () => {
    const { answered, response } = visit(async () => bytes([]).reply, setting)
    await answered
    expect([response.status, response.writableEnded]).toEqual([200, true])
  })

  it('break off where they break, and never look whole', async () => {
    const { answered, response, ends } = visit(async () => bytes(['a'], REFUSED).reply, setting)
    await answered
    expect([response.text, response.writableEnded, response.destroyed]).toEqual(['a', false, true])
    expect(ends).toEqual([['failed', 'upstream_error']])
  })

  it('that never begin become an error of their own', async () => {
    const { answered, response } = visit(async () => bytes([], REFUSED).reply, setting)
    await answered
    expect(response.status).toBe(502)
  })

  it('are let go of where the caller leaves, at any moment', async () => {
    const before = bytes(['a', 'b'])
    const gone = new FakeResponse()
    const first = visit(
      async () => {
        gone.leave()
        return before.reply
      },
      { ...setting, response: gone },
    )
    await first.answered
    expect(before.seen.closed).toBe(true)
    expect(first.ends).toEqual([['cancelled', 'client_closed']])

    const slow = bytes(['aaaa', 'b'])
    const response = new FakeResponse()
    response.room = 1
    const second = visit(async () => slow.reply, { ...setting, response })
    await vi.waitFor(() => expect(response.text).toBe('aaaa'))
    response.leave()
    await second.answered
    expect(slow.seen.closed).toBe(true)
    expect(second.ends).toEqual([['cancelled', 'client_closed']])
  })

  it('wait for a slow caller without piling up listeners', async () => {
    const response = new FakeResponse()
    const chunks = Array.from({ length: 15 }, () => 'x')
    response.room = 1
    const { answered } = visit(async () => bytes(chunks).reply, { ...setting, response })
    let most = 0
    for (let i = 0; i < 15; i++) {
      await vi.waitFor(() => expect(response.text.length).toBe(i + 1))
      most = Math.max(most, response.listenerCount('close'))
      response.drain(1)
    }
    await answered
    expect(most).toBeLessThanOrEqual(2)
  })
})
