import { describe, expect, it } from 'vitest'
import type { Message, Part } from '../contract/chat.ts'
import { makeChatRequest, makeIncoming } from '../pipeline/fixtures/make-exchange.ts'
import { inputBytesOf } from './input-bytes.ts'

/** Longer than what is measured as it is. */
const LONG = 'words and '.repeat(2000)
const DATA = 'A'.repeat(40_000)
const PICTURE = 8000

/** @returns bytes of a long body that is parsed, without those of the long text in it and of its field */
function measured(json: Record<string, unknown>): number {
  const incoming = makeIncoming({ ...json, long: LONG })
  return inputBytesOf(incoming) - 2 - (LONG.length + 'long'.length + 4)
}

describe('inputBytesOf() of a body', () => {
  it('is its length where it is short, whatever it holds', () => {
    const body = Buffer.alloc(16 * 1024, 'é')
    expect(inputBytesOf(makeIncoming({ text: LONG }, { body }))).toBe(16_384)
    expect(inputBytesOf(makeIncoming({}, { body: Buffer.alloc(0) }))).toBe(0)
  })

  it('is that of its texts, names and punctuation where it is long', () => {
    expect(inputBytesOf(makeIncoming({}, { body: Buffer.alloc(16_385) }))).toBe(2)
    expect(measured({ a: 'xyz' })).toBe(1 + 4 + 3)
    expect(measured({ name: 'é€' })).toBe(4 + 4 + 5)
    expect(measured({ a: [1, true, null, 'xy'] })).toBe(5 + 2 + (1 + 4) * 3 + (1 + 2))
    expect(measured({ a: { bc: 'd' } })).toBe(5 + 2 + (2 + 4 + 1))
  })

  it('is about as much as the body itself where that is text', () => {
    const json = {
      messages: Array.from({ length: 100 }, (_, n) => ({ role: 'user', content: `${n}: ${LONG}` })),
    }
    const length = JSON.stringify(json).length
    expect(Math.abs(inputBytesOf(makeIncoming(json)) / length - 1)).toBeLessThan(0.001)
  })

  it('is that of a picture where it is no JSON', () => {
    expect(inputBytesOf(makeIncoming({}, { json: undefined, body: Buffer.alloc(20_000) }))).toBe(PICTURE)
  })

  it('ends with what is nested more than sixteen times', () => {
    let nested: unknown = { deep: 'text' }
    for (let depth = 0; depth < 100; depth++) nested = { n: nested }
    // Fifteen more beside the body itself; then the length of the JSON that is left.
    expect(measured({ n: nested })).toBe(5 + 15 * 7 + JSON.stringify({ deep: 'text' }).length + 85 * 6)
  })
})

describe('inputBytesOf() of lists', () => {
  it('ends with what is nested more than sixteen times', () => {
    let nested: unknown = []
    for (let depth = 0; depth < 100; depth++) nested = [nested]
    expect(measured({ n: nested })).toBe(5 + 15 * 3 + '[]'.length + 85 * 2)
  })
})

describe('inputBytesOf() of data', () => {
  it('takes every picture, sound and file for as much, in all wire formats', () => {
    for (const [name, value] of [
      ['url', `data:image/png;base64,${DATA}`],
      ['url', 'data:image/png;base64,AAAA'],
      ['image_url', `data:image/png;base64,${DATA}`],
      ['document_url', `data:application/pdf;base64,${DATA}`],
      ['data', DATA],
      ['file_data', `${DATA}+/=_-azAZ09`],
      ['b64_json', DATA],
      ['signature', DATA],
      ['thoughtSignature', DATA],
      ['thought_signature', DATA],
      ['encrypted_content', DATA],
    ] as const) {
      expect([name, measured({ [name]: value })]).toEqual([name, name.length + 4 + PICTURE])
    }
  })

  it('takes short data for text', () => {
    expect(measured({ data: DATA.slice(0, 4096) })).toBe(8 + 4096)
    expect(measured({ data: DATA.slice(0, 4097) })).toBe(8 + PICTURE)
  })

  it('takes what looks like data for text where texts are, for that is how a model reads it', () => {
    for (const content of [`data: ${LONG}`, DATA, `${DATA}${LONG}`, `data:image/png;base64,${DATA}`]) {
      expect(measured({ content })).toBe('content'.length + 4 + content.length)
      expect(measured({ data: [content] })).toBe(8 + 2 + 1 + content.length)
    }
  })

  it('takes text for text where data could be', () => {
    expect(measured({ data: LONG })).toBe(8 + LONG.length)
    expect(measured({ data: ` ${DATA}` })).toBe(8 + DATA.length + 1)
    expect(measured({ data: `${DATA.slice(0, 4095)} ${DATA}` })).toBe(8 + 4096 + DATA.length)
    // The beginning decides, which costs the same for any size.
    expect(measured({ data: `${DATA.slice(0, 4096)} ` })).toBe(8 + PICTURE)
    expect(measured({ url: 'https://example.com/picture.png' })).toBe(7 + 31)
  })
})

