import type { SpendStore } from '../alerts/ports.ts'
import type { Database } from './database.ts'
import { fromUsageRecord, toUsageStatement } from './usage-query.ts'

const WEEK_MS = 7 * 86_400_000

/** What alerts ask of the roll-ups. Sums are of doubles: beyond nine million dollars they round. */
export function createSpendStore(database: Database): SpendStore {
  return {
    async spentBetween(from, to) {
      const query = { from, to, groupBy: [], rowsMax: 1 }
      const statement = toUsageStatement(query)
      if (statement === undefined) return 0
      const { rows } = await database.query(statement.sql, statement.parameters)
      return rows[0] === undefined ? 0 : fromUsageRecord(rows[0], query).costNanoUsd
    },

    async spenders(unit, from, after, max) {
      const table = unit === 'hour' ? 'usage_hourly' : 'usage_daily'
      const { rows } = await database.query<{ organization_id: string; cost: unknown }>(
        `SELECT organization_id, sum(cost_nano_usd)::bigint AS cost FROM ${table}
         WHERE period_start >= $1::timestamptz AND organization_id > $2
         GROUP BY organization_id HAVING sum(cost_nano_usd) > 0 ORDER BY organization_id LIMIT $3`,
        [from, after, max],
      )
      return rows.map((row) => ({ organizationId: row.organization_id, costNanoUsd: Number(row.cost) }))
    },

    async hoursOfWeek(hour, weeks, leastNanoUsd, max) {
      const earlier = Array.from({ length: weeks }, (_, week) => hour.getTime() - (week + 1) * WEEK_MS)
      const { rows } = await database.query<{
        organization_id: string
        cost: unknown
        first_day: Date | null
        hours: Readonly<Record<string, number>> | null
      }>(
        // Each organization's hours are found through its own index; days are kept for ever, so that the first of
        // them tells an hour without a call from one before there was anybody to call.
        `WITH spent AS (
           SELECT organization_id, sum(cost_nano_usd)::bigint AS cost FROM usage_hourly
           WHERE period_start = $1::timestamptz GROUP BY organization_id
           HAVING sum(cost_nano_usd) >= $3::bigint ORDER BY 2 DESC LIMIT $4
         )
         SELECT organization_id, cost,
           (SELECT min(period_start) FROM usage_daily WHERE organization_id = spent.organization_id) AS first_day,
           (SELECT jsonb_object_agg((extract(epoch FROM period_start) * 1000)::bigint, sum) FROM (
              SELECT period_start, sum(cost_nano_usd)::bigint AS sum FROM usage_hourly
              WHERE organization_id = spent.organization_id AND period_start = ANY($2::timestamptz[])
              GROUP BY period_start
            ) AS hour_sums) AS hours
         FROM spent ORDER BY cost DESC, organization_id`,
        [hour, earlier.map((ms) => new Date(ms).toISOString()), leastNanoUsd, max],
      )
      return rows.map((row) => ({
        organizationId: row.organization_id,
        costNanoUsd: Number(row.cost),
        earlierNanoUsd: earlier
          .filter((ms) => row.first_day !== null && ms >= row.first_day.getTime())
          .map((ms) => Number(row.hours?.[String(ms)] ?? 0)),
      }))
    },

    async organizationName(organizationId) {
      const { rows } = await database.query<{ name: string }>(
        'SELECT name FROM organizations WHERE id = $1',
        [organizationId],
      )
      return rows[0]?.name
    },
  }
}
