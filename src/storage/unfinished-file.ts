import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { LedgerRow, UnfinishedStore } from '../ledger/ports.ts'
import { decodeRow, encodeRow } from './journal-row.ts'

/**
 * Keeps the calls under way in one file of the journal's directory, whose lock keeps other processes out. Not synced:
 * it is for processes that are killed; what a power cut takes was never answered.
 */
export function openUnfinishedFile(directory: string): UnfinishedStore {
  const path = join(directory, 'unfinished.jsonl')
  return {
    async load() {
      const text = await readFile(path, 'utf8').catch(absent)
      return text
        .split('\n')
        .filter((line) => line !== '')
        .flatMap(readLine)
    },
    async save(rows) {
      await writeFile(`${path}.new`, rows.map((row) => `${encodeRow(row)}\n`).join(''), { mode: 0o600 })
      await rename(`${path}.new`, path)
    },
  }
}

function absent(error: unknown): string {
  if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
  throw error
}

/** What is damaged cannot be charged. */
function readLine(line: string): LedgerRow[] {
  try {
    return [decodeRow(line)]
  } catch {
    return []
  }
}