describe('inputBytesOf() of a call from this process', () => {
  const bytesOf = (
    content: readonly Part[],
    changes: { tools?: Parameters<typeof makeChatRequest>[0] } = {},
  ) =>
    inputBytesOf(
      makeIncoming(
        {},
        {
          body: undefined,
          json: undefined,
          chat: () => makeChatRequest({ messages: [{ role: 'user', content }], ...changes.tools }),
        },
      ),
    )

  it('adds up the parts of all messages', () => {
    const messages: Message[] = [
      { role: 'system', content: [{ type: 'text', text: 'é' }] },
      {
        role: 'user',
        content: [
          { type: 'text', text: 'abc' },
          { type: 'text', text: '' },
        ],
      },
    ]
    const chat = () => makeChatRequest({ messages })
    expect(inputBytesOf(makeIncoming({}, { body: undefined, json: undefined, chat }))).toBe(3 * 32 + 2 + 3)
  })

  it('measures each kind of part', () => {
    const url = { kind: 'url', url: 'https://example.com' } as const
    const text = { kind: 'base64', mediaType: 'text/plain', data: 'a'.repeat(10) } as const
    const pdf = { kind: 'base64', mediaType: 'application/pdf', data: 'aaaa' } as const
    const parts: readonly (readonly [Part, number])[] = [
      [{ type: 'reasoning', text: 'é' }, 2],
      [{ type: 'refusal', text: 'abc' }, 3],
      [{ type: 'tool-call', id: '1', name: 'find', arguments: '"é"' }, 4 + 4],
      [{ type: 'tool-result', callId: '1', content: [] }, 0],
      [
        {
          type: 'tool-result',
          callId: '1',
          content: [
            { type: 'text', text: 'ab' },
            { type: 'image', source: url },
          ],
        },
        2 + PICTURE,
      ],
      [{ type: 'image', source: url }, PICTURE],
      [{ type: 'audio', source: pdf }, PICTURE],
      [{ type: 'file', source: { kind: 'file', id: 'f' } }, PICTURE],
      [{ type: 'file', source: pdf }, PICTURE],
      // Ten characters of base64 are seven and a half bytes.
      [{ type: 'file', source: text }, 8],
      [{ type: 'other', format: 'chat', raw: { a: 'b' } }, 2 + 6],
    ]
    for (const [part, bytes] of parts) expect([part.type, bytesOf([part])]).toEqual([part.type, 32 + bytes])
  })

  it('measures its tools', () => {
    const tools = [{ name: 'find' }]
    expect(bytesOf([], { tools: { tools } })).toBe(2 + 1 + (2 + 'name'.length + 4 + 4))
  })

  it('measures what is to be embedded: texts, and four bytes for each token', () => {
    const embedding = () => ({
      model: 'm',
      inputs: ['é', [1, 2, 3], 'abc'],
      encodingFormat: 'float' as const,
      unmapped: [],
    })
    const incoming = makeIncoming({}, { operation: 'embedding', body: undefined, json: undefined, embedding })
    expect(inputBytesOf(incoming)).toBe(2 + 12 + 3)
  })
})
