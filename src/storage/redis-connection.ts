import { Redis } from 'ioredis'
import type { RedisClient } from './redis-script.ts'

export interface RedisConnectionOptions {
  /** `redis:` or `rediss:`, with its password. */
  readonly url: string
  /** How long a command may take; 250 by default. */
  readonly commandTimeoutMs?: number | undefined
  /** Hears of every failed attempt to connect; the connection goes on trying. */
  readonly onError: (error: Error) => void
}

export const COMMAND_TIMEOUT_MS = 250
const COMMAND_GRACE = 2
const CONNECT_TIMEOUT_MS = 2000
const RECONNECT_MS_MAX = 1000
/** A server that says nothing for this many command timeouts is gone without a word; a new connection may find it. */
const SILENT_TIMEOUTS = 4

/**
 * @returns a connection that never makes a call wait: what cannot be sent now fails now, what is not answered in time
 *   fails then, and nothing is sent a second time, for a script that was run twice would count twice. It connects, and
 *   connects again, by itself
 */
export function openRedis({
  url,
  commandTimeoutMs = COMMAND_TIMEOUT_MS,
  onError,
}: RedisConnectionOptions): Redis {
  const redis = new Redis(url, {
    // Whoever asks waits no longer than the timeout itself; this one, which does not look at the socket once more
    // before it gives up, only keeps commands from waiting for ever.
    commandTimeout: commandTimeoutMs * COMMAND_GRACE,
    connectTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENT_TIMEOUTS * commandTimeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableAutoPipelining: true,
    retryStrategy: (attempts) => Math.min(50 * attempts, RECONNECT_MS_MAX),
    // After a failover the old primary answers so until we connect anew.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
  })
  redis.on('error', onError)
  return redis
}

/** @returns whether commands can be sent, waiting for that at most so long */
export async function untilReady(client: RedisClient, timeoutMs: number): Promise<boolean> {
  if (client.status === 'ready') return true
  return new Promise((resolve) => {
    const end = (isReady: boolean) => {
      clearTimeout(timer)
      client.off('ready', onReady)
      resolve(isReady)
    }
    const onReady = () => end(true)
    const timer = setTimeout(() => end(false), timeoutMs)
    client.on('ready', onReady)
  })
}
