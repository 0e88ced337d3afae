import type { Page, PageRequest } from '../contract/page.ts'
import type { Clock } from '../core/clock.ts'
import { GatewayError } from '../core/errors.ts'
import { uuidV7 } from '../core/ids.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'
import { DAY_MS, MINUTE_MS } from './amounts.ts'
import { createBudgetSweep } from './budget-sweep.ts'
import { createBudgetWatch, type SpentRow } from './budget-watch.ts'
import type { Channel } from './channels/channel.ts'
import type { AlertLogger } from './channels/log.ts'
import { type ChannelSettings, openChannels } from './channels/open-channels.ts'
import type { Fetch } from './channels/post.ts'
import { createDeliveries, tryToSend } from './deliveries.ts'
import type {
  Alert,
  AlertEvent,
  AlertFilter,
  AlertStore,
  BudgetSource,
  Delivery,
  LeaseStore,
  SpendStore,
} from './ports.ts'
import { createReports } from './reports.ts'
import {
  type CostThresholds,
  dailyCostRule,
  hourlyCostRule,
  spendAnomalyRule,
  type TimedRule,
} from './timed-rules.ts'
import { createUnknownPrices, missingPriceOf } from './unknown-prices.ts'

export interface AlertsOptions {
  readonly store: AlertStore
  readonly leases: LeaseStore
  readonly spend: SpendStore
  /** Left out: nothing is said of budgets. */
  readonly budgets?: BudgetSource | undefined
  /** Of the configuration in force; asked at each look. */
  readonly settings: () => {
    readonly channels: readonly ChannelSettings[]
    readonly thresholds: CostThresholds
  }
  readonly clock: Clock
  readonly logger: AlertLogger
  readonly fetch?: Fetch | undefined
  /** In place of PagerDuty's own, for tests. */
  readonly pagerDutyUrl?: string | undefined
}

export interface TestResult {
  readonly channel: string
  readonly kind: string
  readonly ok: boolean
  readonly error: string | null
}

/** What somebody says of an alert, and who. */
export interface Remark {
  readonly by: string
  readonly note?: string | undefined
}

/** Rules, what they found, and how people are told of it. */
export interface Alerts {
  /** Tells people of something, once for each key. Never waits and never fails; kept while the database is away. */
  report(event: AlertEvent): void
  /** Looks at a call that is booked, for the rules. */
  noteSettled(exchange: Exchange, outcome: Outcome, rows: readonly SpentRow[]): void
  list(filter: AlertFilter, page: PageRequest): Promise<Page<Alert>>
  /** @throws GatewayError `not_found`, as the next two */
  find(id: string): Promise<{ readonly alert: Alert; readonly deliveries: readonly Delivery[] }>
  acknowledge(id: string, remark: Remark): Promise<Alert>
  resolve(id: string, remark: Remark): Promise<Alert>
  channels(): readonly Pick<Channel, 'name' | 'kind'>[]
  /**
   * Sends a test message through all channels, or one.
   *
   * @throws GatewayError `not_found` where there is no such channel
   */
  test(channel?: string): Promise<readonly TestResult[]>
  /** What happens within a second of a call: looks at budgets, stores what was found, tells the channels. */
  look(): Promise<void>
  /**
   * What happens once a minute, on one replica.
   *
   * @returns whether it was this one
   */
  evaluate(): Promise<boolean>
  /** Lets go of timers and the lease, and breaks off messages that are under way: they are sent again later. */
  close(): Promise<void>
}

/** Soon enough for people, and seldom enough that many calls are looked at in one go. */
const LOOK_MS = 1000
/** Messages that failed before, or were left by another process. */
const DELIVER_MS = 5000
const EVALUATE_MS = MINUTE_MS
const LEASE = 'alert-rules'
/** Two looks may be missed. */
const LEASE_MS = 2.5 * MINUTE_MS
const ENDED_MAX = 1000
/** Resolved alerts and what became of their messages. */
const KEPT_DAYS = 400
const RULES = 'rules'

