import type { JournalEntry } from './journal-buffer.ts'

/** Rows of this process that Redis has and the ledger perhaps not: to be written again where Redis loses them. */
export interface RetainedRows {
  /** @param throughId in the stream, of these or one behind them */
  add(throughId: string, entries: readonly JournalEntry[]): void
  /** @param rowIds that the ledger has */
  remove(rowIds: readonly string[]): void
  /** Lets go of rows that have left the stream. @param oldestId in the stream; '' = it is empty */
  prune(oldestId: string): void
  /** @returns all, which are gone from here */
  takeAll(): JournalEntry[]
  /** @returns whether rows up to this number have left the stream */
  isClear(through: number): boolean
  readonly size: number
}

/** @param rowsMax past it the oldest rows are left to Redis alone: it would have to fail while the ledger is away */
export function createRetainedRows(rowsMax: number): RetainedRows {
  /** By the id of the row, in the order of the stream. */
  const rows = new Map<string, { readonly throughId: string; readonly entry: JournalEntry }>()
  /** The newest row that was left to Redis alone. */
  let forgottenId: string | undefined

  return {
    add(throughId, entries) {
      for (const entry of entries) {
        // One that is written again goes to the end.
        rows.delete(entry.row.id)
        rows.set(entry.row.id, { throughId, entry })
      }
      for (const [rowId, oldest] of rows) {
        if (rows.size <= rowsMax) break
        rows.delete(rowId)
        forgottenId = oldest.throughId
      }
    },
    remove(rowIds) {
      for (const rowId of rowIds) rows.delete(rowId)
    },
    prune(oldestId) {
      if (forgottenId !== undefined && isBefore(forgottenId, oldestId)) forgottenId = undefined
      for (const [rowId, { throughId }] of rows) {
        if (!isBefore(throughId, oldestId)) break
        rows.delete(rowId)
      }
    },
    takeAll() {
      const all = [...rows.values()].map(({ entry }) => entry)
      rows.clear()
      return all
    },
    isClear(through) {
      if (forgottenId !== undefined) return false
      for (const { entry } of rows.values()) if (entry.number <= through) return false
      return true
    },
    get size() {
      return rows.size
    },
  }
}

/** @returns whether a row has left a stream whose oldest id is this one. Ids are `milliseconds-sequence` */
function isBefore(id: string, oldestId: string): boolean {
  if (oldestId === '') return true
  const [ms = 0, sequence = 0] = id.split('-').map(Number)
  const [oldestMs = 0, oldestSequence = 0] = oldestId.split('-').map(Number)
  return ms < oldestMs || (ms === oldestMs && sequence < oldestSequence)
}
