import { GatewayError } from '../core/errors.ts'

/**
 * First words of Redis's error replies that say more of the server than of the command
 * (https://redis.io/docs/latest/develop/reference/protocol-spec/#simple-errors and `src/server.c`, `shared.*err`).
 */
const UNAVAILABLE_WORDS = new Set([
  'LOADING', // it is reading its snapshot
  'BUSY', // a script of somebody's runs for too long
  'MASTERDOWN',
  'READONLY', // we talk to a replica: a failover is under way
  'NOREPLICAS',
  'MISCONF', // it cannot write its snapshot, and refuses writes
  'OOM', // at `maxmemory` with nothing to evict
  'CLUSTERDOWN',
  'TRYAGAIN', // slots of the cluster are being moved
  'MOVED',
  'ASK',
  'NOAUTH',
  'WRONGPASS',
  'NOPERM',
])

/**
 * @returns `storage_unavailable` for everything that says more of the connection or the server than of the command;
 *   any other error as it is: it is a defect
 */
export function toRedisError(error: unknown): unknown {
  if (error instanceof GatewayError || !(error instanceof Error)) return error
  // Replies of the server are of this class (redis-errors); all other errors are of the client and its connection.
  const isReply = error.name === 'ReplyError'
  if (isReply && !UNAVAILABLE_WORDS.has(error.message.split(' ', 1)[0] ?? '')) return error
  if (error instanceof TypeError || error.name === 'AssertionError') return error
  return redisUnavailable(error.message, error)
}

export function redisUnavailable(reason: string, cause?: unknown): GatewayError {
  return new GatewayError('storage_unavailable', {
    message: 'The counters of limits and budgets are not available at the moment.',
    detail: { store: 'redis', reason },
    retryAfterSeconds: 1,
    cause,
  })
}
