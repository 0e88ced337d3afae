import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import type { Exchange, Incoming } from '../pipeline/exchange.ts'
import { makeChatRequest, makeClock, makeExchange, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { DIALECTS } from '../providers/dialects.ts'
import { createCall } from './call.ts'
import type { CallContext } from './call-context.ts'
import { type FakeProvider, makeProvider, respond, type Script } from './fixtures/fake-provider.ts'

const LEFT = new GatewayError('client_closed', { message: 'left' })
const LATE = new GatewayError('upstream_timeout', { message: 'late' })

const REPLY = {
  id: 'c1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Hello' }, finish_reason: 'stop' }],
  usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
}
const STREAM = [
  'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Hello"},"finish_reason":"stop"}]}\n\n',
  'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}\n\n',
  'data: [DONE]\n\n',
]

function setUp(script: Script, more: Parameters<typeof makeProvider>[1] & Partial<CallContext> = {}) {
  const { accountant, onAttempt, ...changes } = more
  const provider: FakeProvider = makeProvider(script, changes)
  const accounted: string[] = []
  const call = createCall({
    clock: makeClock(),
    providers: new Map([['fake', provider]]),
    dialects: DIALECTS,
    accountant: accountant ?? {
      priceOf: () => ({ version: 'v', known: true }),
      account: (_exchange, attempt) => void accounted.push(attempt.id),
      countInput: async () => 42,
    },
    onAttempt: onAttempt ?? (() => undefined),
    onLeave: () => undefined,
    random: () => 0.5,
  })
  return { call, provider, accounted }
}

function exchangeOf(incoming: Incoming, changes: Partial<Exchange> = {}): Exchange {
  return makeExchange({
    incoming,
    plan: { route: 'r', targets: [{ provider: 'fake', model: 'm', reason: 'why' }] },
    ...changes,
  })
}

async function failureOf(promise: Promise<unknown>): Promise<GatewayError> {
  const error = await promise.then(
    () => new Error('It succeeded.'),
    (thrown: unknown) => thrown,
  )
  if (error instanceof GatewayError) return error
  throw error
}

const CHAT = { model: 'chat', messages: [{ role: 'user', content: 'Hi' }] }

