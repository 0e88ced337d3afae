import { afterEach, describe, expect, it, vi } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import type { GatewayError } from '../core/errors.ts'
import type { ChatStream, ReplyEvents, ReplyFrame } from '../pipeline/reply.ts'
import { FakeResponse } from './fixtures/fake-response.ts'
import { type StreamOptions, sendStream } from './send-stream.ts'

const END: StreamEvent = { type: 'reply-end' }
const USAGE: StreamEvent = { type: 'usage-report', usage: { inputTokens: 1 } }

function text(value: string): StreamEvent {
  return { type: 'text-delta', choice: 0, text: value }
}

function error(code = 'upstream_error'): StreamEvent {
  return { type: 'error', error: { code, type: 'upstream_error', message: 'It broke.' } }
}

function frame(raw: string | undefined, ...events: readonly StreamEvent[]): ReplyFrame {
  return { raw: raw === undefined ? undefined : Buffer.from(raw), events }
}

/** A stream that can be watched: how far it was read, and whether it was let go. */
function streamOf(batches: readonly (readonly ReplyFrame[])[], onCancel: 'drain' | 'abort' = 'abort') {
  const seen = { read: 0, closed: false }
  async function* events(): ReplyEvents {
    try {
      for (const batch of batches) {
        seen.read++
        yield batch
      }
    } finally {
      seen.closed = true
    }
  }
  const reply: ChatStream = {
    kind: 'stream',
    status: 200,
    headers: {},
    format: 'chat',
    onCancel,
    events: events(),
  }
  return { reply, seen }
}

function start(reply: ChatStream, response: FakeResponse, changes: Partial<StreamOptions> = {}) {
  let beats = 0
  /** How it was booked, and what the caller had by then. */
  const booked: { readonly code: string | undefined; readonly text: string }[] = []
  const sending = sendStream({
    reply,
    response: response.asResponse(),
    writeHead() {
      if (!response.headersSent) response.writeHead(200, {})
    },
    native: true,
    encoder: () => ({ encode: (event) => `<${event.type}>` }),
    hideUsage: false,
    pulse: { beat: () => void beats++, stop: () => undefined },
    signal: new AbortController().signal,
    isUsageKnown: () => true,
    async settle(failure: GatewayError | undefined) {
      booked.push({ code: failure?.code, text: response.text })
    },
    ...changes,
  })
  return { sending, booked, beats: () => beats }
}

/** Lets everything happen that can happen by itself. */
async function settle(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve()
}

