import type { Page, PageRequest } from '../contract/page.ts'
import type { Alert, AlertEvent, AlertMoment, AlertStatus, Severity } from './alert.ts'

export type { Alert, AlertEvent, AlertMoment, AlertNote, AlertStatus, Severity } from './alert.ts'

export interface AlertFilter {
  readonly status?: AlertStatus | undefined
  readonly organizationId?: string | undefined
  readonly kind?: string | undefined
  readonly severity?: Severity | undefined
}

/** What became of telling one channel of one event. */
export interface Delivery {
  readonly alertId: string
  readonly moment: AlertMoment
  readonly channel: string
  readonly attempts: number
  /** `null` = delivered, or given up. */
  readonly nextAttemptAt: Date | null
  readonly deliveredAt: Date | null
  readonly lastError: string | null
}

/** A delivery that whoever got it has to make. */
export interface DueDelivery {
  readonly alert: Alert
  readonly moment: AlertMoment
  readonly channel: string
  /** This one included. */
  readonly attempts: number
}

/** Which delivery. */
export type DeliveryName = Pick<Delivery, 'alertId' | 'moment' | 'channel'>

/** What somebody, or a rule, says of an alert. */
export interface Change {
  readonly at: Date
  readonly by: string
  readonly note?: string | undefined
}

/** Where alerts and the messages about them are kept. All throw GatewayError `storage_unavailable`. */
export interface AlertStore {
  /**
   * Keeps an alert and what is to be told to each channel, in one step.
   *
   * @returns the alert; `undefined` where its key was raised before: by this replica, another one or an earlier process
   */
  raise(
    id: string,
    event: AlertEvent,
    raisedAt: Date,
    channels: readonly string[],
  ): Promise<Alert | undefined>
  find(id: string): Promise<Alert | undefined>
  /** Newest first. */
  list(filter: AlertFilter, page: PageRequest): Promise<Page<Alert>>
  /** Those of a kind that are not resolved, newest first, at most `max`. */
  listOpen(kind: string, max: number): Promise<Alert[]>
  deliveries(alertId: string): Promise<Delivery[]>
  /** @returns the alert as it is now; `undefined` where there is none. One that is resolved stays so */
  acknowledge(id: string, change: Change): Promise<Alert | undefined>
  /**
   * Resolves it unless it is, and gives the channels something to say of it.
   *
   * @returns the alert as it is now; `undefined` where there is none
   */
  resolve(id: string, change: Change, channels: readonly string[]): Promise<Alert | undefined>
  /** Resolves up to `max` alerts that are over by themselves. @returns how many */
  resolveEnded(change: Change, channels: readonly string[], max: number): Promise<number>
  /**
   * Deliveries that are due, at most `max`, the oldest first. Each is handed to one asker, and to another one after
   * `claimMs` where nothing was reported: whoever had it is gone.
   *
   * @param without channels that are busy
   */
  claimDeliveries(now: Date, claimMs: number, without: readonly string[], max: number): Promise<DueDelivery[]>
  markDelivered(name: DeliveryName, at: Date): Promise<void>
  /** @param retryAt `null` = it is given up */
  markFailed(name: DeliveryName, error: string, retryAt: Date | null): Promise<void>
  /** Forgets what was resolved before a moment, with its deliveries. */
  forget(before: Date): Promise<void>
}

/** The right to do what only one replica should do. */
export interface LeaseStore {
  /** @returns whether `holder` has it for the next `leaseMs`; who has it already has it longer */
  take(name: string, holder: string, leaseMs: number): Promise<boolean>
  release(name: string, holder: string): Promise<void>
}

/** What one organization spent in an hour, and in the same hour of earlier weeks. */
export interface HourOfWeek {
  readonly organizationId: string
  readonly costNanoUsd: number
  /** One for each week since the organization's first call, newest first; 0 where nothing was spent. */
  readonly earlierNanoUsd: readonly number[]
}

export interface Spender {
  readonly organizationId: string
  readonly costNanoUsd: number
}

/** What was spent, according to the books. */
export interface SpendStore {
  /** @returns what all calls of a stretch of time have cost; quick where it begins and ends with an hour */
  spentBetween(from: Date, to: Date): Promise<number>
  /**
   * @param unit in which the roll-up is read; `from` begins one
   * @returns up to `max` organizations that spent anything from `from` on, by their ids, those after `after`
   */
  spenders(unit: 'hour' | 'day', from: Date, after: string, max: number): Promise<Spender[]>
  /** Organizations that spent at least so much in the hour that begins at `hour`, the largest first. */
  hoursOfWeek(hour: Date, weeks: number, leastNanoUsd: number, max: number): Promise<HourOfWeek[]>
  /** @returns `undefined` where it is unknown */
  organizationName(organizationId: string): Promise<string | undefined>
}

/** What a budget is set on, within its organization: `''` for the organization itself. */
export interface Subject {
  readonly scope: 'organization' | 'team' | 'key' | 'user' | 'tag'
  readonly id: string
}

/** A budget in one of its periods. */
export interface BudgetPeriod {
  readonly organizationId: string
  readonly subject: Subject
  readonly limitNanoUsd: number
  readonly hardLimit: boolean
  /** Shares of the limit. */
  readonly alertAt: readonly number[]
  readonly startMs: number
  readonly endMs: number
}

export interface BudgetUse {
  readonly budget: BudgetPeriod
  readonly usedNanoUsd: number
}

/** Budgets and what they have come to. */
export interface BudgetSource {
  /** By the counters: what this process knows of the budgets of these subjects, now. */
  now(organizationId: string, subjects: readonly Subject[], atMs: number): Promise<readonly BudgetUse[]>
  /** By the ledger: all budgets of one organization. */
  booked(organizationId: string, atMs: number): Promise<readonly BudgetUse[]>
}
