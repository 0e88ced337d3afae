import { hash } from 'node:crypto'
import type { LedgerRow } from '../ledger/ports.ts'
import { LATENCY_BUCKETS, latencyBucket } from './latency-histogram.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS

/** Sums of one group of rows in one period: a row of `usage_hourly` or `usage_daily`. */
export interface RollupRow {
  /** Milliseconds since 1970. */
  readonly period_start: number
  /** 128 bits of a digest of the dimensions, as hexadecimal digits, which PostgreSQL takes for a `uuid`. */
  readonly dimension_key: string
  readonly organization_id: string
  readonly team_id: string | null
  readonly key_id: string | null
  readonly provider: string | null
  readonly model: string | null
  readonly operation: string
  readonly task: string | null
  requests: number
  errors: number
  cache_hits: number
  estimated: number
  tokens_input: number
  tokens_output: number
  tokens_cached: number
  cost_nano_usd: number
  latency_ms_sum: number
  latency_histogram: number[]
}

export interface Rollups {
  readonly hourly: readonly RollupRow[]
  readonly daily: readonly RollupRow[]
}

/**
 * Sums rows by hour and by day, in UTC. A call counts once, in its final row; tokens and cost count in every row.
 *
 * @returns groups in one order for all writers, so that two of them do not block each other
 */
export function toRollups(rows: readonly LedgerRow[]): Rollups {
  const hourly = new Map<string, RollupRow>()
  for (const row of rows) {
    const start = Math.floor(row.createdAt.getTime() / HOUR_MS) * HOUR_MS
    const dimensions = toDimensionText(row)
    const key = dimensions + start
    let group = hourly.get(key)
    if (group === undefined) {
      group = emptyGroup(row, start, toDimensionKey(dimensions))
      hourly.set(key, group)
    }
    addRow(group, row)
  }
  const daily = new Map<string, RollupRow>()
  for (const group of hourly.values()) {
    const start = Math.floor(group.period_start / DAY_MS) * DAY_MS
    const key = group.dimension_key + start
    const sum = daily.get(key)
    if (sum === undefined) {
      daily.set(key, { ...group, period_start: start, latency_histogram: [...group.latency_histogram] })
    } else addGroup(sum, group)
  }
  return { hourly: inOrder(hourly), daily: inOrder(daily) }
}

function toDimensionText(row: LedgerRow): string {
  return (
    keyPart(row.organizationId) +
    keyPart(row.teamId) +
    keyPart(row.keyId) +
    keyPart(row.provider) +
    keyPart(row.model) +
    keyPart(row.operation) +
    keyPart(row.task)
  )
}

/** No storable text holds a zero character, and a null is unlike every text. */
function keyPart(value: string | null): string {
  return value === null ? '-\0' : `+${value}\0`
}

function toDimensionKey(dimensions: string): string {
  return hash('sha256', dimensions, 'hex').slice(0, 32)
}

function emptyGroup(row: LedgerRow, start: number, dimensionKey: string): RollupRow {
  return {
    period_start: start,
    dimension_key: dimensionKey,
    organization_id: row.organizationId,
    team_id: row.teamId,
    key_id: row.keyId,
    provider: row.provider,
    model: row.model,
    operation: row.operation,
    task: row.task,
    requests: 0,
    errors: 0,
    cache_hits: 0,
    estimated: 0,
    tokens_input: 0,
    tokens_output: 0,
    tokens_cached: 0,
    cost_nano_usd: 0,
    latency_ms_sum: 0,
    latency_histogram: new Array<number>(LATENCY_BUCKETS).fill(0),
  }
}

function addRow(group: RollupRow, row: LedgerRow): void {
  group.tokens_input += row.tokensInput ?? 0
  group.tokens_output += row.tokensOutput ?? 0
  group.tokens_cached += row.tokensCached ?? 0
  group.cost_nano_usd += row.costNanoUsd
  if (row.estimated) group.estimated++
  if (!row.final) return
  group.requests++
  if (row.status >= 400) group.errors++
  if (row.cache === 'exact' || row.cache === 'semantic') group.cache_hits++
  group.latency_ms_sum += row.latencyMs
  const bucket = latencyBucket(row.latencyMs)
  group.latency_histogram[bucket] = (group.latency_histogram[bucket] ?? 0) + 1
}

function addGroup(sum: RollupRow, group: RollupRow): void {
  sum.requests += group.requests
  sum.errors += group.errors
  sum.cache_hits += group.cache_hits
  sum.estimated += group.estimated
  sum.tokens_input += group.tokens_input
  sum.tokens_output += group.tokens_output
  sum.tokens_cached += group.tokens_cached
  sum.cost_nano_usd += group.cost_nano_usd
  sum.latency_ms_sum += group.latency_ms_sum
  for (const [bucket, count] of group.latency_histogram.entries()) {
    if (count > 0) sum.latency_histogram[bucket] = (sum.latency_histogram[bucket] ?? 0) + count
  }
}

function inOrder(groups: ReadonlyMap<string, RollupRow>): readonly RollupRow[] {
  return [...groups.values()].sort(
    (a, b) => a.period_start - b.period_start || (a.dimension_key < b.dimension_key ? -1 : 1),
  )
}
