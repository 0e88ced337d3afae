import type { Database } from './database.ts'
import { fromPolicyRecord, POLICY_SELECT, type Policy, type PolicyRecord } from './policy-record.ts'

/** The channel that the triggers on `limits` and `budgets` speak on: `["organization","scope","subject"]`, or `*`. */
const CHANNEL = 'gatehouse_policies'
const ANYTHING = '*'
/** While notifications are interrupted. */
const POLL_MS = 1000
/** A transaction that began before the last look may have committed after it. */
const OVERLAP_SECONDS = 10
/** More changed subjects than this at once, and reading all of them again is cheaper. */
const CHANGED_MAX = 5000
const PAGE_ROWS = 500
/** After a failed look: the database is away, and the next second may bring it back. */
const RETRY_MS = 200

export interface PolicyHandlers {
  readonly onPolicy: (policy: Policy) => void
  readonly onReload: () => void
}

/**
 * Calls back with what is set on every subject whose limits or budget change, wherever that was done. Notifications
 * say whose; while they are interrupted the list of changes is asked once a second.
 *
 * @returns stops watching
 */
export async function watchPolicies(
  database: Database,
  handlers: PolicyHandlers,
): Promise<() => Promise<void>> {
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
        const keys = [...changed]
        changed = new Set()
        try {
          if (keys.includes(ANYTHING) || keys.length > CHANGED_MAX) handlers.onReload()
          else await deliver(keys)
        } catch {
          for (const key of keys) changed.add(key)
          retryTimer = setTimeout(() => void read(), RETRY_MS)
          retryTimer.unref()
          return
        }
      }
    } finally {
      reading = false
    }
  }
  const deliver = async (keys: readonly string[]): Promise<void> => {
    for (let start = 0; start < keys.length; start += PAGE_ROWS) {
      // A subject on which nothing is set any more has its row here, an empty one.
      const { rows } = await database.query<PolicyRecord>(
        `WITH subjects AS (
           SELECT key::json ->> 0 AS organization_id, key::json ->> 1 AS scope, key::json ->> 2 AS subject
           FROM unnest($1::text[]) AS key
         )
         ${POLICY_SELECT}`,
        [keys.slice(start, start + PAGE_ROWS)],
      )
      for (const row of rows) if (!stopped) handlers.onPolicy(fromPolicyRecord(row))
    }
  }
  const poll = async (): Promise<void> => {
    const askedMs = performance.now()
    try {
      const seconds = OVERLAP_SECONDS + (askedMs - seenMs) / 1000
      const { rows } = await database.query<PolicyRecord>(
        `WITH subjects AS (
           SELECT DISTINCT organization_id, scope, subject FROM policy_changes
           WHERE changed_at > clock_timestamp() - make_interval(secs => $1) LIMIT $2
         )
         ${POLICY_SELECT}`,
        [seconds, CHANGED_MAX + 1],
      )
      if (stopped) return
      seenMs = askedMs
      if (rows.length > CHANGED_MAX) handlers.onReload()
      else for (const row of rows) handlers.onPolicy(fromPolicyRecord(row))
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
    (key) => {
      changed.add(key)
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
