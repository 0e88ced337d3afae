/** What covers a call, from wide to narrow. */
export const SCOPES = ['organization', 'team', 'key', 'user', 'tag'] as const
export type Scope = (typeof SCOPES)[number]

/** What a limit or a budget is set on, within its organization. */
export interface Subject {
  readonly scope: Scope
  /** `''` for the organization itself; the id of a team or key; an end user as callers name them; a tag as `name=value`. */
  readonly id: string
}

export const ORGANIZATION: Subject = { scope: 'organization', id: '' }

/** What happens to a call at a limit: refused at once, or kept waiting for room within these bounds. */
export type OnLimit = 'reject' | { readonly queueMs: number; readonly queueMax: number }

/** `null` = no limit. */
export interface Limits {
  readonly requestsPerMinute: number | null
  readonly tokensPerMinute: number | null
  readonly tokensPerHour: number | null
  readonly costPerDayNanoUsd: number | null
  readonly concurrentRequests: number | null
  readonly onLimit: OnLimit
  /**
   * Of an organization: whether its calls are refused while the shared counters are away. Otherwise they go on within
   * what was leased beforehand. Means nothing in other scopes.
   */
  readonly failClosed: boolean
}

/**
 * When a budget begins anew: with a day, an ISO week, a month, a quarter or a year of the calendar (UTC); or after each
 * `endMs - startMs` from `startMs` on.
 */
export type Period =
  | { readonly kind: 'calendar'; readonly unit: 'day' | 'week' | 'month' | 'quarter' | 'year' }
  | { readonly kind: 'custom'; readonly startMs: number; readonly endMs: number }

export interface Budget {
  /** Nano-dollars in one period; `null` = no limit. */
  readonly limitNanoUsd: number | null
  /** Whether calls beyond the limit are refused, or only reported. */
  readonly hardLimit: boolean
  /** Shares of the limit at which an alert is raised, once each a period; rising. */
  readonly alertAt: readonly number[]
  readonly period: Period
}

/** Everything that is set on one subject. */
export interface Policy {
  readonly organizationId: string
  readonly subject: Subject
  readonly limits: Limits | undefined
  readonly budget: Budget | undefined
}

export const NO_LIMITS: Limits = {
  requestsPerMinute: null,
  tokensPerMinute: null,
  tokensPerHour: null,
  costPerDayNanoUsd: null,
  concurrentRequests: null,
  onLimit: 'reject',
  failClosed: false,
}

export const NO_BUDGET: Budget = {
  limitNanoUsd: null,
  hardLimit: true,
  alertAt: [0.8, 1],
  period: { kind: 'calendar', unit: 'month' },
}
