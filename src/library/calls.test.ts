import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { ChatReply, StreamEvent } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { Gateway } from '../gateway.ts'
import type { Caller, Exchange } from '../pipeline/exchange.ts'
import { makeExchange } from '../pipeline/fixtures/make-exchange.ts'
import type { Reply, ReplyEvents } from '../pipeline/reply.ts'
import type { Running } from '../pipeline/run.ts'
import { newAttempt } from '../routing/attempt.ts'
import { createCalls } from './calls.ts'

const TARGET = { provider: 'p', model: 'm', reason: 'why' }

const REQUEST = { model: 'm', messages: 'Hi' }
const REPLY: ChatReply = {
  id: 'r',
  model: 'm',
  createdSeconds: 0,
  choices: [{ index: 0, content: [{ type: 'text', text: 'Hello' }], finishReason: 'stop' }],
  usage: {},
}

/** A gateway whose calls go as the test says, and that keeps the books of how they ended. */
function setUp(run: (exchange: Exchange) => Promise<Reply>) {
  const ends: [string, string | undefined][] = []
  const exchanges: Exchange[] = []
  const gateway = {
    newRequestId: () => `req_${exchanges.length + 1}`,
    newExchange: (id: string, incoming: Exchange['incoming'], signal: AbortSignal, caller: Caller) =>
      makeExchange({ id, incoming, signal, caller }),
    async run(exchange: Exchange): Promise<Running> {
      exchanges.push(exchange)
      const reply = await run(exchange)
      let ended = false
      return {
        reply,
        async end(kind, error) {
          // Only the first call counts.
          if (!ended) ends.push([kind, error?.code])
          ended = true
        },
      }
    },
  }
  return { calls: createCalls(gateway as unknown as Gateway, 'org-1'), ends, exchanges }
}

function whole(): Promise<Reply> {
  return Promise.resolve({ kind: 'chat', status: 200, headers: {}, raw: undefined, chat: () => REPLY })
}

function streamOf(events: ReplyEvents): Reply {
  return { kind: 'stream', status: 200, headers: {}, format: 'chat', onCancel: 'abort', events }
}

const HELLO: readonly StreamEvent[] = [
  { type: 'reply-start', id: 'r', model: 'm', createdSeconds: 0 },
  { type: 'text-delta', choice: 0, text: 'Hel' },
  { type: 'text-delta', choice: 0, text: 'lo' },
  { type: 'choice-finish', choice: 0, reason: 'stop' },
  { type: 'reply-end' },
]

