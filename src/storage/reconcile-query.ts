import type { RollupDifference } from '../limits/reconcile/ports.ts'

/** What tells one sum of a roll-up from another, beside its period. */
const DIMENSIONS = 'organization_id, team_id, key_id, provider, model, operation, task'
const COUNTS = [
  'requests',
  'errors',
  'cache_hits',
  'estimated',
  'tokens_input',
  'tokens_output',
  'tokens_cached',
  'cost_nano_usd',
] as const
const SUMS = COUNTS.join(', ')

/** The same sums as `toRollups` makes of rows. */
const LEDGER_SUMS = `
  count(*) FILTER (WHERE final) AS requests,
  count(*) FILTER (WHERE final AND status >= 400) AS errors,
  count(*) FILTER (WHERE final AND cache IN ('exact', 'semantic')) AS cache_hits,
  count(*) FILTER (WHERE estimated) AS estimated,
  coalesce(sum(tokens_input), 0) AS tokens_input,
  coalesce(sum(tokens_output), 0) AS tokens_output,
  coalesce(sum(tokens_cached), 0) AS tokens_cached,
  sum(cost_nano_usd) AS cost_nano_usd`

/**
 * @returns one statement, so that rows and sums are seen at the same moment. Both sides are put into one list, the
 *   roll-ups as negative numbers: what does not add up to nothing differs, also where one side has no such group
 */
export function toDifferenceStatement(
  organizationId: string | undefined,
  fromMs: number,
  toMs: number,
  limit: number,
): { sql: string; parameters: unknown[] } {
  const parameters: unknown[] = [new Date(fromMs).toISOString(), new Date(toMs).toISOString(), limit]
  if (organizationId !== undefined) parameters.push(organizationId)
  const narrowed = organizationId === undefined ? '' : ' AND organization_id = $4'
  const within = (moment: string) =>
    `WHERE ${moment} >= $1::timestamptz AND ${moment} < $2::timestamptz${narrowed}`
  const minus = COUNTS.map((name) => `-${name}`).join(', ')
  const parts = (['usage_hourly', 'usage_daily'] as const).map((rollup) => {
    const period = rollup === 'usage_hourly' ? 'hour' : `date_trunc('day', hour, 'UTC')`
    return (
      `SELECT '${rollup}' AS rollup, ${period} AS period, ${DIMENSIONS}, ${SUMS}, cost_nano_usd AS ledger, 0 AS rolled_up ` +
      `FROM books UNION ALL ` +
      `SELECT '${rollup}', period_start, ${DIMENSIONS}, ${minus}, 0, cost_nano_usd FROM ${rollup} ${within('period_start')}`
    )
  })
  const differs = COUNTS.map((name) => `sum(${name}) <> 0`).join(' OR ')
  return {
    sql: `
WITH books AS MATERIALIZED (
  SELECT date_trunc('hour', created_at, 'UTC') AS hour, ${DIMENSIONS}, ${LEDGER_SUMS}
  FROM ledger ${within('created_at')} GROUP BY hour, ${DIMENSIONS}
), differing AS (
  SELECT rollup, period, organization_id, sum(ledger) AS ledger, sum(rolled_up) AS rolled_up
  FROM (${parts.join(' UNION ALL ')}) AS both_sides
  GROUP BY rollup, period, ${DIMENSIONS} HAVING ${differs}
)
SELECT organization_id, date_trunc('day', period, 'UTC') AS day, rollup, count(*) AS sums,
  sum(ledger)::bigint AS ledger, sum(rolled_up)::bigint AS rolled_up
FROM differing GROUP BY organization_id, day, rollup ORDER BY organization_id, day, rollup LIMIT $3::int`,
    parameters,
  }
}

export function fromDifferenceRecord(record: Readonly<Record<string, unknown>>): RollupDifference {
  return {
    organizationId: String(record.organization_id),
    dayMs: (record.day as Date).getTime(),
    rollup: record.rollup === 'usage_daily' ? 'usage_daily' : 'usage_hourly',
    sums: Number(record.sums),
    ledgerNanoUsd: Number(record.ledger),
    rollupNanoUsd: Number(record.rolled_up),
  }
}

/** One statement, so that the view and the rows are seen at the same moment. Only what differs. */
export const SPEND_DIFFERENCES = `
SELECT period_start, spend, ledger FROM (
  SELECT billing_period_start AS period_start, round(current_spend_usd * 1000000000)::bigint AS spend,
    (SELECT coalesce(sum(cost_nano_usd), 0) FROM ledger WHERE ledger.organization_id = ai_budgets.organization_id
      AND created_at >= billing_period_start AND created_at < billing_period_end)::bigint AS ledger
  FROM ai_budgets WHERE organization_id = $1
) AS compared WHERE spend IS DISTINCT FROM ledger`
