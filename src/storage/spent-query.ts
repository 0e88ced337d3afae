import type { SpentQuery } from '../limits/ports.ts'
import type { Subject } from './policy-record.ts'

const HOUR_MS = 3_600_000

/** Calls that a limit or a budget refused used nothing; the index `ledger_refused` has exactly these. */
export const IS_REFUSED = `error_code IN (
  'requests_per_minute_exceeded', 'tokens_per_minute_exceeded', 'tokens_per_hour_exceeded',
  'cost_per_day_exceeded', 'concurrency_exceeded', 'budget_exhausted')`

/** Sums over rows of the ledger. */
export const LEDGER_SUMS = `
  count(*) FILTER (WHERE final AND (error_code IS NULL OR NOT ${IS_REFUSED})) AS requests,
  coalesce(sum(coalesce(tokens_input, 0) + coalesce(tokens_output, 0)), 0) AS tokens,
  coalesce(sum(cost_nano_usd), 0) AS cost_nano_usd`

const ROLLUP_SUMS = `
  coalesce(sum(requests), 0) AS requests,
  coalesce(sum(tokens_input + tokens_output), 0) AS tokens,
  coalesce(sum(cost_nano_usd), 0) AS cost_nano_usd`

/** The roll-up counts refused calls too; here they are, to be taken off. */
const REFUSED_SUMS = '-count(*) AS requests, 0 AS tokens, 0 AS cost_nano_usd'

/**
 * @returns one statement for all queries, so that all see the books at the same moment. Each answers with one row:
 *   `place`, from 0, and the three sums. Whole hours come from the roll-up, but for users and tags, which it does not
 *   know
 */
export function toSpentStatement(
  organizationId: string,
  queries: readonly SpentQuery[],
): { sql: string; parameters: unknown[] } {
  const parameters: unknown[] = [organizationId]
  const parameter = (value: unknown) => `$${parameters.push(value)}`
  const parts = queries.flatMap(({ subject, fromMs, toMs }, place) => {
    if (fromMs >= toMs) return []
    const narrowed = narrow(subject, parameter)
    const part = (source: Source, startMs: number, endMs: number) => {
      if (startMs >= endMs) return []
      const { table, moment, sums, only } = SOURCES[source]
      const from = parameter(new Date(startMs).toISOString())
      const to = parameter(new Date(endMs).toISOString())
      return [
        `SELECT ${place} AS place, ${sums} FROM ${table} WHERE organization_id = $1
         AND ${moment} >= ${from}::timestamptz AND ${moment} < ${to}::timestamptz${only}${narrowed}`,
      ]
    }
    const first = Math.ceil(fromMs / HOUR_MS) * HOUR_MS
    const last = Math.floor(toMs / HOUR_MS) * HOUR_MS
    if (first >= last || subject.scope === 'user' || subject.scope === 'tag') {
      return part('ledger', fromMs, toMs)
    }
    return [
      ...part('ledger', fromMs, first),
      ...part('rollup', first, last),
      ...part('refused', first, last),
      ...part('ledger', last, toMs),
    ]
  })
  const sums = ['requests', 'tokens', 'cost_nano_usd'].map((name) => `sum(${name})::bigint AS ${name}`)
  return {
    sql:
      parts.length === 0
        ? ''
        : `SELECT place, ${sums.join(', ')} FROM (${parts.join(' UNION ALL ')}) AS parts GROUP BY place`,
    parameters,
  }
}

type Source = 'ledger' | 'rollup' | 'refused'

const SOURCES: Readonly<
  Record<
    Source,
    { readonly table: string; readonly moment: string; readonly sums: string; readonly only: string }
  >
> = {
  ledger: { table: 'ledger', moment: 'created_at', sums: LEDGER_SUMS, only: '' },
  rollup: { table: 'usage_hourly', moment: 'period_start', sums: ROLLUP_SUMS, only: '' },
  refused: {
    table: 'ledger',
    moment: 'created_at',
    sums: REFUSED_SUMS,
    only: ` AND final AND ${IS_REFUSED}`,
  },
}

function narrow({ scope, id }: Subject, parameter: (value: unknown) => string): string {
  switch (scope) {
    case 'organization':
      return ''
    case 'team':
      return ` AND team_id = ${parameter(id)}`
    case 'key':
      return ` AND key_id = ${parameter(id)}`
    case 'user':
      return ` AND user_id = ${parameter(id)}`
    case 'tag': {
      const at = id.indexOf('=')
      return ` AND tags @> ${parameter(JSON.stringify({ [id.slice(0, at)]: id.slice(at + 1) }))}::jsonb`
    }
  }
}
