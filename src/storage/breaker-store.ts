import type { BreakerRecord, BreakerState, BreakerTable } from '../routing/breakers/ports.ts'
import { watchBreakerOrders } from './breaker-watcher.ts'
import type { Database } from './database.ts'

/** Breakers in SQL: for operators to see, and to set. See `migrations/0008-breakers.up.sql`. */
export function createBreakerStore(database: Database): BreakerTable {
  return {
    async write(breakers) {
      const rows = breakers.map(({ targets, ...own }) => ({
        ...toRow(own),
        provider: own.provider,
        by_operator: own.byOperator,
        targets: targets.map(toTarget),
      }))
      await database.query(
        `INSERT INTO circuit_breakers
           (provider, state, failure_count, reason, opened_at, until, paused_until, by_operator, targets)
         SELECT provider, state, failure_count, reason, opened_at, until, paused_until, by_operator, targets
         FROM jsonb_to_recordset($1::jsonb) AS row (provider text, state text, failure_count integer, reason text,
           opened_at timestamptz, until timestamptz, paused_until timestamptz, by_operator boolean, targets jsonb)
         ORDER BY provider
         ON CONFLICT (provider) DO UPDATE SET state = excluded.state, failure_count = excluded.failure_count,
           reason = excluded.reason, opened_at = excluded.opened_at, until = excluded.until,
           paused_until = excluded.paused_until, by_operator = excluded.by_operator, targets = excluded.targets,
           updated_at = clock_timestamp()`,
        [JSON.stringify(rows)],
      )
    },

    async order(provider, state, repeat) {
      await database.query(
        `INSERT INTO circuit_breaker_status (provider, state)
         SELECT $1::text, $2::text WHERE $3::boolean OR NOT EXISTS
           (SELECT FROM circuit_breaker_orders WHERE provider = $1 AND state = $2)`,
        [provider, state, repeat],
      )
    },

    watch: (onOrder) => watchBreakerOrders(database, onOrder),
  }
}

interface Row {
  readonly state: BreakerState
  readonly failure_count: number
  readonly reason: string | null
  readonly opened_at: string | null
  readonly until: string | null
  readonly paused_until: string | null
}

function toRow({ state, failures, reason, openedAtMs, untilMs, pausedUntilMs }: BreakerRecord): Row {
  return {
    state,
    failure_count: failures,
    reason: reason ?? null,
    opened_at: toIso(openedAtMs),
    until: toIso(untilMs),
    paused_until: toIso(pausedUntilMs),
  }
}

/** Named as in the control API. */
function toTarget({ model, state, failures, reason, untilMs, pausedUntilMs }: BreakerRecord) {
  const until = untilMs === undefined ? undefined : toIso(untilMs)
  const pausedUntil = pausedUntilMs === undefined ? undefined : toIso(pausedUntilMs)
  return { model, state, failures, reason, until, pausedUntil }
}

function toIso(momentMs: number | undefined): string | null {
  return momentMs === undefined ? null : new Date(momentMs).toISOString()
}