describe('createCall()', () => {
  it('forwards a conversation with the name of the model changed, and books the attempt', async () => {
    const { call, provider, accounted } = setUp(() =>
      respond(200, REPLY, { 'x-request-id': 'up-1', 'set-cookie': 'a=b' }),
    )
    const exchange = exchangeOf(
      makeIncoming(CHAT, {
        passHeaders: { 'anthropic-version': '2099-01-01', authorization: 'Bearer mine' },
      }),
    )
    const reply = await call(exchange)
    expect(reply).toMatchObject({
      kind: 'chat',
      status: 200,
      headers: { 'content-type': 'application/json' },
    })
    expect(reply.headers).not.toHaveProperty('set-cookie')
    expect(provider.requests[0]).toMatchObject({
      method: 'POST',
      path: '/v1/chat/completions',
      headers: {
        'user-agent': 'gatehouse',
        'anthropic-version': '2099-01-01',
        authorization: 'Bearer provider-key',
        'content-type': 'application/json',
      },
    })
    expect(String(provider.requests[0]?.body)).toBe(JSON.stringify({ ...CHAT, model: 'm' }))
    expect(exchange.attempts).toHaveLength(1)
    expect(exchange.attempts[0]).toMatchObject({
      number: 1,
      provider: 'fake',
      model: 'm',
      reason: 'why',
      status: 200,
      dispatched: true,
      usage: { inputTokens: 3, outputTokens: 2 },
      upstreamRequestId: 'up-1',
      errorCode: undefined,
    })
    expect(accounted).toEqual([exchange.attempts[0]?.id])
  })

  it('lets the provider’s own error through in the caller’s format, and books what it means', async () => {
    const { call } = setUp(() => respond(429, { error: { message: 'Slow down.', type: 'x' } }))
    const exchange = exchangeOf(makeIncoming(CHAT))
    const reply = await call(exchange)
    expect(reply).toMatchObject({ kind: 'forward', status: 429 })
    expect(reply.headers['retry-after']).toBe('1')
    expect(exchange.attempts[0]).toMatchObject({
      status: 429,
      errorCode: 'upstream_rate_limited',
      errorMessage: 'Slow down.',
      endedMs: 0,
    })
  })

  it('keeps the wait that the provider asks for', async () => {
    const { call } = setUp(() => respond(429, { error: { message: 'Slow down.' } }, { 'retry-after': '30' }))
    expect((await call(exchangeOf(makeIncoming(CHAT)))).headers['retry-after']).toBe('30')
  })

  it.each([401, 403, 500, 503])('keeps a status %i of the provider’s from the caller', async (status) => {
    const { call } = setUp(() => respond(status, { error: { message: 'Incorrect API key sk-provider.' } }))
    const exchange = exchangeOf(makeIncoming(CHAT))
    const error = await failureOf(call(exchange))
    expect(error.code).toBe('upstream_error')
    expect(error.message).not.toContain('sk-provider')
    expect(exchange.attempts[0]).toMatchObject({ status, errorCode: 'upstream_error' })
  })

  it('makes a reply that is none the attempt’s failure', async () => {
    for (const body of [['<html>'], { error: { message: 'no' } }, [], null, 'text']) {
      const { call } = setUp(() => respond(200, body, { 'content-type': 'application/json' }))
      const exchange = exchangeOf(makeIncoming(CHAT))
      expect((await failureOf(call(exchange))).code).toBe('upstream_error')
      expect(exchange.attempts[0]).toMatchObject({ status: 200, errorCode: 'upstream_error' })
    }
  })

  it('passes on a native reply that has no usage and that we cannot read', async () => {
    const odd = { id: 'c1', choices: 'none that we know', note: 'one two three' }
    const { call } = setUp(() => respond(200, odd))
    const exchange = exchangeOf(makeIncoming(CHAT))
    const reply = await call(exchange)
    expect(reply.kind === 'chat' ? JSON.parse(String(reply.raw)) : reply).toEqual(odd)
    expect(exchange.attempts[0]?.outputText).toContain('one two three')
  })

  it('sends nothing for a caller who is gone, or a call whose time is up, and books no attempt', async () => {
    for (const onCancel of ['abort', 'drain'] as const) {
      for (const reason of [LEFT, LATE]) {
        const { call, provider } = setUp(() => respond(200, REPLY), { onCancel })
        const exchange = exchangeOf(makeIncoming(CHAT), { signal: AbortSignal.abort(reason) })
        expect(await failureOf(call(exchange))).toBe(reason)
        expect(provider.requests).toEqual([])
        expect(exchange.attempts).toEqual([])
      }
    }
  })

  it('ends a call at its time, and at the caller’s leaving unless the provider is to be read to its end', async () => {
    for (const [onCancel, reason, ends] of [
      ['abort', LEFT, true],
      ['abort', LATE, true],
      ['drain', LATE, true],
      ['drain', LEFT, false],
    ] as const) {
      const controller = new AbortController()
      const { call } = setUp(
        ({ signal }) => {
          controller.abort(reason)
          if (signal.aborted) throw signal.reason
          return respond(200, REPLY)
        },
        { onCancel },
      )
      const called = call(exchangeOf(makeIncoming(CHAT), { signal: controller.signal }))
      if (ends) expect(await failureOf(called)).toBe(reason)
      else expect((await called).status).toBe(200)
    }
  })

  it('knows of a request that never left us', async () => {
    const unsent = new GatewayError('upstream_error', { message: 'refused', detail: { sent: false } })
    const { call } = setUp(() => {
      throw unsent
    })
    const exchange = exchangeOf(makeIncoming(CHAT))
    await failureOf(call(exchange))
    expect(exchange.attempts[0]).toMatchObject({ dispatched: false, errorCode: 'upstream_error', endedMs: 0 })
  })

  it('books no attempt where the price is unknown and such calls are refused', async () => {
    const refused = new GatewayError('model_not_allowed', { message: 'no price' })
    const { call, provider } = setUp(() => respond(200, REPLY), {
      accountant: {
        priceOf() {
          throw refused
        },
        account: () => undefined,
        countInput: async () => 0,
      },
    })
    const exchange = exchangeOf(makeIncoming(CHAT))
    expect(await failureOf(call(exchange))).toBe(refused)
    expect(exchange.attempts).toEqual([])
    expect(provider.requests).toEqual([])
  })
})

