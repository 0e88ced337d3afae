import { describe, expect, it } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { type RelayOptions, relayEvents } from './forward-stream.ts'

const DELTA = 'event: transcript.text.delta\ndata: {"type":"transcript.text.delta","delta":"hé"}\n\n'
const DONE =
  'data: {"type":"transcript.text.done","text":"hé","usage":{"type":"tokens","input_tokens":5,"output_tokens":2}}\n\n'

async function* inPieces(text: string, size: number): AsyncGenerator<Uint8Array> {
  const bytes = Buffer.from(text)
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function relay(body: RelayOptions['body']) {
  const seen: { text: string; usage: unknown; ends: (string | undefined)[] } = {
    text: '',
    usage: undefined,
    ends: [],
  }
  const chunks: Uint8Array[] = []
  for await (const chunk of relayEvents({
    body,
    operation: 'transcription',
    onText: (text) => {
      seen.text += text
    },
    onUsage: (usage) => {
      seen.usage = usage
    },
    toError: (error) =>
      error instanceof GatewayError
        ? error
        : new GatewayError('upstream_error', { message: 'The connection failed.' }),
    onEnd: (error) => seen.ends.push(error?.code),
  })) {
    chunks.push(chunk)
  }
  return { ...seen, sent: Buffer.concat(chunks).toString() }
}

describe('relayEvents()', () => {
  it('passes a stream on byte for byte, however it is cut, and reads its usage', async () => {
    for (let size = 1; size < 40; size++) {
      expect(await relay(inPieces(DELTA + DONE, size))).toMatchObject({
        sent: DELTA + DONE,
        text: 'hé',
        usage: { inputTokens: 5, outputTokens: 2 },
        ends: [undefined],
      })
    }
  })

  it('ends a stream that ends too early in an error event, without the broken one before it', async () => {
    const { sent, ends } = await relay(inPieces(`${DELTA}data: {"type":"transcr`, 10))
    expect(sent.startsWith(`${DELTA}event: error\ndata: {"type":"error","error":{`)).toBe(true)
    expect(ends).toEqual(['upstream_error'])
  })

  it('ends a stream whose connection breaks in an error event', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield Buffer.from(DELTA)
      throw new Error('reset')
    }
    const { sent, ends } = await relay(broken())
    expect(sent).toContain('The connection failed.')
    expect(ends).toEqual(['upstream_error'])
  })

  it('passes the error of a provider on and adds none', async () => {
    const error = 'event: error\ndata: {"type":"error","error":{"message":"overloaded"}}\n\n'
    expect(await relay(inPieces(DELTA + error, 7))).toMatchObject({
      sent: DELTA + error,
      ends: ['upstream_error'],
    })
  })

  it('says so when its reader leaves', async () => {
    const ends: (string | undefined)[] = []
    for await (const _chunk of relayEvents({
      body: inPieces(DELTA + DONE, DELTA.length),
      operation: 'transcription',
      onText: () => undefined,
      onUsage: () => undefined,
      toError: () => new GatewayError('upstream_error', { message: '' }),
      onEnd: (error) => ends.push(error?.code),
    })) {
      break
    }
    expect(ends).toEqual(['client_closed'])
  })
})
