import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import type { StreamEvent } from '../contract/chat.ts'
import { GatewayError } from '../core/errors.ts'
import type { SseFrame } from '../core/sse.ts'
import type { ReplyFrame } from '../pipeline/reply.ts'
import { DIALECTS } from '../providers/dialects.ts'
import type { Dialect } from '../providers/provider.ts'
import { type DecodeOptions, decodeStream } from './decode-stream.ts'

const BROKE = new GatewayError('upstream_error', { message: 'The connection to the provider failed.' })

const CHUNKS = [
  '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}',
  '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"content":"Grüße 🌍"},"finish_reason":null}]}',
  '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
  '{"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}',
  '[DONE]',
]
const STREAM = `: warming up\n\n${CHUNKS.map((data) => `data: ${data}\n\n`).join('')}`
const BYTES = Buffer.from(STREAM)

/** The body of a reply: chunks, and then a failure where one is given. */
function bodyOf(chunks: readonly Uint8Array[], failure?: Error): Readable {
  return Readable.from(
    (async function* () {
      yield* chunks
      if (failure !== undefined) throw failure
    })(),
    { objectMode: true },
  )
}

interface Decoded {
  readonly frames: readonly ReplyFrame[]
  readonly events: readonly StreamEvent[]
  readonly ends: readonly (GatewayError | undefined)[]
}

function open(body: Readable, changes: Partial<DecodeOptions> = {}) {
  const ends: (GatewayError | undefined)[] = []
  const noted: StreamEvent[] = []
  const frames = decodeStream({
    body,
    dialect: DIALECTS.ofFormat('chat'),
    keepRaw: true,
    onEvent: (event) => noted.push(event),
    toError: () => BROKE,
    onEnd: (error) => ends.push(error),
    ...changes,
  })
  return { frames, ends, noted }
}

async function decode(body: Readable, changes: Partial<DecodeOptions> = {}): Promise<Decoded> {
  const { frames, ends } = open(body, changes)
  const all: ReplyFrame[] = []
  for await (const batch of frames) all.push(...batch)
  return { frames: all, events: all.flatMap(({ events }) => events), ends }
}

function typesOf(events: readonly StreamEvent[]): string[] {
  return events.map(({ type }) => type)
}

/** A dialect whose events are what the test says, one list for each frame. */
function scripted(...script: readonly (readonly StreamEvent[] | Error)[]): Dialect {
  let position = 0
  return {
    ...DIALECTS.ofFormat('chat'),
    fromEvent(_state: unknown, _frame: SseFrame) {
      const events = script[position++] ?? []
      if (events instanceof Error) throw events
      return [...events]
    },
  }
}

const TEXT: StreamEvent = { type: 'text-delta', choice: 0, text: 'a' }
const END: StreamEvent = { type: 'reply-end' }
const ERROR: StreamEvent = {
  type: 'error',
  error: { code: 'boom', type: 'server_error', message: 'It broke.' },
}

