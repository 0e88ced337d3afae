import type { Group, UsageQuery, UsageRow } from '../ledger/ports.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Columns of the ledger that usage can be grouped by; the roll-ups have those that are no `rawOnly`. */
const GROUP_COLUMNS: Readonly<Record<string, { readonly column: string; readonly rawOnly: boolean }>> = {
  organization: { column: 'organization_id', rawOnly: false },
  team: { column: 'team_id', rawOnly: false },
  key: { column: 'key_id', rawOnly: false },
  user: { column: 'user_id', rawOnly: true },
  session: { column: 'session_id', rawOnly: true },
  provider: { column: 'provider', rawOnly: false },
  model: { column: 'model', rawOnly: false },
  operation: { column: 'operation', rawOnly: false },
  task: { column: 'task', rawOnly: false },
}
const TAG_PREFIX = 'tag:'

const ROLLUP_SUMS =
  'requests, errors, cache_hits, tokens_input, tokens_output, tokens_cached, cost_nano_usd, estimated'
const RAW_SUMS = `
  (final)::int AS requests,
  (final AND status >= 400)::int AS errors,
  (final AND cache IN ('exact', 'semantic'))::int AS cache_hits,
  coalesce(tokens_input, 0) AS tokens_input,
  coalesce(tokens_output, 0) AS tokens_output,
  coalesce(tokens_cached, 0) AS tokens_cached,
  cost_nano_usd,
  estimated::int AS estimated`

/** A stretch of time and the table that answers for it. `to` is exclusive. */
export interface UsageSegment {
  readonly source: 'ledger' | 'usage_hourly' | 'usage_daily'
  readonly fromMs: number
  readonly toMs: number
}

/**
 * Cuts a query's time so that whole days come from the daily roll-up, whole hours from the hourly one, and only
 * what is left at the two ends from the ledger's rows. The sums are the same wherever they come from.
 */
export function planUsage(query: Pick<UsageQuery, 'from' | 'to' | 'groupBy' | 'interval'>): UsageSegment[] {
  const fromMs = query.from.getTime()
  const toMs = query.to.getTime()
  if (!(fromMs < toMs)) return []
  if (query.groupBy.some(isRawOnly)) return [{ source: 'ledger', fromMs, toMs }]
  const hours = whole(fromMs, toMs, HOUR_MS)
  if (hours === undefined) return [{ source: 'ledger', fromMs, toMs }]
  const days = query.interval === 'hour' ? undefined : whole(hours.fromMs, hours.toMs, DAY_MS)
  const middle: UsageSegment[] =
    days === undefined
      ? [{ source: 'usage_hourly', ...hours }]
      : [
          { source: 'usage_hourly', fromMs: hours.fromMs, toMs: days.fromMs },
          { source: 'usage_daily', ...days },
          { source: 'usage_hourly', fromMs: days.toMs, toMs: hours.toMs },
        ]
  const all: UsageSegment[] = [
    { source: 'ledger', fromMs, toMs: hours.fromMs },
    ...middle,
    { source: 'ledger', fromMs: hours.toMs, toMs },
  ]
  return all.filter((segment) => segment.fromMs < segment.toMs)
}

/** @returns the whole periods between two moments, `undefined` where there is none */
function whole(fromMs: number, toMs: number, periodMs: number): { fromMs: number; toMs: number } | undefined {
  const first = Math.ceil(fromMs / periodMs) * periodMs
  const last = Math.floor(toMs / periodMs) * periodMs
  return first < last ? { fromMs: first, toMs: last } : undefined
}

function isRawOnly(group: Group): boolean {
  return group.startsWith(TAG_PREFIX) || (GROUP_COLUMNS[group]?.rawOnly ?? true)
}

/**
 * @returns one statement for all segments, so that all of them see the books at the same moment; `undefined` where
 *   there is nothing to ask. Its rows are what `fromUsageRecord` reads: by period where there is an interval, else
 *   by cost, largest first
 */
export function toUsageStatement(query: UsageQuery): { sql: string; parameters: unknown[] } | undefined {
  const segments = planUsage(query)
  if (segments.length === 0) return undefined
  const parameters: unknown[] = []
  const parameter = (value: unknown) => `$${parameters.push(value)}`
  const organization =
    query.organizationId === undefined ? '' : ` AND organization_id = ${parameter(query.organizationId)}`
  const groups = query.groupBy.map((group, index) => {
    const expression = group.startsWith(TAG_PREFIX)
      ? `tags ->> ${parameter(group.slice(TAG_PREFIX.length))}`
      : GROUP_COLUMNS[group]?.column
    return `${expression} AS group_${index}`
  })
  const parts = segments.map((segment) => {
    const moment = segment.source === 'ledger' ? 'created_at' : 'period_start'
    const columns = [...groups]
    // Interval is one of three words of the code, never the caller's text.
    if (query.interval !== undefined)
      columns.push(`date_trunc('${query.interval}', ${moment}, 'UTC') AS period`)
    columns.push(segment.source === 'ledger' ? RAW_SUMS : ROLLUP_SUMS)
    const from = parameter(new Date(segment.fromMs).toISOString())
    const to = parameter(new Date(segment.toMs).toISOString())
    return (
      `SELECT ${columns.join(', ')} FROM ${segment.source} ` +
      `WHERE ${moment} >= ${from}::timestamptz AND ${moment} < ${to}::timestamptz${organization}`
    )
  })
  const keys = query.groupBy.map((_, index) => `group_${index}`)
  if (query.interval !== undefined) keys.push('period')
  const sums = ROLLUP_SUMS.split(', ')
    .map((name) => `sum(${name})::bigint AS ${name}`)
    .join(', ')
  const having = keys.length === 0 ? 'HAVING count(*) > 0' : `GROUP BY ${keys.join(', ')}`
  const grouped = `SELECT ${[...keys, sums].join(', ')} FROM (${parts.join(' UNION ALL ')}) AS parts ${having}`
  const tie = keys.map((key) => `${key} NULLS LAST`)
  const largest = `${grouped} ORDER BY ${['cost_nano_usd DESC', ...tie].join(', ')} LIMIT ${parameter(query.rowsMax)}`
  if (query.interval === undefined) return { sql: largest, parameters }
  const order = ['period', 'cost_nano_usd DESC', ...tie].join(', ')
  return { sql: `SELECT * FROM (${largest}) AS largest ORDER BY ${order}`, parameters }
}

export function fromUsageRecord(
  record: Readonly<Record<string, unknown>>,
  query: Pick<UsageQuery, 'groupBy' | 'interval'>,
): UsageRow {
  // Beyond 9 million dollars a double holds no single nano-dollars any more; that is 2 nano-dollars at most.
  const number = (name: string) => Number(record[name])
  return {
    groups: query.groupBy.map((_, index) => (record[`group_${index}`] as string | null) ?? null),
    periodStart: query.interval === undefined ? undefined : (record.period as Date),
    requests: number('requests'),
    errors: number('errors'),
    cacheHits: number('cache_hits'),
    tokensInput: number('tokens_input'),
    tokensOutput: number('tokens_output'),
    tokensTotal: number('tokens_input') + number('tokens_output'),
    tokensCached: number('tokens_cached'),
    costNanoUsd: number('cost_nano_usd'),
    estimated: number('estimated'),
  }
}