/** A stream that can be watched: whether it was let go. */
function watched(events: readonly StreamEvent[], failure?: Error) {
  const seen = { closed: false }
  async function* frames(): ReplyEvents {
    try {
      for (const event of events) yield [{ raw: undefined, events: [event] }]
      if (failure !== undefined) throw failure
    } finally {
      seen.closed = true
    }
  }
  return { seen, reply: streamOf(frames()) }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('complete()', () => {
  it('answers, and books the call on the organization it names', async () => {
    const { calls, ends, exchanges } = setUp(whole)
    expect((await calls.complete(REQUEST)).text).toBe('Hello')
    await calls.complete({ ...REQUEST, organizationId: 'org-2', user: 'ann', tags: { deal: 'D' } })
    expect(exchanges.map(({ caller }) => [caller?.organizationId, caller?.user])).toEqual([
      ['org-1', null],
      ['org-2', 'ann'],
    ])
    expect(exchanges[1]?.incoming.hints.tags).toEqual({ deal: 'D' })
    expect(ends).toEqual([
      ['completed', undefined],
      ['completed', undefined],
    ])
  })

  it('rejects, and never throws, whatever is wrong', async () => {
    const refused = new GatewayError('model_not_found', { message: 'no' })
    const { calls, ends } = setUp(async () => {
      throw refused
    })
    await expect(calls.complete(REQUEST)).rejects.toBe(refused)
    expect(ends).toEqual([])
    const wrong = calls.complete({ model: 'm' } as never)
    await expect(wrong).rejects.toThrow()
    await expect(calls.embed({ model: 'm', input: [] })).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('settles a reply that cannot be read', async () => {
    const { calls, ends } = setUp(async () => ({
      kind: 'token-count',
      status: 200,
      headers: {},
      inputTokens: 1,
    }))
    await expect(calls.complete(REQUEST)).rejects.toMatchObject({ code: 'internal_error' })
    expect(ends).toEqual([['failed', 'internal_error']])
  })

  it('ends at the caller’s signal and at its time, and leaves neither listener nor timer', async () => {
    const until = (exchange: Exchange) =>
      new Promise<Reply>((_resolve, reject) => {
        const end = () => reject(exchange.signal.reason)
        if (exchange.signal.aborted) end()
        else exchange.signal.addEventListener('abort', end)
      })
    const { calls } = setUp(until)
    await expect(calls.complete({ ...REQUEST, signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: 'client_closed',
    })
    const controller = new AbortController()
    const remove = vi.spyOn(controller.signal, 'removeEventListener')
    const left = calls
      .complete({ ...REQUEST, signal: controller.signal, timeoutMs: 1000 })
      .catch((error) => error)
    controller.abort()
    expect(await left).toMatchObject({ code: 'client_closed' })
    expect(remove).toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
    const late = calls.complete({ ...REQUEST, timeoutMs: 1000 }).catch((error) => error)
    await vi.advanceTimersByTimeAsync(1000)
    expect(await late).toMatchObject({ code: 'upstream_timeout' })
  })
})

describe('stream()', () => {
  it('gives the events as they come, then the completion', async () => {
    const { calls, ends } = setUp(async () => watched(HELLO).reply)
    const stream = calls.stream(REQUEST)
    const events: StreamEvent[] = []
    for await (const event of stream) events.push(event)
    expect(events).toEqual(HELLO)
    expect(await stream.completion).toMatchObject({ text: 'Hello', finishReason: 'stop' })
    expect(ends).toEqual([['completed', undefined]])
  })

  it('gives the end of the reply once the call is booked, when its usage is known or nothing more comes', async () => {
    for (const isKnown of [true, false]) {
      const told: string[] = []
      const { calls, ends } = setUp(async (exchange) => {
        const attempt = { ...newAttempt('a', 1, TARGET, { version: 'v', known: true }, 0) }
        if (isKnown) attempt.usage = { outputTokens: 2 }
        exchange.attempts.push(attempt)
        const { reply } = watched([...HELLO, { type: 'usage-report', usage: { outputTokens: 3 } }])
        if (reply.kind !== 'stream') throw new Error(reply.kind)
        const { events } = reply
        return streamOf(
          (async function* () {
            yield* events
            told.push('nothing more')
          })(),
        )
      })
      for await (const { type } of calls.stream(REQUEST)) {
        if (type === 'choice-finish') expect(ends).toEqual([])
        if (type === 'reply-end' || type === 'usage-report') {
          expect(ends).toEqual([['completed', undefined]])
          told.push(type)
        }
      }
      expect(told).toEqual(
        isKnown
          ? ['reply-end', 'usage-report', 'nothing more']
          : ['nothing more', 'reply-end', 'usage-report'],
      )
    }
  })

  it('calls nobody before it is read, and can be read once', async () => {
    const { calls, exchanges } = setUp(async () => watched(HELLO).reply)
    const stream = calls.stream(REQUEST)
    expect(exchanges).toHaveLength(0)
    for await (const _ of stream);
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow(/once/)
    expect(exchanges).toHaveLength(1)
  })

  it('is cancelled where its reader leaves, and lets the provider go first', async () => {
    const { seen, reply } = watched(HELLO)
    const { calls, ends } = setUp(async () => reply)
    const stream = calls.stream(REQUEST)
    for await (const event of stream) if (event.type === 'text-delta') break
    expect(ends).toEqual([['cancelled', 'client_closed']])
    expect(seen.closed).toBe(true)
    await expect(stream.completion).rejects.toMatchObject({ code: 'client_closed' })
  })

  it('is complete where its reader leaves with the end in hand', async () => {
    const { calls, ends } = setUp(async () => watched(HELLO).reply)
    const stream = calls.stream(REQUEST)
    for await (const event of stream) if (event.type === 'reply-end') break
    expect(ends).toEqual([['completed', undefined]])
    expect(await stream.completion).toMatchObject({ text: 'Hello' })
  })

  it.each([
    ['upstream_error', 'server_error', 'failed'],
    ['upstream_timeout', 'upstream_timeout', 'failed'],
    ['client_closed', 'client_closed', 'cancelled'],
  ])('rejects with %s where the stream ends in %s', async (code, word, kind) => {
    const broken: StreamEvent = { type: 'error', error: { code: word, type: 't', message: 'It broke.' } }
    const { seen, reply } = watched([...HELLO.slice(0, 2), broken])
    const { calls, ends } = setUp(async () => reply)
    const stream = calls.stream(REQUEST)
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toMatchObject({ code })
    await expect(stream.completion).rejects.toMatchObject({ code })
    expect(ends).toEqual([[kind, code]])
    expect(seen.closed).toBe(true)
  })

  it('rejects where the call is refused, and nobody has to listen to the completion', async () => {
    const refused = new GatewayError('model_not_found', { message: 'no' })
    const { calls, ends } = setUp(async () => {
      throw refused
    })
    const stream = calls.stream(REQUEST)
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toBe(refused)
    await expect(stream.completion).rejects.toBe(refused)
    expect(ends).toEqual([])
  })

  it('rejects where the request is none', async () => {
    const { calls } = setUp(whole)
    const stream = calls.stream({ model: 'm' } as never)
    await expect(stream[Symbol.asyncIterator]().next()).rejects.toThrow()
    await expect(stream.completion).rejects.toThrow()
  })

  it('settles once where a stage fails in the middle', async () => {
    const defect = new TypeError('x is undefined')
    const { calls, ends } = setUp(async () => watched(HELLO.slice(0, 2), defect).reply)
    const stream = calls.stream(REQUEST)
    const read = async () => {
      for await (const _ of stream);
    }
    await expect(read()).rejects.toMatchObject({ code: 'internal_error', cause: defect })
    expect(ends).toEqual([['failed', 'internal_error']])
  })
})