describe('a stream', () => {
  const incoming = makeIncoming({ ...CHAT, stream: true })

  it('passes byte for byte, asks for usage and notes what the books need', async () => {
    const { call, provider } = setUp(() => respond(200, STREAM))
    const exchange = exchangeOf(incoming)
    const reply = await call(exchange)
    if (reply.kind !== 'stream') throw new Error(reply.kind)
    let bytes = ''
    for await (const frames of reply.events) for (const { raw } of frames) bytes += Buffer.from(raw ?? [])
    expect(bytes).toBe(STREAM.join(''))
    expect(JSON.parse(String(provider.requests[0]?.body))).toMatchObject({
      stream_options: { include_usage: true },
    })
    expect(exchange.attempts[0]).toMatchObject({
      outputText: 'Hello',
      usage: { inputTokens: 3, outputTokens: 2 },
      errorCode: undefined,
      endedMs: 0,
    })
  })

  it('is broken where it ends too soon', async () => {
    const cut = STREAM[0]?.replace('"finish_reason":"stop"', '"finish_reason":null') ?? ''
    const { call } = setUp(() => respond(200, [cut]))
    const exchange = exchangeOf(incoming)
    const reply = await call(exchange)
    if (reply.kind !== 'stream') throw new Error(reply.kind)
    const types: string[] = []
    for await (const frames of reply.events)
      for (const { events } of frames) types.push(...events.map(({ type }) => type))
    expect(types.at(-1)).toBe('error')
    expect(exchange.attempts[0]).toMatchObject({ errorCode: 'upstream_error', outputText: 'Hello' })
  })

  it('that is none is the attempt’s failure, and its connection is closed', async () => {
    const response = respond(200, REPLY)
    const { call } = setUp(() => response)
    expect((await failureOf(call(exchangeOf(incoming)))).code).toBe('upstream_error')
    expect((response.body as unknown as { destroyed: boolean }).destroyed).toBe(true)
  })
})

describe('a token count', () => {
  it('is our own, with a warning, where the provider does not count', async () => {
    const { call, provider } = setUp(() => respond(200, {}))
    const exchange = exchangeOf(
      makeIncoming(CHAT, { operation: 'token-count', format: 'messages', chat: () => makeChatRequest() }),
    )
    expect(await call(exchange)).toEqual({ kind: 'token-count', status: 200, headers: {}, inputTokens: 42 })
    expect(provider.requests).toEqual([])
    expect(exchange.warnings).toHaveLength(1)
    expect(exchange.attempts[0]).toMatchObject({ dispatched: false, costNanoUsd: 0 })
  })
})

describe('an embedding', () => {
  const incoming = makeIncoming({ model: 'e', input: 'Hi' }, { operation: 'embedding', format: 'embeddings' })

  it('has no output tokens where the provider does not say', async () => {
    const body = { object: 'list', data: [{ index: 0, embedding: [1, 2] }], usage: { prompt_tokens: 4 } }
    const { call } = setUp(() => respond(200, body))
    const exchange = exchangeOf(incoming)
    const reply = await call(exchange)
    expect(reply.kind).toBe('embedding')
    expect(exchange.attempts[0]?.usage).toMatchObject({ inputTokens: 4, outputTokens: 0 })
  })
})
