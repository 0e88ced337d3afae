import { randomUUID } from 'node:crypto'
import { systemClock } from '../src/core/clock.ts'
import { MemoryCounters } from '../src/limits/memory-counters.ts'
import { METER_TYPES, meterId } from '../src/limits/meters.ts'
import type { Counters, Meter, TakeRequest } from '../src/limits/ports.ts'
import { SharedCounters } from '../src/limits/shared-counters.ts'
import { openReplica } from '../src/storage/redis-counters-fixture.ts'
import { launchRedis } from '../src/storage/redis-server-fixture.ts'

/**
 * What counting costs, printed: `node bench/counters.ts`. In memory with 10 and with a million organizations, or keys
 * of one organization; beside a shared store; and on a Redis of its own, where it also counts commands.
 */

const FEW = 10
const MANY = 1_000_000
const CALLS = 100_000
const ROUNDS = 5
const REDIS_CALLS = 5000
const LEASE_MS = 30_000
const AMOUNTS = { requests: 1, tokens: 500, costNanoUsd: 1000 }
const MONTH = { kind: 'period', startMs: Date.UTC(2026, 0, 1), endMs: Date.UTC(2027, 0, 1) } as const

/** Where a call's meters are. */
type Place = (index: number) => { readonly organizationId: string; readonly meters: readonly Meter[] }

function budgetOf(scope: 'organization' | 'team' | 'key', id: string): Meter {
  return { id: meterId({ scope, id }, 'budget'), quantity: 'costNanoUsd', limit: 10 ** 15, window: MONTH }
}

/** Five meters of one organization that are the same for all its calls. */
const COMMON: readonly Meter[] = METER_TYPES.filter((type) => type !== 'budget').map((type) => ({
  id: meterId({ scope: 'organization', id: '' }, type),
  quantity:
    type === 'concurrent_requests' ? 'concurrency' : type.startsWith('tokens') ? 'tokens' : 'requests',
  limit: 10 ** 12,
  window: type === 'concurrent_requests' ? { kind: 'none' } : { kind: 'rolling', ms: 86_400_000 },
}))

const byOrganization: Place = (index) => ({
  organizationId: `organization-${index}`,
  meters: [budgetOf('organization', '')],
})

const byKey: Place = (index) => ({
  organizationId: 'acme',
  meters: [...COMMON, budgetOf('organization', ''), budgetOf('key', `K${index}`)],
})

/** @returns microseconds of CPU for one take and settle, the least of some rounds: what is more is of other work */
async function timeCalls(
  calls: number,
  call: (request: TakeRequest) => void | Promise<void>,
  requests: readonly TakeRequest[],
): Promise<number> {
  let least = Number.POSITIVE_INFINITY
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = process.cpuUsage()
    for (let index = 0; index < calls; index++) {
      const request = requests[index % requests.length]
      if (request === undefined) continue
      const pending = call(request)
      if (pending !== undefined) await pending
    }
    least = Math.min(least, process.cpuUsage(startedAt).user / calls)
  }
  return least
}

function requestsAt(place: Place, count: number, sample: number): TakeRequest[] {
  const step = Math.max(1, Math.floor(count / sample))
  return Array.from({ length: Math.min(count, sample) }, (_, index) => ({
    ...place(index * step),
    holdId: `h${index}`,
    amounts: AMOUNTS,
    leaseMs: LEASE_MS,
  }))
}

async function inMemory(place: Place, count: number): Promise<number> {
  const counters = new MemoryCounters({ clock: systemClock, newId: randomUUID, unknown: 'begin' })
  const call = (request: TakeRequest): void => {
    const { granted } = counters.take(request)
    if (!granted || !counters.settle(request.organizationId, request.holdId, AMOUNTS)) {
      throw new Error('A call of the benchmark was refused.')
    }
  }
  for (let index = 0; index < count; index++) {
    call({ ...place(index), holdId: 'h', amounts: AMOUNTS, leaseMs: LEASE_MS })
  }
  // As many in both, so that the processor's caches tell no difference that the counters do not make.
  const us = await timeCalls(CALLS, call, requestsAt(place, count, FEW))
  await counters.close()
  return us
}

