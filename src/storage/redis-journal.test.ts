import { randomUUID } from 'node:crypto'
import { Redis } from 'ioredis'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { NO_REDIS, redisUrl } from '../../test/support/services.ts'
import type { Journal } from '../ledger/ports.ts'
import { type JournalPlace, testJournal } from './conformance/journal-cases.ts'
import { ledgerRow } from './ledger-row-fixture.ts'
import { openRedis } from './redis-connection.ts'
import { openRedisJournal, type RedisJournalOptions } from './redis-journal.ts'
import { TIDY } from './redis-journal-scripts.ts'
import { runScript } from './redis-script.ts'
import type { StorageLogger } from './storage-logger.ts'

const url = await redisUrl()

let logged: string[] = []
const logger: StorageLogger = {
  info: (_, message) => void logged.push(message),
  warn: (_, message) => void logged.push(message),
  error: (_, message) => void logged.push(message),
}

/** A namespace of a Redis, and replicas that come and go. */
async function createReplicas() {
  const namespace = `journal-${randomUUID()}`
  const admin = new Redis(url ?? '')
  const replicas = new Map<Journal, { readonly client: Redis; readonly wire: Redis }>()
  const connect = async () => {
    const redis = openRedis({ url: url ?? '', commandTimeoutMs: 5000, onError: () => undefined })
    await new Promise<void>((resolve) => redis.once('ready', resolve))
    return redis
  }
  const keys = {
    rows: `{${namespace}}:rows`,
    facts: `{${namespace}}:facts`,
    refused: `{${namespace}}:refused`,
  }
  function connectionsOf(journal: Journal) {
    const connections = replicas.get(journal)
    if (connections === undefined) throw new Error('This is no replica.')
    return connections
  }
  return {
    admin,
    keys,
    async open(options: Partial<RedisJournalOptions> = {}): Promise<Journal> {
      const client = await connect()
      const wire = await connect()
      const journal = await openRedisJournal({ client, wire, logger, namespace, takeoverMs: 0, ...options })
      replicas.set(journal, { client, wire })
      return journal
    },
    connectionsOf,
    /** Its connections end, as with the death of a process. */
    async crash(journal: Journal): Promise<void> {
      await disconnect(connectionsOf(journal))
    },
    async remove(): Promise<void> {
      for (const [journal, { client, wire }] of replicas) {
        await journal.close().catch(() => undefined)
        client.disconnect()
        wire.disconnect()
      }
      await admin.del(keys.rows, keys.facts, keys.refused)
      admin.disconnect()
    },
  }
}

describe.skipIf(url === undefined)(`openRedisJournal()${url === undefined ? `: ${NO_REDIS}` : ''}`, () => {
  testJournal(async (): Promise<JournalPlace> => createReplicas())
})