describe('decodeStream()', () => {
  it('keeps every byte, and reads the same events, wherever the network cut them', async () => {
    const whole = await decode(bodyOf([BYTES]))
    expect(typesOf(whole.events)).toEqual([
      'ping',
      'reply-start',
      'text-delta',
      'choice-finish',
      'usage-report',
      'reply-end',
    ])
    for (let cut = 1; cut < BYTES.length; cut++) {
      const { frames, events, ends } = await decode(bodyOf([BYTES.subarray(0, cut), BYTES.subarray(cut)]))
      expect(Buffer.concat(frames.map(({ raw }) => raw ?? Buffer.alloc(0))).equals(BYTES)).toBe(true)
      expect(events).toEqual(whole.events)
      expect(ends).toEqual([undefined])
    }
  })

  it('reads a stream that comes byte by byte', async () => {
    const { events, ends } = await decode(bodyOf([...BYTES].map((byte) => Uint8Array.of(byte))))
    expect(events).toEqual((await decode(bodyOf([BYTES]))).events)
    expect(ends).toEqual([undefined])
  })

  it('keeps no bytes for a caller of another format', async () => {
    const { frames } = await decode(bodyOf([BYTES]), { keepRaw: false })
    expect(frames.every(({ raw }) => raw === undefined)).toBe(true)
  })

  it('never takes a stream for complete that ends before its finish reason', async () => {
    const finishAt = BYTES.indexOf('"finish_reason":"stop"}]}') + '"finish_reason":"stop"}]}'.length
    for (let length = 0; length < finishAt; length++) {
      const { frames, events, ends } = await decode(bodyOf([BYTES.subarray(0, length)]))
      expect(typesOf(events)).not.toContain('reply-end')
      expect(events.at(-1)).toMatchObject({ type: 'error', error: { code: 'upstream_error' } })
      expect(ends.map((error) => error?.code)).toEqual(['upstream_error'])
      // The event that was cut is not passed on: the error would be read as its end.
      expect(frames.at(-1)?.raw).toBeUndefined()
      expect(Buffer.concat(frames.map(({ raw }) => raw ?? Buffer.alloc(0))).toString()).toMatch(/^$|\n\n$/)
    }
  })

  it('takes a stream without its terminator for complete, and ends its last event', async () => {
    const doneAt = BYTES.indexOf('data: [DONE]')
    for (const end of [doneAt, doneAt + 'data: [DONE]'.length, doneAt + 'data: [DONE]\n'.length]) {
      const { frames, events, ends } = await decode(bodyOf([BYTES.subarray(0, end)]))
      expect(events.at(-1)).toEqual(END)
      expect(ends).toEqual([undefined])
      expect(Buffer.concat(frames.map(({ raw }) => raw ?? Buffer.alloc(0))).toString()).toMatch(/\n\n$/)
    }
  })

  it('ends in an error event where the connection breaks, before the first byte too', async () => {
    for (const length of [0, 100]) {
      const { events, ends } = await decode(bodyOf([BYTES.subarray(0, length)], new Error('reset')))
      expect(events.at(-1)).toEqual({
        type: 'error',
        error: { code: 'upstream_error', type: 'upstream_error', message: BROKE.message },
      })
      expect(ends).toEqual([BROKE])
    }
  })

  it('is content with a complete reply whose connection breaks afterwards', async () => {
    const { events, ends } = await decode(bodyOf([BYTES], new Error('reset')))
    expect(events.at(-1)).toEqual(END)
    expect(ends).toEqual([undefined])
  })

  it('passes an error of the provider on, once, and ends with it', async () => {
    for (const failure of [undefined, new Error('reset')]) {
      const { events, ends } = await decode(bodyOf([Buffer.from('data: 1\n\ndata: 2\n\n')], failure), {
        dialect: scripted([TEXT], [ERROR]),
      })
      expect(events).toEqual([TEXT, ERROR])
      expect(ends).toHaveLength(1)
      expect(ends[0]).toMatchObject({ code: 'upstream_error', message: 'It broke.' })
    }
  })

  it('lets nothing after an error look like the end of a reply', async () => {
    const { events, ends } = await decode(bodyOf([Buffer.from('data: 1\n\ndata: 2\n\n')]), {
      dialect: scripted([ERROR], [END]),
    })
    expect(typesOf(events)).not.toContain('reply-end')
    expect(ends[0]?.message).toBe('It broke.')
  })

  it('turns a defect of a dialect into an error event', async () => {
    const { events, ends } = await decode(bodyOf([Buffer.from('data: 1\n\ndata: 2\n\n')]), {
      dialect: scripted([TEXT], new TypeError('x is undefined')),
    })
    expect(events.at(-1)).toMatchObject({ type: 'error' })
    expect(ends).toEqual([BROKE])
  })

  it('refuses an event without an end, in bounded memory', async () => {
    async function* endless() {
      for (let megabytes = 0; megabytes < 20; megabytes++) yield Buffer.alloc(1 << 20, 'a')
      throw new Error('It was read to the end.')
    }
    const { ends } = await decode(Readable.from(endless(), { objectMode: true }), {
      toError: (error) => new GatewayError('upstream_error', { message: (error as Error).message }),
    })
    expect(ends[0]?.message).toMatch(/exceeds/)
  })

  it('closes the connection and says so where its reader leaves', async () => {
    const body = bodyOf([BYTES.subarray(0, 300), BYTES.subarray(300)])
    const { frames, ends } = open(body)
    for await (const _ of frames) break
    expect(body.destroyed).toBe(true)
    expect(ends.map((error) => error?.code)).toEqual(['client_closed'])
  })

  it('closes the connection where its reader never began', async () => {
    const body = bodyOf([BYTES])
    const { frames, ends } = open(body)
    await frames.return(undefined)
    expect(body.destroyed).toBe(true)
    expect(ends.map((error) => error?.code)).toEqual(['client_closed'])
    expect(await frames.next()).toEqual({ done: true, value: undefined })
    expect(ends).toHaveLength(1)
  })

  it('is complete where its reader leaves after the end of the reply', async () => {
    const { frames, ends } = open(bodyOf([BYTES, Buffer.from(': bye\n\n')]))
    for await (const batch of frames) if (batch.some(({ events }) => hasEnd(events))) break
    expect(ends).toEqual([undefined])
  })

  it('tells of each event before its reader has it', async () => {
    const { frames, noted } = open(bodyOf([BYTES]))
    const first = await frames.next()
    expect(noted).toEqual(first.done ? [] : first.value.flatMap(({ events }) => events))
  })
})

function hasEnd(events: readonly StreamEvent[]): boolean {
  return events.some(({ type }) => type === 'reply-end')
}
