import type { ApiKey } from '../identity/ports.ts'
import type { Database } from './database.ts'
import { fromKeyRecord, KEY_COLUMNS, type KeyRecord } from './key-record.ts'

/** The channel that the trigger on `api_keys` speaks on: a key's id, or `*` for anything. */
const CHANNEL = 'gatehouse_keys'
const ANYTHING = '*'
/** While notifications are interrupted. */
const POLL_MS = 1000
/** A transaction that began before the last look may have committed after it. */
const OVERLAP_SECONDS = 10
/** More changed keys than this at once, and reading all of them again is cheaper. */
const CHANGED_MAX = 5000
const PAGE_ROWS = 500
/** After a failed look: the database is away, and the next second may bring it back. */
const RETRY_MS = 200

export interface KeyHandlers {
  readonly onKey: (key: ApiKey) => void
  readonly onReload: () => void
}

/**
 * Calls back with every key that changes, wherever it was changed. Notifications say which; while they are
 * interrupted the table is asked once a second.
 *
 * @returns stops watching
 */
export async function watchKeys(database: Database, handlers: KeyHandlers): Promise<() => Promise<void>> {
  let changed = new Set<string>()
  let reading = false
  let stopped = false
  let retryTimer: NodeJS.Timeout | undefined
  let pollTimer: NodeJS.Timeout | undefined
  let seenMs = 0

  const read = async (): Promise<void> => {
    if (reading || stopped) return
    reading = true
    try {
      // At most one read is under way, so changes that come together are read together.
      while (changed.size > 0 && !stopped) {
        const ids = [...changed]
        changed = new Set()
        try {
          if (ids.includes(ANYTHING) || ids.length > CHANGED_MAX) handlers.onReload()
          else await deliver(ids)
        } catch {
          for (const id of ids) changed.add(id)
          retryTimer = setTimeout(() => void read(), RETRY_MS)
          retryTimer.unref()
          return
        }
      }
    } finally {
      reading = false
    }
  }
  const deliver = async (ids: readonly string[]): Promise<void> => {
    for (let start = 0; start < ids.length; start += PAGE_ROWS) {
      const page = ids.slice(start, start + PAGE_ROWS)
      const { rows } = await database.query<KeyRecord>(
        `SELECT ${KEY_COLUMNS} FROM api_keys WHERE id = ANY($1)`,
        [page],
      )
      for (const row of rows) if (!stopped) handlers.onKey(fromKeyRecord(row))
      // A key that is gone by now was announced as anything, too.
    }
  }
  const poll = async (): Promise<void> => {
    const askedMs = performance.now()
    try {
      const seconds = OVERLAP_SECONDS + (askedMs - seenMs) / 1000
      const { rows } = await database.query<KeyRecord>(
        `SELECT ${KEY_COLUMNS} FROM api_keys
         WHERE updated_at > clock_timestamp() - make_interval(secs => $1) LIMIT $2`,
        [seconds, CHANGED_MAX + 1],
      )
      if (stopped) return
      seenMs = askedMs
      if (rows.length > CHANGED_MAX) handlers.onReload()
      else for (const row of rows) handlers.onKey(fromKeyRecord(row))
    } catch {
      // The database is away; the next second asks again, for all that changed since.
    }
  }
  const stopPolling = () => {
    clearInterval(pollTimer)
    pollTimer = undefined
  }

  const stopListening = await database.listen(
    CHANNEL,
    (id) => {
      changed.add(id)
      void read()
    },
    () => {
      stopPolling()
      if (!stopped) handlers.onReload()
    },
    () => {
      if (stopped || pollTimer !== undefined) return
      seenMs = performance.now()
      pollTimer = setInterval(() => void poll(), POLL_MS)
      pollTimer.unref()
    },
  )
  return async () => {
    stopped = true
    clearTimeout(retryTimer)
    stopPolling()
    await stopListening()
  }
}