describe('sendStream()', () => {
  it('passes bytes as they are and ends', async () => {
    const { reply } = streamOf([[frame('a'), frame('b', text('b'))], [frame('c', END)]])
    const response = new FakeResponse()
    const { sending, beats } = start(reply, response)
    expect(await sending).toBeUndefined()
    expect(response.text).toBe('abc')
    expect(response.writableEnded).toBe(true)
    // Frames that came together leave together, and the last one with the end of the body.
    expect(response.packets).toBe(2)
    expect(response.corked).toBe(0)
    expect(beats()).toBe(1)
  })

  it('writes events of another format, and those that no provider sent', async () => {
    const response = new FakeResponse()
    const other = streamOf([[frame('raw', text('a'), END)]])
    await start(other.reply, response, { native: false }).sending
    expect(response.text).toBe('<text-delta><reply-end>')

    const broken = streamOf([[frame('raw', text('a'))], [frame(undefined, error())]])
    const second = new FakeResponse()
    expect(await start(broken.reply, second).sending).toMatchObject({ code: 'upstream_error' })
    expect(second.text).toBe('raw<error>')
    expect(second.writableEnded).toBe(true)
  })

  it('answers with a head and an end even where the stream is empty', async () => {
    const response = new FakeResponse()
    await start(streamOf([]).reply, response).sending
    expect([response.status, response.writableEnded]).toEqual([200, true])
  })

  it('hides frames that only report usage, where the caller did not ask for them', async () => {
    const batches = [
      [frame('a', text('a'))],
      [frame('u', USAGE), frame('both', text('b'), USAGE)],
      [frame('c', END)],
    ]
    const response = new FakeResponse()
    const { sending, beats } = start(streamOf(batches).reply, response, { hideUsage: true })
    await sending
    expect(response.text).toBe('abothc')
    expect(beats()).toBe(2)
    const asked = new FakeResponse()
    await start(streamOf(batches).reply, asked).sending
    expect(asked.text).toBe('aubothc')
  })

  it('takes no beat for a frame of which nothing is sent', async () => {
    const { sending, beats } = start(
      streamOf([[frame('u', USAGE)], [frame('a', text('a'))], [frame('c', END)]]).reply,
      new FakeResponse(),
      {
        hideUsage: true,
      },
    )
    await sending
    expect(beats()).toBe(1)
  })

  it('reads no faster than the caller does', async () => {
    const { reply, seen } = streamOf([[frame('aaaa')], [frame('bbbb')], [frame('c', END)]])
    const response = new FakeResponse()
    response.room = 4
    const { sending } = start(reply, response)
    await settle()
    expect([response.text, seen.read]).toEqual(['aaaa', 1])
    response.drain(4)
    await settle()
    expect([response.text, seen.read]).toEqual(['aaaabbbb', 2])
    response.drain()
    await sending
    expect(response.text).toBe('aaaabbbbc')
    expect(response.listenerCount('drain') + response.listenerCount('close')).toBe(0)
  })

  it('says which errors are a provider’s lateness', async () => {
    const codeOf = async (code: string) =>
      (await start(streamOf([[frame(undefined, error(code))]]).reply, new FakeResponse()).sending)?.code
    expect(await codeOf('upstream_timeout')).toBe('upstream_timeout')
    expect(await codeOf('server_error')).toBe('upstream_error')
    // A provider's word that happens to be one of ours does not accuse the caller.
    expect(await codeOf('invalid_api_key')).toBe('upstream_error')
  })

  it('passes a defect of a stage on', async () => {
    const defect = new TypeError('x is undefined')
    async function* events(): ReplyEvents {
      yield [frame('a')]
      throw defect
    }
    const reply = { ...streamOf([]).reply, events: events() }
    await expect(start(reply, new FakeResponse()).sending).rejects.toBe(defect)
  })
})

describe('sendStream() when the caller leaves', () => {
  it('before the first byte: lets go of the provider and writes nothing', async () => {
    const { reply, seen } = streamOf([[frame('a')], [frame('b', END)]])
    const response = new FakeResponse()
    response.leave()
    expect(await start(reply, response).sending).toMatchObject({ code: 'client_closed' })
    expect([response.status, response.text, seen]).toEqual([undefined, '', { read: 1, closed: true }])
  })

  it('in the middle: lets go of the provider', async () => {
    const response = new FakeResponse()
    const { reply, seen } = streamOf([[frame('a')], [frame('b')], [frame('c', END)]])
    const leaving: ChatStream = {
      ...reply,
      events: (async function* () {
        for await (const batch of reply.events) {
          if (seen.read === 2) response.leave()
          yield batch
        }
      })(),
    }
    expect(await start(leaving, response).sending).toMatchObject({ code: 'client_closed' })
    expect([response.text, seen]).toEqual(['a', { read: 2, closed: true }])
  })

  it('while we wait for it to read: lets go of the provider', async () => {
    const { reply, seen } = streamOf([[frame('aaaa')], [frame('b', END)]])
    const response = new FakeResponse()
    response.room = 1
    const { sending } = start(reply, response)
    await settle()
    response.leave()
    expect(await sending).toMatchObject({ code: 'client_closed' })
    expect(seen).toEqual({ read: 2, closed: true })
    expect(response.listenerCount('drain') + response.listenerCount('close')).toBe(0)
  })

  it('reads a provider to its end that wants it so, and writes no more', async () => {
    const { reply, seen } = streamOf([[frame('a')], [frame('b', USAGE)], [frame('c', END)]], 'drain')
    const response = new FakeResponse()
    response.leave()
    expect(await start(reply, response).sending).toMatchObject({ code: 'client_closed' })
    expect([response.text, seen]).toEqual(['', { read: 3, closed: true }])
  })

  it('before its end: it gets none of it', async () => {
    for (const [last, code] of [
      [END, 'client_closed'],
      [error(), 'upstream_error'],
    ] as const) {
      const response = new FakeResponse()
      const { reply } = streamOf([[frame('a')], [frame('b', last)]])
      const leaving: ChatStream = {
        ...reply,
        events: (async function* () {
          yield* reply.events
          response.leave()
        })(),
      }
      const { sending, booked } = start(leaving, response)
      expect(await sending).toMatchObject({ code })
      expect([response.text, booked]).toEqual(['a', []])
    }
  })

  it('while the call is booked as complete: that it is', async () => {
    const response = new FakeResponse()
    const { reply } = streamOf([[frame('a')], [frame('b', END)]])
    const settle = async () => void response.leave()
    expect(await start(reply, response, { settle }).sending).toBeUndefined()
    expect(response.text).toBe('a')
  })
})

