import type { PolicyStore, SpentQuery } from '../limits/ports.ts'

export type Subject = SpentQuery['subject']
export type Policy = Awaited<ReturnType<PolicyStore['list']>>[number]
export type Limits = NonNullable<Policy['limits']>
export type Budget = NonNullable<Policy['budget']>

/** Limits and budget of one subject, side by side; of what is not set all columns are null. */
export interface PolicyRecord {
  readonly organization_id: string
  readonly scope: Subject['scope']
  readonly subject: string
  readonly has_limits: boolean
  readonly requests_per_minute: number | null
  readonly tokens_per_minute: number | null
  readonly tokens_per_hour: number | null
  readonly cost_per_day_nano_usd: number | null
  readonly concurrent_requests: number | null
  readonly queue_ms: number | null
  readonly queue_max: number | null
  readonly fail_closed: boolean | null
  readonly has_budget: boolean
  readonly limit_nano_usd: number | null
  readonly hard_limit: boolean | null
  readonly alert_at: readonly number[] | null
  readonly period: 'day' | 'week' | 'month' | 'quarter' | 'year' | 'custom' | null
  readonly period_start: Date | null
  readonly period_end: Date | null
}

/** Joins `subjects(organization_id, scope, subject)` with what is set on each. */
export const POLICY_SELECT = `
  SELECT organization_id, scope, subject,
    l.updated_at IS NOT NULL AS has_limits, l.requests_per_minute, l.tokens_per_minute, l.tokens_per_hour,
    l.cost_per_day_nano_usd, l.concurrent_requests, l.queue_ms, l.queue_max, l.fail_closed,
    b.updated_at IS NOT NULL AS has_budget, b.limit_nano_usd, b.hard_limit, b.alert_at, b.period, b.period_start,
    b.period_end
  FROM subjects
  LEFT JOIN limits AS l USING (organization_id, scope, subject)
  LEFT JOIN budgets AS b USING (organization_id, scope, subject)`

export function fromPolicyRecord(record: PolicyRecord): Policy {
  return {
    organizationId: record.organization_id,
    subject: { scope: record.scope, id: record.subject },
    limits: record.has_limits ? toLimits(record) : undefined,
    budget: record.has_budget ? toBudget(record) : undefined,
  }
}

function toLimits(record: PolicyRecord): Limits {
  const { queue_ms: queueMs, queue_max: queueMax } = record
  return {
    requestsPerMinute: record.requests_per_minute,
    tokensPerMinute: record.tokens_per_minute,
    tokensPerHour: record.tokens_per_hour,
    costPerDayNanoUsd: record.cost_per_day_nano_usd,
    concurrentRequests: record.concurrent_requests,
    onLimit: queueMs === null || queueMax === null ? 'reject' : { queueMs, queueMax },
    failClosed: record.fail_closed === true,
  }
}

function toBudget(record: PolicyRecord): Budget {
  return {
    limitNanoUsd: record.limit_nano_usd,
    hardLimit: record.hard_limit !== false,
    alertAt: record.alert_at ?? [],
    period: toPeriod(record),
  }
}

function toPeriod({ period, period_start, period_end }: PolicyRecord): Budget['period'] {
  if (period === 'custom' && period_start !== null && period_end !== null) {
    return { kind: 'custom', startMs: period_start.getTime(), endMs: period_end.getTime() }
  }
  return { kind: 'calendar', unit: period === null || period === 'custom' ? 'month' : period }
}

/** Values by column, of those that the change names. */
export type PolicyColumns = Readonly<Record<string, unknown>>

export function toLimitsColumns(change: Partial<Limits>): PolicyColumns {
  const { onLimit } = change
  return defined({
    requests_per_minute: change.requestsPerMinute,
    tokens_per_minute: change.tokensPerMinute,
    tokens_per_hour: change.tokensPerHour,
    cost_per_day_nano_usd: change.costPerDayNanoUsd,
    concurrent_requests: change.concurrentRequests,
    ...(onLimit === undefined
      ? {}
      : onLimit === 'reject'
        ? { queue_ms: null, queue_max: null }
        : { queue_ms: onLimit.queueMs, queue_max: onLimit.queueMax }),
    fail_closed: change.failClosed,
  })
}

export function toBudgetColumns(change: Partial<Budget>): PolicyColumns {
  const { alertAt, period } = change
  return defined({
    limit_nano_usd: change.limitNanoUsd,
    hard_limit: change.hardLimit,
    alert_at: alertAt === undefined ? undefined : [...new Set(alertAt)].sort((a, b) => a - b),
    ...(period === undefined
      ? {}
      : period.kind === 'calendar'
        ? { period: period.unit, period_start: null, period_end: null }
        : {
            period: 'custom',
            period_start: new Date(period.startMs),
            period_end: new Date(period.endMs),
          }),
  })
}

function defined(columns: PolicyColumns): PolicyColumns {
  return Object.fromEntries(Object.entries(columns).filter(([, value]) => value !== undefined))
}
