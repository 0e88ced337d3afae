import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Redis } from 'ioredis'
import { expect, type TestContext } from 'vitest'
import { parseConfig } from '../../src/config/load.ts'
import type { ConfigInput } from '../../src/config/schema/config-schema.ts'
import { systemClock } from '../../src/core/clock.ts'
import { createGateway, type Gateway } from '../../src/gateway.ts'
import { createServer } from '../../src/http/server.ts'
import { prepareFirstStart } from '../../src/identity/first-start.ts'
import { metersOf } from '../../src/limits/meters.ts'
import { type Budget, type Limits, ORGANIZATION, type Subject } from '../../src/limits/policy.ts'
import type { MeterState } from '../../src/limits/ports.ts'
import type { Exchange } from '../../src/pipeline/exchange.ts'
import { KINDS } from '../../src/providers/kinds.ts'
import { createSimulator, type Simulator } from '../../src/simulator/server.ts'
import type { Database } from '../../src/storage/database.ts'
import { openDatabase } from '../../src/storage/open-database.ts'
import { openJournal } from '../../src/storage/open-journal.ts'
import { launchRedis, type RedisServer } from '../../src/storage/redis-server-fixture.ts'
import { openRedisCounters } from '../../src/storage/redis-stores.ts'
import type { Logger } from '../../src/telemetry/logger.ts'
import { createDatabase, NO_POSTGRES, NO_REDIS } from '../support/services.ts'

/** 200 tokens at 1 $/M and 50 at 4 $/M. */
export const CALL_NANO_USD = 400_000
export const MODEL = 'openai/fixed-200-50'
export const PRICES = { overrides: { [MODEL]: { inputPerMillionUsd: 1, outputPerMillionUsd: 4 } } }
/** All replicas, their clients and their provider share two cores here: how long Redis takes is not what is tested. */
const PATIENT_MS = 10_000

export interface ReplicasOptions {
  /** 2 by default. */
  readonly count?: number
  readonly config?: ConfigInput
  /** How long a call may wait for Redis. */
  readonly commandTimeoutMs?: number
  /** Where usage waits for the database. */
  readonly journal?: 'file' | 'redis'
}

export interface Answer {
  readonly status: number
  readonly code: string | undefined
  readonly id: string
  readonly text: string
}

export interface Replica {
  readonly url: string
  readonly gateway: Gateway
  /** Waits for the calls that are under way, and for their rows. */
  flush(): Promise<void>
  close(): Promise<void>
}

/** Gateways that share one PostgreSQL and one Redis of their own, with the simulator as their provider. */
export interface Replicas {
  readonly all: readonly Replica[]
  readonly key: string
  readonly organizationId: string
  readonly simulator: Simulator
  readonly server: RedisServer
  /** A client of ours, as somebody with `redis-cli` has it. */
  readonly redis: Redis
  readonly database: Database
  /** What replicas logged as errors. */
  readonly errors: readonly string[]
  post(
    replica: number,
    body?: object,
    headers?: Record<string, string>,
    signal?: AbortSignal,
  ): Promise<Response>
  send(replica: number, body?: object, headers?: Record<string, string>): Promise<Answer>
  /** Sets a budget and waits until it is in force everywhere. */
  budget(subject: Subject, change: Partial<Budget>): Promise<void>
  limit(subject: Subject, change: Partial<Limits>): Promise<void>
  /** @returns nano-dollars of all rows, once every call that has ended stands in the ledger */
  spent(): Promise<number>
  /** @returns how many final rows each call has */
  rowsOf(): Promise<ReadonlyMap<string, number>>
  /** @returns the states of what is set on a subject, by the name of their meter */
  states(subject?: Subject): Promise<ReadonlyMap<string, MeterState>>
  close(): Promise<void>
}

