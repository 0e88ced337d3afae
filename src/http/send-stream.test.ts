import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
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
    ...changes,
  })
  return { sending, beats: () => beats }
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
    // Frames that came together leave together.
    expect(response.packets).toBe(2)
    expect(response.corked).toBe(0)
    expect(beats()).toBe(2)
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
    expect(beats()).toBe(3)
    const asked = new FakeResponse()
    await start(streamOf(batches).reply, asked).sending
    expect(asked.text).toBe('aubothc')
  })

  it('takes no beat for a frame of which nothing is sent', async () => {
    const { sending, beats } = start(
      streamOf([[frame('u', USAGE)], [frame('c', END)]]).reply,
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

  it('with the whole reply in hand: it is complete', async () => {
    for (const native of [true, false]) {
      const response = new FakeResponse()
      const { reply } = streamOf([[frame('a')], [frame('b', END)]])
      const leaving: ChatStream = {
        ...reply,
        events: (async function* () {
          yield* reply.events
          // Clients stop at the last event and do not wait for the connection to end.
          response.leave()
        })(),
      }
      expect(await start(leaving, response, { native }).sending).toBeUndefined()
    }
  })

  it('with the error in hand: it has failed', async () => {
    const response = new FakeResponse()
    const { reply } = streamOf([[frame('a')], [frame(undefined, error())]])
    const leaving: ChatStream = {
      ...reply,
      events: (async function* () {
        yield* reply.events
        response.leave()
      })(),
    }
    expect(await start(leaving, response).sending).toMatchObject({ code: 'upstream_error' })
  })
})
