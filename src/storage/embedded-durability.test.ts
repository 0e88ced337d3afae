import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Worker } from 'node:worker_threads'
import { afterEach, describe, expect, it } from 'vitest'
import { createDataDirectory, type TestDataDirectory } from '../../test/support/services.ts'
import type { Database } from './database.ts'
import { openEmbeddedDatabase } from './embedded-database.ts'
import { createPgliteWorker } from './embedded-engine.ts'
import { createIdentityStore } from './identity-store.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { createLedgerStore } from './ledger-store.ts'
import { migrate } from './migrate.ts'
import { openDatabase } from './open-database.ts'
import { SILENT } from './storage-logger.ts'

const WRITER = fileURLToPath(new URL('../../test/support/ledger-writer.ts', import.meta.url))
const ACKNOWLEDGED = 25

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step()
})

async function dataDirectory(): Promise<TestDataDirectory> {
  const directory = await createDataDirectory()
  undo.push(directory.remove)
  return directory
}

async function open(folder: string): Promise<Database> {
  const database = await openDatabase({ dataDir: folder })
  undo.push(() => database.close())
  return database
}

/** Runs a process to its end. @returns its id, which nobody has any more */
async function finishedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' })
  await new Promise((resolve) => child.once('exit', resolve))
  return child.pid ?? 0
}

describe('openDatabase() on a data directory', () => {
  it('openDatabase() refuses a data directory that is open, in one sentence', async () => {
    const { folder } = await dataDirectory()
    await open(folder)
    await expect(openDatabase({ dataDir: folder })).rejects.toMatchObject({
      code: 'conflict',
      message: `The data directory is in use by process ${process.pid} on host ${hostname()}: stop that one, or choose another with GATEHOUSE_DATA_DIR.`,
    })
  })

  it('openDatabase() takes over the lock of a process that is gone', async () => {
    const { folder } = await dataDirectory()
    const dead = { token: 'x', pid: await finishedProcess(), host: hostname(), started: '1' }
    writeFileSync(join(folder, 'database.lock'), JSON.stringify(dead))
    const database = await open(folder)
    expect((await database.query('SELECT 1 AS one')).rows).toEqual([{ one: 1 }])
  })

  it('openDatabase() takes over the lock of an earlier process with the same id', async () => {
    const { folder } = await dataDirectory()
    const earlier = { token: 'x', pid: process.pid, host: hostname(), started: '1' }
    writeFileSync(join(folder, 'database.lock'), JSON.stringify(earlier))
    await open(folder)
    expect(JSON.parse(readFileSync(join(folder, 'database.lock'), 'utf8'))).not.toMatchObject({ token: 'x' })
  })

  it('openDatabase() takes over a lock that was cut off while it was written', async () => {
    const { folder } = await dataDirectory()
    writeFileSync(join(folder, 'database.lock'), '{"tok')
    await open(folder)
  })

  it('close() leaves no lock', async () => {
    const { folder } = await dataDirectory()
    const first = await openDatabase({ dataDir: folder })
    await first.close()
    await open(folder)
  })

  it('openDatabase() begins anew where making the database was cut off', async () => {
    const { folder } = await dataDirectory()
    const fresh = join(folder, 'fresh')
    mkdirSync(join(fresh, 'database.unfinished'), { recursive: true })
    writeFileSync(join(fresh, 'database.unfinished', 'PG_VERSION'), '18\n')
    const database = await open(fresh)
    expect(await migrate(database)).not.toEqual([])
  })

  it('every acknowledged row is there after kill -9', async () => {
    const { folder } = await dataDirectory()
    const writer = spawn(process.execPath, [WRITER, folder], { stdio: ['ignore', 'pipe', 'inherit'] })
    const ended = new Promise((resolve) => writer.once('exit', resolve))
    const acknowledged: string[] = []
    for await (const id of createInterface({ input: writer.stdout })) {
      acknowledged.push(id)
      if (acknowledged.length === ACKNOWLEDGED) writer.kill('SIGKILL')
    }
    await ended
    expect(acknowledged.length).toBeGreaterThanOrEqual(ACKNOWLEDGED)
    const database = await open(folder)
    const { rows } = await database.query<{ id: string }>('SELECT id FROM ledger')
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([...rows.map(({ id }) => id), ...acknowledged]))
    const { rows: sums } = await database.query(
      'SELECT sum(requests)::int8 AS requests, (SELECT count(*) FROM ledger) AS rows FROM usage_hourly',
    )
    expect(sums[0]?.requests).toBe(sums[0]?.rows)
  }, 30_000)
})

describe('embedded database', () => {
  it('a dead thread costs the calls under way, and the next one gets another thread', async () => {
    const { folder } = await dataDirectory()
    const workers: Worker[] = []
    const database = await openEmbeddedDatabase(folder, SILENT, (options) => {
      const worker = createPgliteWorker(options)
      workers.push(worker)
      return worker
    })
    undo.push(() => database.close())
    const store = createLedgerStore(database)
    await store.write([ledgerRow({ id: 'before' })])
    let reloaded = () => {}
    const reload = new Promise<void>((resolve) => {
      reloaded = resolve
    })
    const stop = await createIdentityStore(database).watchKeys({ onKey: () => {}, onReload: reloaded })

    const underWay = database.query('SELECT count(*) FROM generate_series(1, 100000000)')
    const failed = expect(underWay).rejects.toMatchObject({ code: 'storage_unavailable' })
    await database.health(AbortSignal.timeout(1)).catch(() => {})
    await workers[0]?.terminate()
    await failed

    expect(await store.findRequest('req-before')).toHaveLength(1)
    await reload
    expect(workers).toHaveLength(2)
    await stop()
  })

  it('has pgvector', async () => {
    const { folder } = await dataDirectory()
    const database = await open(folder)
    await database.query('CREATE EXTENSION vector')
    const { rows } = await database.query(`SELECT '[1,2]'::vector <-> '[1,4]'::vector AS distance`)
    expect(rows).toEqual([{ distance: 2 }])
  })

  it('openDatabase() without a directory keeps everything in memory', async () => {
    const database = await openDatabase({})
    undo.push(() => database.close())
    await migrate(database)
    await createLedgerStore(database).write([ledgerRow({ id: 'volatile' })])
    expect(await createLedgerStore(database).findRequest('req-volatile')).toHaveLength(1)
  })

  it('close() may be called twice, and what comes later is refused', async () => {
    const { folder } = await dataDirectory()
    const database = await openDatabase({ dataDir: folder })
    await Promise.all([database.close(), database.close()])
    await expect(database.query('SELECT 1')).rejects.toMatchObject({ code: 'storage_unavailable' })
  })
})
