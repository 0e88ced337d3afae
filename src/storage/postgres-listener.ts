import pg from 'pg'
import { toStorageError } from './storage-error.ts'
import type { StorageLogger } from './storage-logger.ts'
import { createSubscriptions, quoteChannel, type Subscription } from './subscriptions.ts'

/** A connection that died without a word, as after a power cut, is noticed by the second of these. */
const PING_MS = 500
const PING_ANSWER_MS_MAX = 500
const FIRST_PAUSE_MS = 50
const PAUSE_MS_MAX = 5000

/** The connection of one process that hears notifications: outside the pool, because it is never idle. */
export interface PostgresListener {
  /** Resolves once the database has confirmed. @throws GatewayError `storage_unavailable` the first time */
  listen(channel: string, subscription: Subscription): Promise<() => Promise<void>>
  close(): Promise<void>
}

export function createPostgresListener(config: pg.ClientConfig, logger: StorageLogger): PostgresListener {
  const subscriptions = createSubscriptions()
  let connection: Promise<pg.Client> | undefined
  let live: pg.Client | undefined
  let retryTimer: NodeJS.Timeout | undefined
  let pauseMs = FIRST_PAUSE_MS
  let closed = false

  const connect = async (): Promise<pg.Client> => {
    const client = new pg.Client({ ...config, query_timeout: PING_ANSWER_MS_MAX + PING_MS })
    client.on('notification', ({ channel, payload }) => subscriptions.dispatch(channel, payload ?? ''))
    // An error is always followed by the end, but a listener must be there or the process dies.
    client.on('error', (error) =>
      logger.warn({ error: error.message }, 'The notification connection failed.'),
    )
    await client.connect()
    try {
      for (const channel of subscriptions.channels()) await client.query(`LISTEN ${quoteChannel(channel)}`)
    } catch (error) {
      await client.end().catch(() => {})
      throw error
    }
    const ping = setInterval(() => {
      client.query('SELECT 1').catch(() => drop(client))
    }, PING_MS)
    ping.unref()
    client.once('end', () => {
      clearInterval(ping)
      lost(client)
    })
    live = client
    pauseMs = FIRST_PAUSE_MS
    subscriptions.reconnected()
    return client
  }
  /** Ends a connection whose other side may not be there to say goodbye to. */
  const drop = (client: pg.Client) => {
    const { stream } = (client as unknown as { connection: { stream: { destroy(): void } } }).connection
    stream.destroy()
  }
  const lost = (client: pg.Client) => {
    if (live !== client) return
    live = undefined
    connection = undefined
    if (closed) return
    logger.warn({}, 'Notifications are interrupted; reconnecting.')
    subscriptions.lost()
    retry()
  }
  const retry = () => {
    retryTimer = setTimeout(() => {
      if (closed || connection !== undefined) return
      connection = connect()
      connection.catch(() => {
        connection = undefined
        if (!closed) retry()
      })
    }, pauseMs)
    retryTimer.unref()
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX)
  }

  return {
    async listen(channel, subscription) {
      const { first, stop } = subscriptions.add(channel, subscription)
      try {
        if (connection === undefined) {
          connection = connect()
          connection.catch(() => {
            connection = undefined
          })
          await connection
        } else {
          const client = await connection
          if (first) await client.query(`LISTEN ${quoteChannel(channel)}`)
        }
      } catch (error) {
        stop()
        throw toStorageError(error)
      }
      return async () => {
        if (stop()) await live?.query(`UNLISTEN ${quoteChannel(channel)}`).catch(() => {})
      }
    },
    async close() {
      closed = true
      clearTimeout(retryTimer)
      const client = await connection?.catch(() => undefined)
      await client?.end()
    },
  }
}
