import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createDrainer } from '../src/ledger/journal-drainer.ts'
import type { Journal } from '../src/ledger/ports.ts'
import type { Database } from '../src/storage/database.ts'
import { openFileJournal } from '../src/storage/file-journal.ts'
import { createLedgerStore } from '../src/storage/ledger-store.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import { openRedis, untilReady } from '../src/storage/redis-connection.ts'
import { openRedisJournal } from '../src/storage/redis-journal.ts'
import { SILENT } from '../src/storage/storage-logger.ts'
import { startCommand } from './support/command.ts'
import { createDatabase, createDataDirectory, NO_POSTGRES, NO_REDIS, redisUrl } from './support/services.ts'

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
async function drainRest(journal: Journal, database: Database): Promise<void> {
  const fail = (error: unknown) => {
    throw error
  }
  const drainer = createDrainer({
    journal,
    store: createLedgerStore(database),
    batchRowsMax: 500,
    lingerMs: 1,
    pollMs: 1,
    closeMs: 10_000,
    onError: fail,
    onRefused: fail,
  })
  await vi.waitFor(() => expect(journal.waitingRows).toBe(0), { timeout: 10_000 })
  await drainer.close()
  await journal.close()
}

async function embedded() {
  const { folder, remove } = await createDataDirectory()
  undo.push(remove)
  return { address: folder, options: { dataDir: folder } }
}

async function postgres() {
  const database = await createDatabase()
  if (database === undefined) return undefined
  undo.push(database.drop)
  return { address: database.url, options: { url: database.url } }
}

async function files() {
  const directory = mkdtempSync(join(tmpdir(), 'gatehouse-journal-'))
  undo.push(() => rmSync(directory, { recursive: true, force: true }))
  return { address: directory, open: () => openFileJournal({ directory, logger: SILENT }) }
}

async function redis() {
  const url = await redisUrl()
  if (url === undefined) return undefined
  const namespace = `journal-${randomUUID()}`
  const connect = async () => {
    const redis = openRedis({ url, commandTimeoutMs: 5000, onError: () => undefined })
    await untilReady(redis, 5000)
    undo.push(() => redis.disconnect())
    return redis
  }
  const client = await connect()
  const wire = await connect()
  undo.push(() => client.del(`{${namespace}}:rows`, `{${namespace}}:facts`))
  return {
    address: `${url}#${namespace}`,
    open: () => openRedisJournal({ client, wire, logger: SILENT, namespace, takeoverMs: 1 }),
  }
}

const TARGETS = [
  { name: 'a journal of files and the embedded database', createJournal: files, createLedger: embedded },
  { name: 'a journal of files and PostgreSQL', createJournal: files, createLedger: postgres },
  { name: 'a journal in Redis and PostgreSQL', createJournal: redis, createLedger: postgres },
]

describe.each(TARGETS)('a process that is killed under load, with $name', (target) => {
  it(`leaves every confirmed row to the ledger exactly once, ${ROUNDS} times in a row`, async (test) => {
    const ledger = await target.createLedger()
    if (ledger === undefined) return test.skip(NO_POSTGRES)
    const place = await target.createJournal()
    if (place === undefined) return test.skip(NO_REDIS)
    const confirmed: string[] = []
    for (let round = 0; round < ROUNDS; round++) {
      confirmed.push(...(await killOne(round, place.address, ledger.address)))
    }
    const database = await openDatabase(ledger.options)
    undo.push(() => database.close())
    await drainRest(await place.open(), database)

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

const CALLS = 20

/** @returns ids of the calls of the ledger, as the control API tells them */
async function bookedCalls(url: string, admin: string): Promise<string[]> {
  const response = await fetch(`${url}/api/v1/requests?limit=200`, {
    headers: { authorization: `Bearer ${admin}` },
  })
  const { data } = (await response.json()) as { data: { id: string }[] }
  return data.map(({ id }) => id)
}

describe('a gateway that is killed', () => {
  it('has every call in its books at the next start that was in its journal', async () => {
    const home = mkdtempSync(join(tmpdir(), 'gatehouse-home-'))
    undo.push(() => rmSync(home, { recursive: true, force: true }))
    const serve = async () => {
      const command = startCommand(['serve', '--port', '0'], { cwd: home })
      undo.push(async () => {
        command.process.kill('SIGKILL')
        await command.ended
      })
      const [, url = ''] = await command.waitFor(/Gateway +(http:\S+)\/v1/)
      return { command, url }
    }
    const first = await serve()
    const [, key = ''] = await first.command.waitFor(/First key +(gh-\S+)/)
    const [, admin = ''] = await first.command.waitFor(/Admin key +(gha-\S+)/)
    const calls = Array.from({ length: CALLS }, async () => {
      const response = await fetch(`${first.url}/v1/chat/completions`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'sim/echo', messages: [{ role: 'user', content: 'one two' }] }),
      })
      await response.arrayBuffer()
      return response.headers.get('x-request-id') ?? ''
    })
    const ids = await Promise.all(calls)
    const folder = join(home, 'data', 'journal')
    const journaled = () =>
      readdirSync(folder)
        .filter((name) => name.endsWith('.journal'))
        .map((name) => readFileSync(join(folder, name), 'latin1'))
        .join('')
    // Within 10 ms, and so long before the ledger has them.
    await vi.waitFor(() => expect(ids.filter((id) => !journaled().includes(id))).toEqual([]), {
      interval: 1,
      timeout: 5000,
    })
    first.command.process.kill('SIGKILL')
    await first.command.ended

    const second = await serve()
    expect((await bookedCalls(second.url, admin)).toSorted()).toEqual(ids.toSorted())
    second.command.process.kill('SIGTERM')
    expect(await second.command.ended).toBe(0)
  }, 60_000)
})
