import { crc32 } from 'node:zlib'

/**
 * A record of the journal's files, little-endian:
 *
 *     4 bytes  mark: where records begin can be found again behind damage. 0xFE is in no UTF-8 text
 *     4 bytes  CRC-32 of everything behind it
 *     4 bytes  length of the text in bytes
 *     8 bytes  number of the record, as a double: rising, though numbers may be missing
 *     n bytes  text, UTF-8
 */
const MARK = Buffer.from([0xfe, 0x47, 0x4a, 0x31])
const CRC_AT = 4
const LENGTH_AT = 8
const NUMBER_AT = 12
export const RECORD_HEADER_BYTES = 20
/** Rows have a thousand bytes; a length above this one is damage. */
const RECORD_TEXT_BYTES_MAX = 16 * 1024 * 1024
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const UTF8_FACTOR = 3
const FIRST_BYTES = 64 * 1024

/** Records that follow each other in a buffer that is used again and again. */
export interface RecordWriter {
  add(number: number, text: string): void
  /** @returns what was added since the last `reset`; overwritten by what comes after that */
  bytes(): Buffer
  reset(): void
}

export function createRecordWriter(): RecordWriter {
  let buffer = Buffer.allocUnsafeSlow(FIRST_BYTES)
  let position = 0

  function reserve(size: number): void {
    if (position + size <= buffer.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(buffer.length * 2, position + size))
    buffer.copy(larger, 0, 0, position)
    buffer = larger
  }

  return {
    add(number, text) {
      reserve(RECORD_HEADER_BYTES + text.length * UTF8_FACTOR)
      const start = position
      const length = buffer.write(text, start + RECORD_HEADER_BYTES, 'utf8')
      position = start + RECORD_HEADER_BYTES + length
      MARK.copy(buffer, start)
      buffer.writeUInt32LE(length, start + LENGTH_AT)
      buffer.writeDoubleLE(number, start + NUMBER_AT)
      buffer.writeUInt32LE(crc32(buffer.subarray(start + LENGTH_AT, position)), start + CRC_AT)
    },
    bytes: () => buffer.subarray(0, position),
    reset() {
      position = 0
    },
  }
}

export interface FoundRecord {
  readonly start: number
  readonly end: number
  readonly number: number
  /** Where its text begins; it ends where the record does. */
  readonly textStart: number
}

export interface Damage {
  readonly start: number
  readonly end: number
  /** What a write leaves behind that was cut off: a record without its end, or zeros. Nobody was told it is durable. */
  readonly torn: boolean
}

export interface Scan {
  readonly records: readonly FoundRecord[]
  /** Bytes between records that are none. */
  readonly damage: readonly Damage[]
  /** Everything before it was looked at. */
  readonly end: number
}

/** @returns the whole records of a buffer from `start` on, `recordsMax` at most */
export function scanRecords(buffer: Buffer, start: number, recordsMax: number): Scan {
  const records: FoundRecord[] = []
  const damage: Damage[] = []
  let position = start
  while (position < buffer.length && records.length < recordsMax) {
    const record = recordAt(buffer, position)
    if (typeof record === 'object') {
      records.push(record)
      position = record.end
      continue
    }
    const end = nextRecord(buffer, position + 1)
    const torn = end === buffer.length && (record === 'unfinished' || isZero(buffer, position))
    damage.push({ start: position, end, torn })
    position = end
  }
  return { records, damage, end: position }
}

/** @returns where the next whole record begins, or the buffer's end */
function nextRecord(buffer: Buffer, from: number): number {
  let position = buffer.indexOf(MARK, from)
  while (position >= 0) {
    if (typeof recordAt(buffer, position) === 'object') return position
    position = buffer.indexOf(MARK, position + 1)
  }
  return buffer.length
}

function recordAt(buffer: Buffer, start: number): FoundRecord | 'unfinished' | 'damaged' {
  const begun = Math.min(MARK.length, buffer.length - start)
  if (MARK.compare(buffer, start, start + begun, 0, begun) !== 0) return 'damaged'
  const textStart = start + RECORD_HEADER_BYTES
  if (textStart > buffer.length) return 'unfinished'
  const length = buffer.readUInt32LE(start + LENGTH_AT)
  if (length > RECORD_TEXT_BYTES_MAX) return 'damaged'
  const end = textStart + length
  if (end > buffer.length) return 'unfinished'
  if (crc32(buffer.subarray(start + LENGTH_AT, end)) !== buffer.readUInt32LE(start + CRC_AT)) return 'damaged'
  return { start, end, number: buffer.readDoubleLE(start + NUMBER_AT), textStart }
}

function isZero(buffer: Buffer, start: number): boolean {
  for (let position = start; position < buffer.length; position++) if (buffer[position] !== 0) return false
  return true
}
