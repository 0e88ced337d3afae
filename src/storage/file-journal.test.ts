import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { type JournalPlace, testJournal } from './conformance/journal-cases.ts'
import { openFileJournal } from './file-journal.ts'
import { SILENT } from './storage-logger.ts'

/** A directory that the death of a process leaves as it is: the next one gets a copy of it, while the last one lives. */
async function createPlace(): Promise<JournalPlace> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'))
  let directory = join(folder, '0')
  let copies = 0
  return {
    open: (options) => openFileJournal({ directory, logger: SILENT, gapMs: 1, windowRowsMax: 8, ...options }),
    async crash() {
      const copy = join(folder, String(++copies))
      cpSync(directory, copy, { recursive: true, filter: (path) => !path.endsWith('.lock') })
      directory = copy
    },
    remove: async () => rmSync(folder, { recursive: true, force: true }),
  }
}

describe('openFileJournal()', () => {
  testJournal(createPlace)
})
