import type { JournalEntry } from './journal-buffer.ts'

/** Rows of this process that Redis has and the ledger perhaps not: to be written again where Redis loses them. */
export interface RetainedRows {
  /** @param id in the stream; higher than all before */
  add(id: string, entry: JournalEntry): void
  remove(id: string): void
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
  const entries = new Map<string, JournalEntry>()
  /** The newest row that was left to Redis alone. */
  let forgottenId: string | undefined

  return {
    add(id, entry) {
      entries.set(id, entry)
      if (entries.size <= rowsMax) return
      for (const oldest of entries.keys()) {
        entries.delete(oldest)
        forgottenId = oldest
        break
      }
    },
    remove: (id) => void entries.delete(id),
    prune(oldestId) {
      if (forgottenId !== undefined && isBefore(forgottenId, oldestId)) forgottenId = undefined
      for (const id of entries.keys()) {
        if (!isBefore(id, oldestId)) break
        entries.delete(id)
      }
    },
    takeAll() {
      const all = [...entries.values()]
      entries.clear()
      return all
    },
    isClear(through) {
      if (forgottenId !== undefined) return false
      for (const { number } of entries.values()) if (number <= through) return false
      return true
    },
    get size() {
      return entries.size
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