export function openAlerts(options: AlertsOptions): Alerts {
  const { store, leases, spend, budgets, clock, logger } = options
  const now = () => clock.now()
  const closing = new AbortController()
  const holder = uuidV7(clock.now())
  const onError = (error: unknown) => {
    if (!closing.signal.aborted) logger.error({ error }, 'alerts could not be looked after, trying again')
  }

  let opened: { readonly from: readonly ChannelSettings[]; readonly byName: ReadonlyMap<string, Channel> }
  function channels(): ReadonlyMap<string, Channel> {
    const { channels: from } = options.settings()
    if (opened?.from !== from) opened = { from, byName: openChannels(from, { ...options, now }) }
    return opened.byName
  }
  const channelNames = () => [...channels().keys()]

  const deliveries = createDeliveries({
    store,
    channels,
    now,
    signal: closing.signal,
    onError,
    onFailed: ({ alert, channel, attempts }, reason) =>
      logger.warn({ alertId: alert.id, channel, attempts, reason }, 'an alert could not be sent'),
  })
  const reports = createReports({ store, now, channels: channelNames, newId: () => uuidV7(now()), onError })
  const watch =
    budgets === undefined
      ? undefined
      : createBudgetWatch({
          source: budgets,
          nameOf: spend.organizationName,
          report: reports.add,
          isReported: reports.has,
          now,
          onError,
        })

  async function resolveByRule(alert: Alert, note: string): Promise<void> {
    await store.resolve(alert.id, { at: new Date(now()), by: RULES, note }, channelNames())
  }

  const ruleOptions = {
    store,
    spend,
    thresholds: () => options.settings().thresholds,
    report: reports.add,
    isReported: reports.has,
    resolve: resolveByRule,
    signal: closing.signal,
  }
  let forgotAtMs = Number.NEGATIVE_INFINITY
  const timedRules: TimedRule[] = [
    async (nowMs) => {
      const change = { at: new Date(nowMs), by: RULES, note: 'Its time is over.' }
      await store.resolveEnded(change, channelNames(), ENDED_MAX)
    },
    hourlyCostRule(ruleOptions),
    dailyCostRule(ruleOptions),
    spendAnomalyRule(ruleOptions),
    async (nowMs) => {
      if (nowMs - forgotAtMs < DAY_MS) return
      await store.forget(new Date(nowMs - KEPT_DAYS * DAY_MS))
      forgotAtMs = nowMs
    },
  ]
  if (budgets !== undefined) timedRules.push(createBudgetSweep({ ...ruleOptions, source: budgets }).run)

  async function storeAndTell(): Promise<void> {
    await reports.flush()
    await deliveries.run()
  }

  async function look(): Promise<void> {
    await watch?.look()
    await storeAndTell()
  }

  async function evaluate(): Promise<boolean> {
    try {
      if (!(await leases.take(LEASE, holder, LEASE_MS))) return false
    } catch (error) {
      onError(error)
      return false
    }
    for (const rule of timedRules) {
      if (closing.signal.aborted) break
      // One that fails must not silence the others.
      await rule(now()).catch(onError)
    }
    await storeAndTell()
    return true
  }

  /** What runs in the background, so that closing can wait for it. */
  const running = new Set<Promise<unknown>>()
  function start(work: () => Promise<unknown>): void {
    if (closing.signal.aborted) return
    const done = work()
      .catch(onError)
      .finally(() => running.delete(done))
    running.add(done)
  }

  let lookTimer: NodeJS.Timeout | undefined
  function lookSoon(): void {
    if (lookTimer !== undefined || closing.signal.aborted) return
    lookTimer = setTimeout(() => {
      lookTimer = undefined
      start(look)
    }, LOOK_MS)
    lookTimer.unref()
  }
  const deliverTimer = setInterval(() => start(storeAndTell), DELIVER_MS).unref()
  let isEvaluating = false
  function evaluateOnce(): void {
    if (isEvaluating) return
    isEvaluating = true
    start(() =>
      evaluate().finally(() => {
        isEvaluating = false
      }),
    )
  }
  // A process that starts finds soon what happened while there was none; commands that open the stores are gone by then.
  const firstTimer = setTimeout(evaluateOnce, DELIVER_MS).unref()
  const evaluateTimer = setInterval(evaluateOnce, EVALUATE_MS).unref()

  function report(event: AlertEvent): void {
    reports.add(event)
    lookSoon()
  }
  const unknownPrices = createUnknownPrices(report, now)

  return {
    report,

    noteSettled({ caller, attempts }, outcome, rows) {
      if (watch?.note(outcome, rows) === true) lookSoon()
      const organizationId = caller?.organizationId ?? ''
      for (const { provider, model, price } of attempts) {
        if (!price.known) unknownPrices.note({ provider, model, organizationId, isRefused: false })
      }
      if (outcome.error === undefined) return
      const missing = missingPriceOf(outcome.error)
      if (missing !== undefined) unknownPrices.note({ ...missing, organizationId, isRefused: true })
    },

    list: (filter, page) => store.list(filter, page),
    async find(id) {
      const alert = (await store.find(id)) ?? missing(id)
      return { alert, deliveries: await store.deliveries(id) }
    },
    async acknowledge(id, { by, note }) {
      return (await store.acknowledge(id, { at: new Date(now()), by, note })) ?? missing(id)
    },
    async resolve(id, { by, note }) {
      const alert = await store.resolve(id, { at: new Date(now()), by, note }, channelNames())
      start(storeAndTell)
      return alert ?? missing(id)
    },
    channels: () => [...channels().values()].map(({ name, kind }) => ({ name, kind })),
    async test(only) {
      const byName = channels()
      const chosen = only === undefined ? [...byName.values()] : [byName.get(only)]
      const message = { moment: 'test' as const, alert: testAlert(now()) }
      return Promise.all(
        chosen.map(async (channel) => {
          if (channel === undefined) {
            throw new GatewayError('not_found', { message: `There is no channel \`${only}\`.` })
          }
          const error = await tryToSend(channel, message, closing.signal)
          return { channel: channel.name, kind: channel.kind, ok: error === undefined, error: error ?? null }
        }),
      )
    },
    look,
    evaluate,
    async close() {
      closing.abort()
      clearTimeout(lookTimer)
      clearTimeout(firstTimer)
      clearInterval(deliverTimer)
      clearInterval(evaluateTimer)
      await Promise.all(running)
      // What was found a moment ago is not lost with the process.
      await reports.flush()
      await leases.release(LEASE, holder).catch(() => undefined)
    },
  }
}

function testAlert(nowMs: number): Alert {
  const id = uuidV7(nowMs)
  return {
    id,
    kind: 'test',
    severity: 'low',
    organizationId: null,
    dedupeKey: `test/${id}`,
    title: 'This is a test of an alert channel. Nothing is wrong.',
    detail: {},
    status: 'active',
    raisedAt: new Date(nowMs),
    endsAt: undefined,
    acknowledgedAt: null,
    acknowledgedBy: null,
    resolvedAt: null,
    resolvedBy: null,
    notes: [],
  }
}

function missing(id: string): never {
  throw new GatewayError('not_found', { message: `There is no alert \`${id}\`.` })
}