describe('the end of a stream', () => {
  afterEach(() => void vi.useRealTimers())

  it('leaves once the call is booked, and what came with it before', async () => {
    const booking = Promise.withResolvers<void>()
    const response = new FakeResponse()
    const { reply } = streamOf([[frame('a', text('a')), frame('u', USAGE), frame('c', END)]])
    const { sending } = start(reply, response, { settle: () => booking.promise })
    await settle()
    expect([response.text, response.writableEnded]).toEqual(['au', false])
    booking.resolve()
    await sending
    expect([response.text, response.writableEnded, response.packets]).toEqual(['auc', true, 2])
  })

  it('is an error that leaves once the call is booked as failed', async () => {
    const response = new FakeResponse()
    const { reply } = streamOf([[frame('a', text('a')), frame(undefined, error())]])
    const { sending, booked } = start(reply, response)
    expect(await sending).toMatchObject({ code: 'upstream_error' })
    expect(booked).toEqual([{ code: 'upstream_error', text: 'a' }])
    expect(response.text).toBe('a<error>')
  })

  /** A stream that goes on after its end, when it is told to. */
  function lingering() {
    const more = Promise.withResolvers<readonly ReplyFrame[]>()
    const { reply } = streamOf([])
    async function* events(): ReplyEvents {
      yield [frame('a', text('a'))]
      yield [frame('c', END)]
      yield await more.promise
    }
    return { more, reply: { ...reply, events: events() } }
  }

  it('waits for what belongs to the books behind it', async () => {
    const { more, reply } = lingering()
    const response = new FakeResponse()
    const { sending, booked } = start(reply, response, { isUsageKnown: () => false })
    await settle()
    more.resolve([frame('u', USAGE)])
    await sending
    expect(booked).toEqual([{ code: undefined, text: 'a' }])
    expect(response.text).toBe('acu')
  })

  it('waits no longer than 50 ms for that, or a second where no usage is known yet', async () => {
    vi.useFakeTimers()
    for (const [isKnown, waitMs] of [
      [true, 50],
      [false, 1000],
    ] as const) {
      const { more, reply } = lingering()
      const response = new FakeResponse()
      const { sending, booked } = start(reply, response, { isUsageKnown: () => isKnown })
      await vi.advanceTimersByTimeAsync(waitMs - 1)
      expect([response.text, booked.length]).toEqual(['a', 0])
      await vi.advanceTimersByTimeAsync(1)
      expect([response.text, response.writableEnded]).toEqual(['ac', false])
      more.resolve([frame('u', USAGE)])
      await sending
      expect([response.text, response.writableEnded]).toEqual(['acu', true])
      expect(booked).toEqual([{ code: undefined, text: 'a' }])
      expect(vi.getTimerCount()).toBe(0)
    }
  })

  it('that cannot be written fails the stream, and nothing else', async () => {
    vi.useFakeTimers()
    const { more, reply } = lingering()
    const defect = new TypeError('x is undefined')
    const encoder = () => ({
      encode(event: StreamEvent): string {
        if (event.type === 'reply-end') throw defect
        return 'x'
      },
    })
    const { sending } = start(reply, new FakeResponse(), { native: false, encoder })
    const broken = expect(sending).rejects.toBe(defect)
    await vi.advanceTimersByTimeAsync(50)
    more.resolve([])
    await broken
  })
})
