import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { createDrainer } from '../src/ledger/journal-drainer.ts'
import type { Journal } from '../src/ledger/ports.ts'
import { createSimulator } from '../src/simulator/server.ts'
import type { Database } from '../src/storage/database.ts'
import { openFileJournal } from '../src/storage/file-journal.ts'
import { createLedgerStore } from '../src/storage/ledger-store.ts'
import { openDatabase } from '../src/storage/open-database.ts'
import { openRedis, untilReady } from '../src/storage/redis-connection.ts'
import { openRedisJournal } from '../src/storage/redis-journal.ts'
import { SILENT } from '../src/storage/storage-logger.ts'
import { startCommand } from './support/command.ts'
import type { ProcessSettings } from './support/gateway-process.ts'
import { startLoad } from './support/kill-load.ts'
import { createDatabase, createDataDirectory, NO_POSTGRES, NO_REDIS, redisUrl } from './support/services.ts'

const WRITER = fileURLToPath(new URL('./support/journal-writer.ts', import.meta.url))
const GATEWAY = fileURLToPath(new URL('./support/gateway-process.ts', import.meta.url))
/** Of a writer, which is killed as often as that. */
const WRITER_ROUNDS = 3
/** Of a whole gateway. */
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
  return {
    address: directory,
    settings: { directory },
    open: () => openFileJournal({ directory, logger: SILENT }),
  }
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
    settings: { redisUrl: url, namespace },
    open: () => openRedisJournal({ client, wire, logger: SILENT, namespace, takeoverMs: 1 }),
  }
}

const TARGETS = [
  { name: 'a journal of files and the embedded database', createJournal: files, createLedger: embedded },
  { name: 'a journal of files and PostgreSQL', createJournal: files, createLedger: postgres },
  { name: 'a journal in Redis and PostgreSQL', createJournal: redis, createLedger: postgres },
]

describe.each(TARGETS)('a process that is killed under load, with $name', (target) => {
  it(`leaves every row that was handed over to the ledger exactly once, ${WRITER_ROUNDS} times in a row`, async (test) => {
    const ledger = await target.createLedger()
    if (ledger === undefined) return test.skip(NO_POSTGRES)
    const place = await target.createJournal()
    if (place === undefined) return test.skip(NO_REDIS)
    const confirmed: string[] = []
    for (let round = 0; round < WRITER_ROUNDS; round++) {
      confirmed.push(...(await killOne(round, place.address, ledger.address)))
    }
    const database = await openDatabase(ledger.options)
    undo.push(() => database.close())
    await drainRest(await place.open(), database)

    const { rows } = await database.query<{ id: string }>('SELECT id FROM ledger')
    const ids = new Set(rows.map(({ id }) => id))
    expect(rows.length).toBe(ids.size)
    expect(confirmed.length).toBeGreaterThan(WRITER_ROUNDS)
    expect(confirmed.filter((id) => !ids.has(id))).toEqual([])
    // The sums changed with the rows, once each.
    const { rows: sums } = await database.query<{ requests: number }>(
      'SELECT sum(requests)::int8 AS requests FROM usage_hourly',
    )
    expect(sums[0]?.requests).toBe(rows.length)
  }, 240_000)
})

/** Compiled once for all processes. */
let cache = ''
beforeAll(() => {
  cache = mkdtempSync(join(tmpdir(), 'gatehouse-cache-'))
})
afterAll(() => rmSync(cache, { recursive: true, force: true }))

/** A gateway in a process of its own, which has opened nothing yet. */
function loadGateway(settings: ProcessSettings) {
  const child = spawn(process.execPath, [GATEWAY, JSON.stringify(settings)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, NODE_COMPILE_CACHE: cache },
  })
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  undo.push(() => void child.kill('SIGKILL'))
  const problems: string[] = []
  const ready = Promise.withResolvers<{ readonly url: string; readonly key: string }>()
  ready.promise.catch(() => undefined)
  createInterface({ input: child.stdout })
    .on('line', (line) => {
      const [word, url = '', key = ''] = line.split(' ')
      if (word === 'ready') ready.resolve({ url, key })
      else if (word === '!' && line.includes('journal')) problems.push(line)
    })
    .once('close', () => ready.reject(new Error(`It never was ready. ${problems}`)))
  return {
    problems,
    ended,
    open() {
      child.stdin.write('go\n')
      return ready.promise
    },
    kill: () => void child.kill('SIGKILL'),
  }
}

describe.each(TARGETS)('a gateway that is killed under load, with $name', (target) => {
  it(`has every call in its books that a client saw answered, ${ROUNDS} times in a row`, async (test) => {
    const ledger = await target.createLedger()
    if (ledger === undefined) return test.skip(NO_POSTGRES)
    const place = await target.createJournal()
    if (place === undefined) return test.skip(NO_REDIS)
    const simulator = createSimulator()
    const { url: simulatorUrl } = await simulator.listen()
    undo.push(() => simulator.close())
    const settings = { simulatorUrl, database: ledger.options, journal: place.settings }

    const answered = new Map<string, string[]>()
    let key = ''
    let next = loadGateway(settings)
    for (let round = 0; round < ROUNDS; round++) {
      const gateway = next
      const opened = await gateway.open()
      if (opened.key !== '') key = opened.key
      const callsMax = 1 + Math.floor(Math.random() * 30)
      const load = startLoad(opened.url, key, (calls) => {
        if (calls === callsMax) gateway.kill()
      })
      next = loadGateway(settings)
      await load.ended
      await gateway.ended
      expect(gateway.problems).toEqual([])
      for (const [kind, ids] of load.answered) answered.set(kind, [...(answered.get(kind) ?? []), ...ids])
    }
    next.kill()
    await next.ended
    const database = await openDatabase(ledger.options)
    undo.push(() => database.close())
    await drainRest(await place.open(), database)

    const { rows } = await database.query<{ request_id: string; rows: number }>(
      'SELECT request_id, count(*)::int8 AS rows FROM ledger WHERE final GROUP BY request_id',
    )
    const booked = new Map(rows.map(({ request_id, rows }) => [request_id, rows]))
    for (const [kind, ids] of answered) {
      expect(ids.length, kind).toBeGreaterThan(0)
      expect(
        ids.filter((id) => booked.get(id) !== 1),
        kind,
      ).toEqual([])
    }
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
  it('has every call in its books at the next start that was answered', async () => {
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
    first.command.process.kill('SIGKILL')
    await first.command.ended

    const second = await serve()
    expect((await bookedCalls(second.url, admin)).toSorted()).toEqual(ids.toSorted())
    second.command.process.kill('SIGTERM')
    expect(await second.command.ended).toBe(0)
  }, 60_000)
})
