import type { Database } from './database.ts'

/** The channel that the triggers on `organization_routes` speak on; see `migrations/0009-routes.up.sql`. */
const CHANNEL = 'gatehouse_routes'
const ORGANIZATION = 'organization:'
/** While notifications are interrupted. */
const POLL_MS = 1000

/**
 * Calls back with the organization whose routes changed; `undefined` = anybody's. While notifications are interrupted
 * the table is compared with what it was once a second: it is small, and rows that are gone leave no trace in it.
 *
 * @returns stops watching
 */
export async function watchRoutes(
  database: Database,
  onChange: (organizationId: string | undefined) => void,
): Promise<() => Promise<void>> {
  let stopped = false
  let pollTimer: NodeJS.Timeout | undefined
  let seen: string | undefined

  const poll = async (): Promise<void> => {
    try {
      const { rows } = await database.query<{ state: string }>(
        `SELECT count(*) || ' ' || coalesce(max(updated_at)::text, '') AS state FROM organization_routes`,
      )
      const state = rows[0]?.state
      // The first look comes after an unknown time without news.
      if (!stopped && state !== seen) onChange(undefined)
      seen = state
    } catch {
      // The database is away; the next second asks again.
    }
  }
  const stopPolling = () => {
    clearInterval(pollTimer)
    pollTimer = undefined
  }

  const stopListening = await database.listen(
    CHANNEL,
    (payload) => {
      if (stopped) return
      onChange(payload.startsWith(ORGANIZATION) ? payload.slice(ORGANIZATION.length) : undefined)
    },
    () => {
      stopPolling()
      if (!stopped) onChange(undefined)
    },
    () => {
      if (stopped || pollTimer !== undefined) return
      seen = undefined
      pollTimer = setInterval(() => void poll(), POLL_MS)
      pollTimer.unref()
    },
  )
  return async () => {
    stopped = true
    stopPolling()
    await stopListening()
  }
}
