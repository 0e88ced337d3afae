import { randomUUID } from 'node:crypto'
import type { Redis } from 'ioredis'
import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import type { Journal } from '../ledger/ports.ts'
import type { Counters } from '../limits/ports.ts'
import { openRedis, untilReady } from './redis-connection.ts'
import { RedisCounters } from './redis-counters.ts'
import { openRedisJournal } from './redis-journal.ts'
import type { StorageLogger } from './storage-logger.ts'

export interface RedisStoreOptions {
  readonly url: string
  readonly logger: StorageLogger
  readonly clock: Clock
  /** Fail to open where Redis is away. Else what is opened works once it is back. */
  readonly required: boolean
  /** Before the names of all keys, in place of the usual ones. */
  readonly namespace?: string | undefined
}

/** How long a start waits for Redis. */
const START_WAIT_MS = 2000
/** Nobody's reply waits for what the journal asks of Redis. */
const JOURNAL_TIMEOUT_MS = 2000

/**
 * Opens the counters that all replicas share, on a connection of their own.
 *
 * @throws GatewayError `storage_unavailable` where Redis is away and is required
 */
export async function openRedisCounters(
  options: RedisStoreOptions & { readonly commandTimeoutMs: number },
): Promise<{ readonly counters: Counters; close(): Promise<void> }> {
  const { clock, commandTimeoutMs, namespace } = options
  const client = await connect(options, 'counters', commandTimeoutMs)
  const counters = new RedisCounters({
    client,
    clock,
    newId: randomUUID,
    unknown: 'refuse',
    commandTimeoutMs,
    namespace,
  })
  return {
    counters,
    async close() {
      await counters.close()
      client.disconnect()
    },
  }
}

/**
 * Opens the journal that all replicas share, on connections of its own, which end when it is closed.
 *
 * @throws GatewayError `storage_unavailable` where Redis is away and is required
 */
export async function openSharedJournal(
  options: RedisStoreOptions & { readonly bytesMax: number },
): Promise<Journal> {
  const { logger, clock, bytesMax, namespace } = options
  const connecting = ['journal', 'journal, written'].map((purpose) =>
    connect(options, purpose, JOURNAL_TIMEOUT_MS),
  )
  const disconnect = () => {
    for (const one of connecting) one.then((redis) => redis.disconnect()).catch(() => undefined)
  }
  try {
    const [client, wire] = await Promise.all(connecting)
    if (client === undefined || wire === undefined) throw new Error('There are two connections.')
    return await openRedisJournal({
      client,
      wire,
      logger,
      clock,
      bytesMax,
      onClosed: disconnect,
      ...(namespace === undefined ? {} : { namespace }),
    })
  } catch (error) {
    disconnect()
    throw error
  }
}

/** @param purpose for the log, which has one line for each time that Redis goes away */
async function connect(
  { url, logger, required }: RedisStoreOptions,
  purpose: string,
  commandTimeoutMs: number,
): Promise<Redis> {
  let isAway = false
  const redis = openRedis({
    url,
    commandTimeoutMs,
    onError(error) {
      if (!isAway) logger.error({ error, purpose }, 'Redis cannot be reached, trying again')
      isAway = true
    },
  })
  redis.on('ready', () => {
    if (isAway) logger.info({ purpose }, 'Redis is reached again')
    isAway = false
  })
  if (await untilReady(redis, START_WAIT_MS)) return redis
  if (required) {
    redis.disconnect()
    throw new GatewayError('storage_unavailable', {
      message: `Redis did not answer within ${START_WAIT_MS} ms, and \`storage.redisRequired\` says that it has to.`,
      detail: { store: 'redis' },
    })
  }
  logger.warn({ purpose }, 'the start goes on without Redis; what needs it is refused until it is there')
  return redis
}