describe.skipIf(url === undefined)('openRedisJournal() among replicas', () => {
  let replicas: Awaited<ReturnType<typeof createReplicas>>
  afterEach(async () => {
    await replicas.remove()
    logged = []
  })

  it('gives each row to one of them', async () => {
    replicas = await createReplicas()
    const one = await replicas.open({ takeoverMs: 60_000 })
    const other = await replicas.open({ takeoverMs: 60_000 })
    const ids = append(one, 1, 20)
    await one.appended()
    const got: string[][] = [[], []]
    while ((await take(one, got[0], 3)) + (await take(other, got[1], 3)) > 0);
    expect(got[0]?.length).toBeGreaterThan(0)
    expect(got[1]?.length).toBeGreaterThan(0)
    expect(got.flat().sort()).toEqual(ids.toSorted())
    expect(one.bytes).toBe(0)
  })

  it('gives rows that a dead one had in hand to another, and then forgets the dead one', async () => {
    replicas = await createReplicas()
    const dead = await replicas.open()
    const ids = append(dead, 1, 10)
    await dead.appended()
    await expect(dead.drain(() => Promise.reject(new Error('away')), 6)).rejects.toThrow('away')
    await replicas.crash(dead)
    const heir = await replicas.open({ takeoverMs: 20 })
    const got: string[] = []
    while (got.length < ids.length) await take(heir, got)
    expect(got.toSorted()).toEqual(ids.toSorted())
    expect(await replicas.admin.xlen(replicas.keys.rows)).toBe(0)
    expect(
      await runScript(replicas.admin, TIDY, [replicas.keys.rows, replicas.keys.facts], ['ledger', '-1']),
    ).toBe(2)
    expect(Object.keys(await replicas.admin.hgetall(replicas.keys.facts)).sort()).toEqual([
      'bytes',
      'generation',
    ])
  })

  it('drained() waits for rows that another one has in hand', async () => {
    replicas = await createReplicas()
    const one = await replicas.open({ takeoverMs: 60_000 })
    const other = await replicas.open({ takeoverMs: 60_000 })
    append(one, 1, 5)
    await one.appended()
    let drained = false
    const waiting = one.drained().then(() => {
      drained = true
    })
    await other.drain(async () => {
      expect(await take(one)).toBe(0)
      expect(one.waitingRows).toBe(5)
      expect(drained).toBe(false)
    }, 10)
    expect(await take(one)).toBe(0)
    await waiting
    expect(one.waitingRows).toBe(0)
  })

  it('writes rows again that Redis has forgotten, as soon as it notices', async () => {
    for (const notices of ['append', 'drain'] as const) {
      replicas = await createReplicas()
      const journal = await replicas.open()
      const ids = append(journal, 1, 5)
      await journal.appended()
      await replicas.admin.del(replicas.keys.rows, replicas.keys.facts)
      const got: string[] = []
      if (notices === 'append') ids.push(...append(journal, 6, 6))
      else await take(journal, got)
      const drained = journal.drained()
      await journal.appended()
      while (got.length < ids.length) await take(journal, got)
      await drained
      expect(got.toSorted()).toEqual(ids.toSorted())
      expect(logged).toContain('Redis has lost the journal: what this process knows of it is written again')
      if (notices === 'append') await replicas.remove()
    }
  })

  it('writes rows again after a connection was lost: Redis may have come back older', async () => {
    replicas = await createReplicas()
    const journal = await replicas.open()
    const { client } = replicas.connectionsOf(journal)
    const ids = append(journal, 1, 5)
    await journal.appended()
    const [, second = ['']] = await replicas.admin.xrange(replicas.keys.rows, '-', '+')
    await replicas.admin.xdel(replicas.keys.rows, second[0])
    await reconnect(client)
    const drained = journal.drained()
    const got = new Set<string>()
    while (got.size < ids.length) {
      const batch: string[] = []
      await take(journal, batch)
      for (const id of batch) got.add(id)
    }
    await drained
    expect([...got].sort()).toEqual(ids)
  })

  it('keeps a bounded number of rows in memory for that', async () => {
    replicas = await createReplicas()
    const journal = await replicas.open({ retainedRowsMax: 3 })
    const ids = append(journal, 1, 10)
    await journal.appended()
    await replicas.admin.del(replicas.keys.rows, replicas.keys.facts)
    const got: string[] = []
    await take(journal, got)
    await journal.appended()
    await take(journal, got)
    expect(got).toEqual(ids.slice(-3))
  })

  it('hands rows to the ledger from memory while Redis is away, and refuses calls only when both are', async () => {
    replicas = await createReplicas()
    const journal = await replicas.open({ unwrittenRowsMax: 10 })
    const { client, wire } = replicas.connectionsOf(journal)
    const ids = append(journal, 1, 3)
    await journal.appended()
    await disconnect({ client, wire })
    ids.push(...append(journal, 4, 8))
    await expect(journal.appended()).rejects.toMatchObject({ code: 'storage_unavailable' })
    expect(journal.hasRoom).toBe(true)
    const got: string[] = []
    while ((await take(journal, got, 3).catch(() => 0)) > 0);
    expect(got).toEqual(ids)
    await journal.drained()

    const more = append(journal, 9, 20)
    expect(journal.hasRoom).toBe(false)
    await Promise.all([client.connect(), wire.connect()])
    await untilWritten(journal)
    expect(journal.hasRoom).toBe(true)
    const late = new Set<string>()
    while ((await take(journal, got)) > 0);
    for (const id of got.slice(ids.length)) late.add(id)
    // Rows that the ledger has, and that Redis still had, may come once more.
    expect([...late].filter((id) => !ids.includes(id))).toEqual(more)
  })

  it('tells Redis later what it could not tell at once, and delivers nothing twice', async () => {
    replicas = await createReplicas()
    const journal = await replicas.open({ takeoverMs: 60_000 })
    const { client } = replicas.connectionsOf(journal)
    append(journal, 1, 5)
    await journal.appended()
    const got: string[] = []
    await journal.drain(async (rows) => {
      got.push(...rows.map(({ id }) => id))
      vi.spyOn(client, 'evalsha').mockRejectedValueOnce(new Error('Connection is closed.'))
    }, 10)
    expect(logged).toContain('the journal in Redis could not be told what the ledger has')
    expect(await replicas.admin.xlen(replicas.keys.rows)).toBe(5)
    expect(await take(journal, got)).toBe(0)
    expect(await replicas.admin.xlen(replicas.keys.rows)).toBe(0)
    expect(got.length).toBe(5)
    expect(journal.bytes).toBe(0)
  })

  it('keeps aside what is no row, and goes on', async () => {
    replicas = await createReplicas()
    const journal = await replicas.open()
    await replicas.admin.xadd(replicas.keys.rows, '*', 'row', '{"no":"row"}')
    append(journal, 1, 2)
    await journal.appended()
    const got: string[] = []
    await take(journal, got)
    expect(got).toEqual(['row-1', 'row-2'])
    expect(await replicas.admin.xlen(replicas.keys.rows)).toBe(0)
    const [entry] = await replicas.admin.xrange(replicas.keys.refused, '-', '+')
    expect(entry?.[1]).toEqual(['row', '{"no":"row"}', 'reason', 'damaged'])
  })

  it('opens while Redis is away, and has what waits there once it is back', async () => {
    replicas = await createReplicas()
    const first = await replicas.open()
    const ids = append(first, 1, 3)
    await first.close()
    const client = openRedis({ url: url ?? '', onError: () => undefined })
    client.disconnect()
    const journal = await replicas.open({ client })
    expect(logged).toContain('the journal in Redis cannot be reached; rows are kept in memory until it can')
    await expect(take(journal)).rejects.toBeInstanceOf(Error)
    await client.connect()
    const got: string[] = []
    await take(journal, got)
    expect(got).toEqual(ids)
    await journal.close()
    client.disconnect()
  })
})

async function disconnect({ client, wire }: { readonly client: Redis; readonly wire: Redis }): Promise<void> {
  for (const redis of [client, wire]) {
    const closed = new Promise<void>((resolve) => redis.once('close', resolve))
    redis.disconnect()
    await closed
  }
}

/** Ends the connection of a client, and waits for the next one. */
async function reconnect(client: Redis): Promise<void> {
  const closed = new Promise<void>((resolve) => client.once('close', resolve))
  client.disconnect()
  await closed
  await client.connect()
}

async function untilWritten(journal: Journal): Promise<void> {
  const written = () =>
    journal.appended().then(
      () => true,
      () => false,
    )
  while (!(await written())) await new Promise(setImmediate)
}

function append(journal: Journal, from: number, to: number): string[] {
  const ids = Array.from({ length: to - from + 1 }, (_, index) => `row-${from + index}`)
  for (const id of ids) journal.append(ledgerRow({ id }))
  return ids
}

function take(journal: Journal, into: string[] = [], rowsMax = 100): Promise<number> {
  return journal.drain(async (rows) => void into.push(...rows.map(({ id }) => id)), rowsMax)
}
