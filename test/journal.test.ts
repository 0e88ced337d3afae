import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { createDrainer } from '../src/ledger/journal-drainer.ts'
import type { Database } from '../src/storage/database.ts'
import { openFileJournal } from '../src/storage/file-journal.ts'
import { createLedgerStore } from '../src/storage/ledger-store.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import { SILENT } from '../src/storage/storage-logger.ts'
import { createDatabase, createDataDirectory, NO_POSTGRES } from './support/services.ts'

const WRITER = fileURLToPath(new URL('./support/journal-writer.ts', import.meta.url))
const ROUNDS = 20

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

/** @returns when to kill: by turns while the ledger is not open yet, and in the midst of its commits */
function moment(round: number): { readonly confirmed: number } | { readonly commits: number } {
  if (round % 2 === 0) return { confirmed: 1 + Math.floor(Math.random() * 200) }
  return { commits: 1 + Math.floor(Math.random() * 8) }
}

/** Lets a process write until the moment has come, and kills it. @returns the ids that it had confirmed */
async function killOne(round: number, directory: string, database: string): Promise<string[]> {
  const writer = spawn(process.execPath, [WRITER, String(round), directory, database], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => writer.once('exit', resolve))
  const when = moment(round)
  const confirmed: string[] = []
  const problems: string[] = []
  let commits = 0
  for await (const line of createInterface({ input: writer.stdout })) {
    if (line.startsWith('+ ')) confirmed.push(line.slice(2))
    else if (line.startsWith('= ')) commits++
    else if (line.startsWith('! ')) problems.push(line)
    if ('commits' in when ? commits >= when.commits : confirmed.length >= when.confirmed)
      writer.kill('SIGKILL')
  }
  await ended
  expect(problems).toEqual([])
  expect(writer.signalCode).toBe('SIGKILL')
  return confirmed
}

/** Brings to the ledger what the last process left. */
async function drainRest(directory: string, database: Database): Promise<void> {
  const journal = await openFileJournal({ directory, logger: SILENT })
  const fail = (error: unknown) => {
    throw error
  }
  const drainer = createDrainer({
    journal,
    store: createLedgerStore(database),
    batchRowsMax: 500,
    lingerMs: 1,
    closeMs: 10_000,
    onError: fail,
    onRefused: fail,
  })
  await drainer.flush()
  await drainer.close()
  await journal.close()
  expect(journal.waitingRows).toBe(0)
}

const TARGETS = [
  {
    name: 'embedded database',
    async create() {
      const { folder, remove } = await createDataDirectory()
      undo.push(remove)
      return { address: folder, options: { dataDir: folder } }
    },
  },
  {
    name: 'PostgreSQL',
    async create() {
      const database = await createDatabase()
      if (database === undefined) return undefined
      undo.push(database.drop)
      return { address: database.url, options: { url: database.url } }
    },
  },
]

describe.each(TARGETS)('a process that is killed under load, $name', ({ create }) => {
  it(`leaves every confirmed row to the ledger exactly once, ${ROUNDS} times in a row`, async (test) => {
    const target = await create()
    if (target === undefined) return test.skip(NO_POSTGRES)
    const directory = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'))
    undo.push(() => rmSync(directory, { recursive: true, force: true }))
    const confirmed: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      confirmed.push(...(await killOne(round, directory, target.address)))
    }
    const database = await openDatabase(target.options)
    undo.push(() => database.close())
    await drainRest(directory, database)

    const { rows } = await database.query<{ id: string }>('SELECT id FROM ledger')
    const ids = new Set(rows.map(({ id }) => id))
    expect(rows.length).toBe(ids.size)
    expect(confirmed.length).toBeGreaterThan(ROUNDS)
    expect(confirmed.filter((id) => !ids.has(id))).toEqual([])
    // The sums changed with the rows, once each.
    const { rows: sums } = await database.query<{ requests: number }>(
      'SELECT sum(requests)::int8 AS requests FROM usage_hourly',
    )
    expect(sums[0]?.requests).toBe(rows.length)
  }, 240_000)
})