/** Skips the test where PostgreSQL or Redis is not installed. */
export async function startReplicas(
  test: Pick<TestContext, 'skip'>,
  options: ReplicasOptions = {},
): Promise<Replicas> {
  const place = await createDatabase()
  if (place === undefined) return test.skip(NO_POSTGRES)
  const server = await launchRedis(['--appendonly', 'no'])
  if (server === undefined) {
    await place.drop()
    return test.skip(NO_REDIS)
  }
  const simulator = createSimulator()
  const { url: simulatorUrl } = await simulator.listen()
  const database = await openDatabase({ url: place.url })
  const redis = new Redis(server.url, { lazyConnect: true, retryStrategy: () => 50 })
  redis.on('error', () => undefined)
  await redis.connect()
  const errors: string[] = []
  const note = (fields: object, message: string) => void errors.push(`${message} ${describe(fields)}`)
  const logger: Logger = { debug() {}, info() {}, warn() {}, error: note }
  const config = {
    prices: PRICES,
    ...options.config,
    server: { host: '127.0.0.1', port: 0, adminKey: 'an-admin-key-for-tests-only-0000' },
    providers: { openai: { kind: 'openai', baseUrl: `${simulatorUrl}/v1`, apiKey: 'test' } },
    storage: {
      database: place.url,
      redis: server.url,
      redisCommandTimeoutMs: options.commandTimeoutMs ?? PATIENT_MS,
      journal: options.journal ?? 'file',
    },
  } satisfies ConfigInput
  const all: Replica[] = []
  let key = ''
  for (let index = 0; index < (options.count ?? 2); index++) {
    const replica = await startReplica(config, logger)
    all.push(replica)
    key ||= (await prepareFirstStart(replica.gateway.identityStore, replica.gateway.organizations)) ?? ''
  }
  const { gateway } = at(all, 0)
  const organizationId = (await gateway.identityStore.findOrganization('default'))?.id ?? ''
  await inForce()

  /** Waits until every replica goes by what is written. */
  async function inForce(): Promise<void> {
    const written = JSON.stringify(await gateway.policyStore.list(organizationId))
    for (const { gateway } of all) {
      await until(() => {
        const known = [...gateway.book.ofOrganization(organizationId)].map(({ policy }) => policy)
        return JSON.stringify(known) === written
      }, 'a change is in force on all replicas')
    }
  }

  async function post(
    replica: number,
    body: object = {},
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<Response> {
    return fetch(`${at(all, replica).url}/v1/chat/completions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ model: MODEL, messages: [{ role: 'user', content: 'How many?' }], ...body }),
      ...(signal === undefined ? {} : { signal }),
    })
  }

  const flush = async () => {
    await Promise.all(all.map((replica) => replica.flush()))
  }

  return {
    all,
    key,
    organizationId,
    simulator,
    server,
    redis,
    database,
    errors,
    post,
    async send(replica, body, headers) {
      const response = await post(replica, body, headers)
      const text = await response.text()
      const code = response.ok ? undefined : (JSON.parse(text) as { error: { code: string } }).error.code
      return { status: response.status, code, id: response.headers.get('x-request-id') ?? '', text }
    },
    async budget(subject, change) {
      await gateway.policyStore.putBudget(organizationId, subject, change)
      await inForce()
    },
    async limit(subject, change) {
      await gateway.policyStore.putLimits(organizationId, subject, change)
      await inForce()
    },
    async spent() {
      await flush()
      const { rows } = await database.query<{ sum: string | null }>(
        'SELECT sum(cost_nano_usd)::text AS sum FROM ledger',
      )
      return Number(rows[0]?.sum ?? 0)
    },
    async rowsOf() {
      await flush()
      const { rows } = await database.query<{ request_id: string; rows: number }>(
        'SELECT request_id, count(*)::int8 AS rows FROM ledger WHERE final GROUP BY request_id',
      )
      return new Map(rows.map(({ request_id, rows }) => [request_id, rows]))
    },
    async states(subject = ORGANIZATION) {
      const policy = await gateway.policyStore.find(organizationId, subject)
      if (policy === undefined) return new Map()
      const meters = metersOf(policy, Date.now())
      const states = await gateway.counters.read(organizationId, meters)
      return new Map(states.map((state) => [state.id, state]))
    },
    async close() {
      for (const replica of all) await replica.close()
      redis.disconnect()
      await database.close()
      await server.remove()
      await simulator.close()
      await place.drop()
    },
  }
}

async function startReplica(input: ConfigInput, logger: Logger): Promise<Replica> {
  const dataDir = mkdtempSync(join(tmpdir(), 'gatehouse-replica-'))
  const config = parseConfig(
    { ...input, storage: { ...input.storage, dataDir } },
    { knownKinds: [...KINDS.keys()] },
  )
  const { storage } = config
  if (storage.database === 'embedded' || storage.redis === 'none') throw new Error('A replica shares stores.')
  const database = await openDatabase({ url: storage.database.reveal() })
  const journal = await openJournal(storage, logger)
  const opened = await openRedisCounters({
    url: storage.redis.reveal(),
    logger: { ...logger, error() {} },
    clock: systemClock,
    required: true,
    commandTimeoutMs: storage.redisCommandTimeoutMs,
  })
  const gateway = await createGateway({ config, database, journal, counters: opened.counters, logger })
  const underWay = new Set<Exchange>()
  gateway.events.on('request', (exchange) => underWay.add(exchange))
  gateway.events.on('settled', (exchange) => underWay.delete(exchange))
  const server = await createServer(gateway)
  const url = await server.listen()
  let isOpen = true
  return {
    url,
    gateway,
    async flush() {
      if (!isOpen) return
      while (underWay.size > 0) await once(gateway.events, 'settled')
      await gateway.flushLedger()
    },
    async close() {
      if (!isOpen) return
      isOpen = false
      await server.close()
      await gateway.close()
      await opened.close()
      await journal.close()
      await database.close()
      rmSync(dataDir, { recursive: true, force: true })
    },
  }
}

/** @returns once it is so; looks every 20 ms */
export async function until(
  isSo: () => boolean | Promise<boolean>,
  what: string,
  timeoutMs = 10_000,
): Promise<void> {
  const endMs = performance.now() + timeoutMs
  while (!(await isSo())) {
    if (performance.now() > endMs) throw new Error(`It did not come to this: ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

export function at<Item>(items: readonly Item[], index: number): Item {
  const item = items[index]
  if (item === undefined) throw new Error(`There is no number ${index}.`)
  return item
}

function describe(fields: object): string {
  const { error } = fields as { error?: unknown }
  return error instanceof Error ? `${error.message} ${error.cause ?? ''}` : JSON.stringify(fields)
}

/** Nothing is held any more, and what the counters say was used of the organization's budget is what the ledger says. */
export async function expectBooksToAgree(house: Replicas): Promise<void> {
  const ofBudget = async () => (await house.states()).get('organization/budget')
  await until(async () => (await ofBudget())?.held === 0, 'nothing is held')
  expect(await ofBudget()).toMatchObject({ held: 0, used: await house.spent() })
}

/**
 * Nothing is held any more, and nothing that was used is left uncounted. What came back with an older state may be
 * counted twice until the reconciler, which looks three times at least half a minute apart, takes it off.
 */
export async function expectNothingUncounted(house: Replicas): Promise<void> {
  const ofBudget = async () => (await house.states()).get('organization/budget')
  await until(async () => (await ofBudget())?.held === 0, 'nothing is held')
  const { used = 0, limit } = (await ofBudget()) ?? {}
  expect(used).toBeGreaterThanOrEqual(await house.spent())
  expect(used).toBeLessThanOrEqual(limit ?? 0)
}
