export type Severity = 'low' | 'medium' | 'high' | 'critical'

/** Something that people should know. */
export interface AlertEvent {
  /** What kind of thing it is: `budget_threshold`, `hourly_cost`, `daily_cost`, `spend_anomaly`, `unknown_price` … */
  readonly kind: string
  readonly severity: Severity
  /** Whose affair it is; `null` = the whole deployment's. */
  readonly organizationId: string | null
  /** The same for the same thing: raised twice with the same, it is one alert. */
  readonly dedupeKey: string
  /** One sentence. */
  readonly title: string
  /** What somebody needs to act on it; no contents of calls. */
  readonly detail: Readonly<Record<string, unknown>>
}
