import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import { systemClock } from '../core/clock.ts'
import { openRedis, untilReady } from './redis-connection.ts'
import { RedisCounters, type RedisCountersOptions } from './redis-counters.ts'

/** A machine that is busy with other tests answers late; what is tested here is not how fast it is. */
const PATIENT_MS = 10_000
const CONNECTED_MS = 10_000

export interface Replica {
  readonly redis: Redis
  readonly counters: RedisCounters
}

/** @returns counters on a connection of their own, as one process has them */
export async function openReplica(
  url: string,
  options: Partial<RedisCountersOptions> = {},
): Promise<Replica> {
  const commandTimeoutMs = options.commandTimeoutMs ?? PATIENT_MS
  const redis = openRedis({ url, commandTimeoutMs, onError: () => undefined })
  if (!(await untilReady(redis, CONNECTED_MS))) throw new Error(`There is no Redis at ${url}.`)
  const counters = new RedisCounters({
    client: redis,
    clock: systemClock,
    newId: randomUUID,
    unknown: 'begin',
    ...options,
    commandTimeoutMs,
  })
  return { redis, counters }
}

export interface Replicas {
  readonly replicas: readonly RedisCounters[]
  /** Removes every key of the namespace, and disconnects. */
  close(): Promise<void>
}

export async function openReplicas(
  url: string,
  count: number,
  options: Partial<RedisCountersOptions> & { readonly namespace: string },
): Promise<Replicas> {
  const replicas = await Promise.all(Array.from({ length: count }, () => openReplica(url, options)))
  return {
    replicas: replicas.map(({ counters }) => counters),
    async close() {
      const [first] = replicas
      if (first !== undefined) await removeKeys(first.redis, options.namespace)
      for (const { counters, redis } of replicas) {
        await counters.close()
        redis.disconnect()
      }
    },
  }
}

async function removeKeys(redis: Redis, namespace: string): Promise<void> {
  for await (const keys of redis.scanStream({ match: `${namespace}:*`, count: 1000 })) {
    if (keys.length > 0) await redis.unlink(...(keys as string[]))
  }
}
