import type { Clock } from '../core/clock.ts'
import { RedisBreakers } from './redis-breakers.ts'
import { openRedis } from './redis-connection.ts'
import type { StorageLogger } from './storage-logger.ts'

export interface RedisBreakersOpenOptions {
  readonly url: string
  readonly logger: StorageLogger
  readonly clock: Clock
  /** Names this replica, and no other. */
  readonly id: string
  /** Before the names of all keys, in place of `circuit`. */
  readonly namespace?: string | undefined
}

/** No call waits for it. */
const COMMAND_TIMEOUT_MS = 1000

/**
 * Opens the breakers that all replicas share, on two connections of their own: one asks, the other listens. Nothing
 * waits for them: where Redis is away they are joined once it is there.
 */
export function openRedisBreakers(options: RedisBreakersOpenOptions): {
  readonly breakers: RedisBreakers
  /** To be called after the gateway was closed. */
  close(): void
} {
  const { url, logger, clock, id, namespace } = options
  let isAway = false
  const client = openRedis({
    url,
    commandTimeoutMs: COMMAND_TIMEOUT_MS,
    onError(error) {
      if (!isAway) logger.error({ error, purpose: 'breakers' }, 'Redis cannot be reached, trying again')
      isAway = true
    },
  })
  client.on('ready', () => {
    if (isAway) logger.info({ purpose: 'breakers' }, 'Redis is reached again')
    isAway = false
  })
  // What goes wrong here goes wrong there as well, and is told once.
  const subscriber = openRedis({ url, commandTimeoutMs: COMMAND_TIMEOUT_MS, onError: () => undefined })
  return {
    breakers: new RedisBreakers({ client, subscriber, clock, id, namespace }),
    close() {
      client.disconnect()
      subscriber.disconnect()
    },
  }
}
