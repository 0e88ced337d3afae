import type { LedgerRow } from '../ledger/ports.ts'
import { LEDGER_COLUMNS } from './ledger-columns.ts'
import { toStorableJson } from './storable-json.ts'

/** PostgreSQL counts microseconds from 2000-01-01 UTC. */
const EPOCH_MS = 946_684_800_000
const TWO_32 = 4_294_967_296
/** Most rows are smaller, so that nothing has to be moved. */
const ROW_BYTES = 1024
/** A CopyData message whose length follows, then "PGCOPY\n\377\r\n\0", flags and header extension, both zero. */
const HEADER = [
  0x64, 0, 0, 0, 0, 0x50, 0x47, 0x43, 0x4f, 0x50, 0x59, 0x0a, 0xff, 0x0d, 0x0a, 0, 0, 0, 0, 0, 0, 0, 0, 0,
]
const TRAILER_BYTES = 2
/** Field length and fixed-size value, at most. */
const FIXED_BYTES = 12
/** A UTF-16 unit takes at most three bytes in UTF-8. */
const UTF8_FACTOR = 3

/**
 * @returns a CopyData message with the rows in the binary format of COPY, columns in the order of `LEDGER_COLUMNS`
 *   (https://www.postgresql.org/docs/15/sql-copy.html): measured on PGlite, 5 µs a row to read instead of 20 for JSON
 */
export function toBinaryRows(rows: readonly LedgerRow[]): Uint8Array {
  let bytes = Buffer.allocUnsafeSlow(HEADER.length + TRAILER_BYTES + rows.length * ROW_BYTES)
  let view = new DataView(bytes.buffer)
  let position = HEADER.length
  bytes.set(HEADER)

  const reserve = (size: number) => {
    if (position + size + TRAILER_BYTES <= bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(bytes.length * 2, position + size + TRAILER_BYTES))
    bytes.copy(larger, 0, 0, position)
    bytes = larger
    view = new DataView(bytes.buffer)
  }
  const writeText = (text: string, prefix = 0) => {
    reserve(4 + prefix + text.length * UTF8_FACTOR)
    const length = bytes.write(text, position + 4 + prefix, 'utf8')
    view.setInt32(position, prefix + length)
    // The only prefix there is: the version of jsonb's binary form.
    if (prefix === 1) view.setInt8(position + 4, 1)
    position += 4 + prefix + length
  }
  const writeInt64 = (value: number) => {
    view.setInt32(position, 8)
    view.setInt32(position + 4, Math.floor(value / TWO_32))
    view.setUint32(position + 8, value >>> 0)
    position += 12
  }

  for (const row of rows) {
    reserve(2 + FIXED_BYTES * LEDGER_COLUMNS.length)
    view.setInt16(position, LEDGER_COLUMNS.length)
    position += 2
    for (const { type, field } of LEDGER_COLUMNS) {
      const value: unknown = row[field]
      reserve(FIXED_BYTES)
      if (value === null || value === undefined) {
        view.setInt32(position, -1)
        position += 4
      } else if (type === 'text') {
        writeText(value as string)
      } else if (type === 'bigint') {
        writeInt64(value as number)
      } else if (type === 'boolean') {
        view.setInt32(position, 1)
        view.setInt8(position + 4, value === true ? 1 : 0)
        position += 5
      } else if (type === 'integer') {
        view.setInt32(position, 4)
        view.setInt32(position + 4, value as number)
        position += 8
      } else if (type === 'double precision') {
        view.setInt32(position, 8)
        view.setFloat64(position + 4, value as number)
        position += 12
      } else if (type === 'timestamptz') {
        writeInt64(((value as Date).getTime() - EPOCH_MS) * 1000)
      } else {
        writeText(toStorableJson(value), type === 'jsonb' ? 1 : 0)
      }
    }
  }
  reserve(TRAILER_BYTES)
  view.setInt16(position, -1)
  // The length counts itself, but not the type byte before it.
  view.setInt32(1, position + TRAILER_BYTES - 1)
  return bytes.subarray(0, position + TRAILER_BYTES)
}
