import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createRecordWriter, RECORD_HEADER_BYTES, scanRecords } from './journal-record.ts'

function write(texts: readonly string[]): Buffer {
  const writer = createRecordWriter()
  for (const [index, text] of texts.entries()) writer.add(index + 1, text)
  return Buffer.from(writer.bytes())
}

function read(bytes: Buffer): { texts: string[]; numbers: number[] } {
  const { records } = scanRecords(bytes, 0, Number.POSITIVE_INFINITY)
  return {
    texts: records.map(({ textStart, end }) => bytes.toString('utf8', textStart, end)),
    numbers: records.map(({ number }) => number),
  }
}

// A record within a text and bytes that look like the mark must not mislead the search behind damage.
const TEXTS = ['{"a":1}', '', 'é漢🎉 GJ1', '\u00fe', 'x'.repeat(300), '"last"']

describe('createRecordWriter()', () => {
  it('add() and scanRecords() are each other’s inverse', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'grapheme', maxLength: 50 }), { maxLength: 30 }), (texts) => {
        const bytes = write(texts)
        expect(read(bytes).texts).toEqual(texts)
        expect(scanRecords(bytes, 0, 1000)).toMatchObject({ damage: [], end: bytes.length })
      }),
    )
  })

  it('add() takes texts larger than its first buffer, and reset() begins anew', () => {
    const writer = createRecordWriter()
    writer.add(1, 'gone')
    writer.reset()
    const text = '漢'.repeat(100_000)
    writer.add(2 ** 53 - 1, text)
    const bytes = writer.bytes()
    expect(bytes.length).toBe(RECORD_HEADER_BYTES + 300_000)
    expect(read(bytes)).toEqual({ texts: [text], numbers: [2 ** 53 - 1] })
  })
})

describe('scanRecords()', () => {
  it('stops behind as many records as were asked for', () => {
    const bytes = write(TEXTS)
    const first = scanRecords(bytes, 0, 2)
    expect(first.records.map(({ number }) => number)).toEqual([1, 2])
    expect(scanRecords(bytes, first.end, 2).records.map(({ number }) => number)).toEqual([3, 4])
  })

  it('takes a last record that was cut off at any byte for torn, and gives all before it', () => {
    const whole = write(TEXTS)
    const before = write(TEXTS.slice(0, -1))
    for (let length = before.length; length < whole.length; length++) {
      const bytes = whole.subarray(0, length)
      expect(read(bytes).texts).toEqual(TEXTS.slice(0, -1))
      const { damage } = scanRecords(bytes, 0, 1000)
      expect(damage).toEqual(
        length === before.length ? [] : [{ start: before.length, end: length, torn: true }],
      )
    }
  })

  it('takes zeros at the end for torn, however many', () => {
    const before = write(TEXTS)
    for (const zeros of [1, 3, 4, 19, 20, 4096]) {
      const bytes = Buffer.concat([before, Buffer.alloc(zeros)])
      expect(scanRecords(bytes, 0, 1000).damage).toEqual([
        { start: before.length, end: bytes.length, torn: true },
      ])
    }
  })

  it('loses one record, and says where, when any byte of it is wrong', () => {
    const whole = write(TEXTS)
    const { records } = scanRecords(whole, 0, 1000)
    for (let position = 0; position < whole.length; position++) {
      for (const flip of [0x01, 0x80, 0xff]) {
        const bytes = Buffer.from(whole)
        bytes[position] = (bytes[position] ?? 0) ^ flip
        const hit = records.findIndex(({ end }) => position < end)
        expect(read(bytes).texts).toEqual(TEXTS.filter((_, index) => index !== hit))
        const { start, end } = records[hit] ?? {}
        expect(scanRecords(bytes, 0, 1000).damage).toMatchObject([{ start, end }])
      }
    }
  })

  it('finds what is whole among any bytes', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.oneof(
            fc.uint8Array({ maxLength: 40 }).map((bytes) => ({ text: undefined, bytes: Buffer.from(bytes) })),
            fc.string({ maxLength: 20 }).map((text) => ({ text, bytes: write([text]) })),
          ),
        ),
        (parts) => {
          const bytes = Buffer.concat(parts.map((part) => part.bytes))
          const { records, damage, end } = scanRecords(bytes, 0, 1000)
          expect(read(bytes).texts).toEqual(parts.flatMap(({ text }) => (text === undefined ? [] : [text])))
          expect(end).toBe(bytes.length)
          // Records and damage lie side by side and cover everything.
          const all = [...records, ...damage].toSorted((first, second) => first.start - second.start)
          expect(all.map(({ start }) => start)).toEqual(
            [0, ...all.map((part) => part.end)].slice(0, all.length),
          )
        },
      ),
    )
  })
})