/** A store that answers without a network. */
function near(counters: MemoryCounters): Counters {
  return {
    take: async (request) => counters.take(request),
    grow: async (...args) => counters.grow(...args),
    settle: async (...args) => counters.settle(...args),
    release: async (...args) => counters.release(...args),
    read: async (...args) => counters.read(...args),
    assign: async (...args) => counters.assign(...args),
    adjust: async (...args) => counters.adjust(...args),
    abandoned: async (max) => counters.abandoned(max),
    holds: async (organizationId) => counters.holds(organizationId),
    generation: async () => counters.generation(),
    renewGeneration: async (lost) => counters.renewGeneration(lost),
    sequence: async () => counters.sequence(),
    rebuild: async (...args) => counters.rebuild(...args),
    close: () => counters.close(),
  }
}

async function beside(): Promise<{ readonly alone: number; readonly within: number }> {
  const open = () => near(new MemoryCounters({ clock: systemClock, newId: randomUUID, unknown: 'begin' }))
  const requests = requestsAt(byKey, 1000, 1000)
  const timeOf = (counters: Counters) =>
    timeCalls(
      CALLS,
      async (request) => {
        await counters.take(request)
        await counters.settle(request.organizationId, request.holdId, AMOUNTS)
      },
      requests,
    )
  const alone = await timeOf(open())
  const shared = new SharedCounters({ shared: open(), clock: systemClock, newId: randomUUID, ticks: false })
  const within = await timeOf(shared)
  await shared.close()
  return { alone, within }
}

async function onRedis(): Promise<void> {
  const server = await launchRedis()
  if (server === undefined) {
    print('Redis', 'not installed')
    return
  }
  const { redis, counters } = await openReplica(server.url)
  const shared = new SharedCounters({ shared: counters, clock: systemClock, newId: randomUUID, ticks: false })
  const [request] = requestsAt(byKey, 1, 1)
  if (request === undefined) return
  const organizationId = 'measured'
  await shared.take({ ...request, organizationId, holdId: 'first' })
  const sent = countSent(redis)
  const waits: number[] = []
  for (let index = 0; index < REDIS_CALLS; index++) {
    const startedMs = performance.now()
    await shared.take({ ...request, organizationId, holdId: `h${index}` })
    waits.push(performance.now() - startedMs)
  }
  waits.sort((left, right) => left - right)
  print(
    'Redis: scripts per take, each one round trip that is waited for',
    (sent.scripts / REDIS_CALLS).toFixed(4),
  )
  print('Redis: other commands per take, that nobody waits for', (sent.others / REDIS_CALLS).toFixed(4))
  print('Redis: take of 7 meters, p50', `${((waits[REDIS_CALLS / 2] ?? 0) * 1000).toFixed(0)} µs`)
  await shared.close()
  redis.disconnect()
  await server.remove()
}

/** @returns how many commands of each kind were sent, from now on */
function countSent(redis: { sendCommand(command: { readonly name: string }): unknown }) {
  const sent = { scripts: 0, others: 0 }
  const send = redis.sendCommand.bind(redis)
  redis.sendCommand = (command, ...rest) => {
    if (command.name.startsWith('eval')) sent.scripts++
    else sent.others++
    return send(command, ...rest)
  }
  return sent
}

function print(name: string, figure: string): void {
  process.stdout.write(`${name.padEnd(76)} ${figure}\n`)
}

async function main(): Promise<void> {
  for (const [name, place] of [
    ['organizations', byOrganization],
    ['keys of an organization, 7 meters a call', byKey],
  ] as const) {
    for (const count of [FEW, MANY]) {
      const us = await inMemory(place, count)
      print(`memory: take + settle, ${count.toLocaleString('en')} ${name}`, `${us.toFixed(2)} µs`)
    }
  }
  const { alone, within } = await beside()
  print(
    'beside a shared store: take + settle, 2 of 7 meters limit money',
    `+${(within - alone).toFixed(2)} µs`,
  )
  await onRedis()
  print('memory of this process at its end', `${Math.round(process.memoryUsage().rss / 2 ** 20)} MB`)
}

if (import.meta.main) await main()
