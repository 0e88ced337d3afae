import { quoteArrayItem } from './array-literal.ts'
import type { Statement } from './database.ts'
import type { RollupRow } from './usage-rollup.ts'

const COLUMNS: readonly (readonly [name: keyof RollupRow, type: string])[] = [
  ['period_start', 'timestamptz'],
  ['dimension_key', 'uuid'],
  ['organization_id', 'text'],
  ['team_id', 'text'],
  ['key_id', 'text'],
  ['provider', 'text'],
  ['model', 'text'],
  ['operation', 'text'],
  ['task', 'text'],
  ['requests', 'bigint'],
  ['errors', 'bigint'],
  ['cache_hits', 'bigint'],
  ['estimated', 'bigint'],
  ['tokens_input', 'bigint'],
  ['tokens_output', 'bigint'],
  ['tokens_cached', 'bigint'],
  ['cost_nano_usd', 'bigint'],
  ['latency_ms_sum', 'double precision'],
  // Unnesting would take arrays of arrays apart, so each histogram travels as text.
  ['latency_histogram', 'text'],
]
const FIRST_SUM = COLUMNS.findIndex(([name]) => name === 'requests')
const NAMES = COLUMNS.map(([name]) => name)

/** Adds rows to `usage_hourly`; its parameters are what `toRollupParameters` makes. */
export const ADD_HOURLY = toStatement('usage_hourly')
export const ADD_DAILY = toStatement('usage_daily')

/**
 * ON CONFLICT rather than an UPDATE with a join: it finds each row through the unique index whatever the planner
 * believes of the table's size, and the embedded database has nobody who keeps statistics fresh.
 */
function toStatement(table: string): Statement {
  const columns = NAMES.map((name) => (name === 'latency_histogram' ? `${name}::integer[]` : name))
  const sums = NAMES.slice(FIRST_SUM).map((name) =>
    name === 'latency_histogram'
      ? `${name} = gatehouse_add_histograms(stored.${name}, excluded.${name})`
      : `${name} = stored.${name} + excluded.${name}`,
  )
  return {
    name: `add-${table}`,
    text:
      `INSERT INTO ${table} AS stored (${NAMES.join(', ')}) SELECT ${columns.join(', ')} ` +
      `FROM unnest(${COLUMNS.map(([, type], index) => `$${index + 1}::${type}[]`).join(', ')}) ` +
      `AS given(${NAMES.join(', ')}) ` +
      `ON CONFLICT (period_start, dimension_key) DO UPDATE SET ${sums.join(', ')}`,
  }
}

/** @returns one array literal per column */
export function toRollupParameters(rows: readonly RollupRow[]): string[] {
  return NAMES.map((name) => {
    let literal = ''
    for (const row of rows) {
      literal += literal === '' ? '{' : ','
      const value = row[name]
      if (typeof value === 'string') literal += quoteArrayItem(value)
      else if (value === null) literal += 'NULL'
      else if (typeof value !== 'number') literal += `"{${value.join(',')}}"`
      else literal += name === 'period_start' ? new Date(value).toISOString() : value
    }
    return literal === '' ? '{}' : `${literal}}`
  })
}
