import type { PriceChange } from '../ledger/price-desk/ports.ts'
import type { Database } from './database.ts'

/** The channel that the triggers on `price_overrides` and `price_data` speak on; see `migrations/0006-prices.up.sql`. */
const CHANNEL = 'gatehouse_prices'
const ORGANIZATION = 'organization:'
/** While notifications are interrupted. */
const POLL_MS = 1000
/** A transaction that began before the last look may have committed after it. */
const OVERLAP_SECONDS = 10
/** More changed organizations than this at once, and reading all of them again is cheaper. */
const CHANGED_MAX = 1000

/**
 * Calls back with every price that is added, wherever that happens. Notifications say whose; while they are
 * interrupted the tables are asked once a second.
 *
 * @returns stops watching
 */
export async function watchPrices(
  database: Database,
  onChange: (change: PriceChange) => void,
): Promise<() => Promise<void>> {
  let stopped = false
  let pollTimer: NodeJS.Timeout | undefined
  let seenMs = 0

  const tell = (payload: string): void => {
    if (stopped) return
    if (payload === 'data') onChange('data')
    else if (payload.startsWith(ORGANIZATION))
      onChange({ organizationId: payload.slice(ORGANIZATION.length) })
    else onChange('all')
  }
  const poll = async (): Promise<void> => {
    const askedMs = performance.now()
    try {
      const seconds = OVERLAP_SECONDS + (askedMs - seenMs) / 1000
      const { rows } = await database.query<{ change: string }>(
        `SELECT 'data' AS change FROM price_data WHERE created_at > clock_timestamp() - make_interval(secs => $1)
         UNION SELECT '${ORGANIZATION}' || organization_id FROM price_overrides
         WHERE created_at > clock_timestamp() - make_interval(secs => $1) LIMIT $2`,
        [seconds, CHANGED_MAX + 1],
      )
      seenMs = askedMs
      if (rows.length > CHANGED_MAX) tell('*')
      else for (const { change } of rows) tell(change)
    } catch {
      // The database is away; the next second asks again, for all that was added since.
    }
  }
  const stopPolling = () => {
    clearInterval(pollTimer)
    pollTimer = undefined
  }

  const stopListening = await database.listen(
    CHANNEL,
    tell,
    () => {
      stopPolling()
      tell('*')
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
    stopPolling()
    await stopListening()
  }
}
