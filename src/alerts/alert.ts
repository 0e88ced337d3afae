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
  /** When it is over by itself, as with the period of a budget; left out: whoever raised it says so. */
  readonly endsAt?: Date | undefined
}

export type AlertStatus = 'active' | 'acknowledged' | 'resolved'

export interface AlertNote {
  readonly at: string
  readonly by: string
  readonly text: string
}

/** An alert as it is kept. */
export interface Alert extends AlertEvent {
  readonly id: string
  readonly status: AlertStatus
  readonly raisedAt: Date
  readonly endsAt: Date | undefined
  readonly acknowledgedAt: Date | null
  readonly acknowledgedBy: string | null
  readonly resolvedAt: Date | null
  readonly resolvedBy: string | null
  readonly notes: readonly AlertNote[]
}

/** What channels are told of. */
export type AlertMoment = 'raised' | 'resolved'
