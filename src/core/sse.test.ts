import { createParser } from 'eventsource-parser'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type SseFrame, SseFramer } from './sse.ts'

const encoder = new TextEncoder()

function bytes(text: string): Uint8Array {
  return encoder.encode(text)
}

/** All frames of a stream that arrives in the given pieces, with what is left at its end. */
function frames(pieces: readonly Uint8Array[], frameBytesMax?: number): SseFrame[] {
  const framer = new SseFramer(frameBytesMax)
  return [...pieces.flatMap((piece) => framer.push(piece)), ...framer.flush()]
}

/** What a reader of the frames acts on; frames without data are comments or bare fields. */
function events(list: readonly SseFrame[]): { event: string; data: string }[] {
  return list.flatMap(({ event, data }) => (data === undefined ? [] : [{ event, data }]))
}

function rawOf(list: readonly SseFrame[]): Uint8Array {
  return Buffer.concat(list.map(({ raw }) => raw))
}

/** The same stream read by a kept library, given only complete streams. */
function oracle(text: string): { event: string; data: string }[] {
  const seen: { event: string; data: string }[] = []
  const parser = createParser({
    onEvent: ({ event, data }) => seen.push({ event: event ?? '', data }),
  })
  parser.feed(text)
  return seen
}

const LINE_ENDS = ['\n', '\r\n', '\r'] as const

const SAMPLE = [
  ': a comment',
  '',
  'data: {"text":"Grüße 👋🏽 你好"}',
  '',
  'event: ping',
  'data:no space',
  'data:  two spaces',
  'id: 7',
  '',
  'data',
  '',
  'data: {"line":"one"}',
  'data: two',
  '',
  'data: [DONE]',
  '',
  '',
].join('\n')

describe('SseFramer', () => {
  it('SseFramer.push() gives frames of one chunk as views of that chunk', () => {
    const chunk = bytes('data: a\n\ndata: b\n\n')
    const list = new SseFramer().push(chunk)
    expect(list.map(({ data }) => data)).toEqual(['a', 'b'])
    expect(list.every(({ raw }) => raw.buffer === chunk.buffer)).toBe(true)
  })

  it.each(LINE_ENDS.map((end) => [JSON.stringify(end), end]))(
    'SseFramer.push() reads lines that end in %s, cut at every byte',
    (_name, end) => {
      const text = SAMPLE.replaceAll('\n', end)
      const whole = bytes(text)
      const expected = oracle(SAMPLE)
      expect(expected).toHaveLength(5)
      for (let cut = 0; cut <= whole.length; cut++) {
        const list = frames([whole.subarray(0, cut), whole.subarray(cut)])
        expect(events(list)).toEqual(expected)
        expect(rawOf(list)).toEqual(Buffer.from(whole))
      }
    },
  )

  it('SseFramer.push() gives the same frames one byte at a time', () => {
    const whole = bytes(SAMPLE)
    const single = Array.from(whole, (_byte, index) => whole.subarray(index, index + 1))
    expect(events(frames(single))).toEqual(events(frames([whole])))
  })

  it('SseFramer.push() agrees with eventsource-parser on arbitrary streams in arbitrary pieces', () => {
    const value = fc
      .string({ unit: 'grapheme', maxLength: 12 })
      .filter((text) => !/[\r\n\0\ufeff]/.test(text))
    const line = fc.oneof(
      value.map((text) => `data: ${text}`),
      value.map((text) => `data:${text}`),
      value.map((text) => `: ${text}`),
      fc.constantFrom('event: message', 'event: error', 'data', 'retry: 10', 'unknown: field'),
      fc.constant(''),
    )
    const stream = fc.tuple(fc.array(fc.tuple(line, fc.constantFrom(...LINE_ENDS)), { maxLength: 30 }))
    fc.assert(
      fc.property(stream, fc.array(fc.nat(400), { maxLength: 8 }), ([lines], cuts) => {
        const text = `${lines.map(([content, end]) => content + end).join('')}\n\n`
        const whole = bytes(text)
        const places = [0, ...cuts.map((cut) => cut % (whole.length + 1)), whole.length].sort((a, b) => a - b)
        const pieces = places.slice(1).map((place, index) => whole.subarray(places[index], place))
        const list = frames(pieces)
        expect(events(list)).toEqual(oracle(text))
        const raw = rawOf(list)
        // Everything is forwarded but line ends without a line, at the very end.
        expect(raw).toEqual(Buffer.from(whole.subarray(0, raw.length)))
        expect(whole.subarray(raw.length).every((byte) => byte === 10 || byte === 13)).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  it('SseFramer.push() leaves frames alone that it handed out while the next ones grow', () => {
    const framer = new SseFramer()
    const kept: SseFrame[] = []
    for (let index = 0; index < 200; index++) {
      const text = `data: ${String(index).padStart(50, '.')}\n\n`
      kept.push(...framer.push(bytes(text.slice(0, 20))), ...framer.push(bytes(text.slice(20, 40))))
      kept.push(...framer.push(bytes(`${text.slice(40)}data: x\n\nda`)), ...framer.push(bytes('ta: y\n\n')))
    }
    expect(kept).toHaveLength(600)
    expect(kept.every(({ raw, data }) => new TextDecoder().decode(raw) === `data: ${data}\n\n`)).toBe(true)
  })

  it('SseFramer.push() drops a byte order mark at the start only', () => {
    expect(events(frames([bytes('\ufeffdata: a\n\ndata: \ufeffb\n\n')]))).toEqual([
      { event: '', data: 'a' },
      { event: '', data: '\ufeffb' },
    ])
  })

  it('SseFramer.push() gives comments as frames without data', () => {
    const [frame] = new SseFramer().push(bytes(': OPENROUTER PROCESSING\n\n'))
    expect(frame).toMatchObject({ event: '', data: undefined })
  })

  it('SseFramer.push() throws for a frame over its bound, begun or complete', () => {
    expect(() => new SseFramer(16).push(bytes('data: 0123456789'))).not.toThrow()
    expect(() => new SseFramer(16).push(bytes('data: 0123456789a'))).toThrow(RangeError)
    expect(() => new SseFramer(16).push(bytes('data: 0123456789a\n\n'))).toThrow(RangeError)
    const framer = new SseFramer(16)
    framer.push(bytes('data: 012345'))
    expect(() => framer.push(bytes('6789ab'))).toThrow(RangeError)
  })

  it('SseFramer.push() copies a huge frame in small chunks a bounded number of times', () => {
    const framer = new SseFramer()
    const chunk = new Uint8Array(1024).fill(0x61)
    framer.push(bytes('data: '))
    let copied = 0
    const set = Uint8Array.prototype.set
    Uint8Array.prototype.set = function (this: Uint8Array, source, offset) {
      copied += source.length
      return set.call(this, source, offset)
    }
    try {
      for (let index = 0; index < 8 * 1024; index++) framer.push(chunk)
    } finally {
      Uint8Array.prototype.set = set
    }
    const [frame] = framer.push(bytes('\n\n'))
    expect(frame?.data).toHaveLength(8 * 1024 * 1024)
    // Doubling copies each byte once on arrival and less than twice in all the moves.
    expect(copied).toBeLessThan(3 * 8 * 1024 * 1024)
  })

  it('SseFramer.flush() gives what has no closing blank line, and nothing for stray line ends', () => {
    expect(events(frames([bytes('data: a\n\ndata: b')]))).toEqual([
      { event: '', data: 'a' },
      { event: '', data: 'b' },
    ])
    const framer = new SseFramer()
    framer.push(bytes('data: a\n\n\n'))
    expect(framer.flush()).toEqual([])
  })
})
