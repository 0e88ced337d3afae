import { GatewayError } from '../../core/errors.ts'
import type { Policy } from '../policy.ts'
import type { Counters, SpentStore } from '../ports.ts'
import { every, type Schedule } from '../schedule.ts'
import { gathering } from './gathering.ts'
import { createGenerationKeeper, type Settings } from './generation-keeper.ts'
import { HoldWatch, toHoldRow } from './look-at-holds.ts'
import {
  type Candidate,
  judgeExcess,
  lookAtMeters,
  type MeterLookOptions,
  type Mode,
  moneyMeters,
} from './look-at-meters.ts'
import { DAY_MS, dayOf, lookAtRollups, lookAtSpend } from './look-at-rollups.ts'
import type { ReconcileStore } from './ports.ts'
import { type DriftEvent, type ReconcileReport, ReportBuilder } from './report.ts'
import { LOOK_GAP_MS, Watches } from './watch.ts'

export interface ReconcilerOptions {
  readonly counters: Counters
  readonly spent: SpentStore
  readonly store: ReconcileStore
  /** Everything that is set on and within an organization. */
  readonly policiesOf: (organizationId: string) => Promise<readonly Policy[]> | readonly Policy[]
  /** Counts an organization from the ledger unless it is counted under this generation; see `Rebuilder.ensure`. */
  readonly ensure: (organizationId: string, generation: string) => Promise<void>
  /** Resolves once everything that was answered here so far is in the ledger. */
  readonly flush: () => Promise<void>
  readonly settings: Settings
  readonly now: () => number
  /** How long a settlement of another replica may take to the ledger; 0 where there is no other. */
  readonly settlingMs: number
  /** Waits so long, or until the signal is aborted; never rejects. */
  readonly wait: (ms: number, signal: AbortSignal | undefined) => Promise<void>
  /** Whether this replica is the one that looks on schedule. */
  readonly lead: () => Promise<boolean>
  readonly onDrift: (event: DriftEvent) => void
  /** Gets each report in which something differed. */
  readonly onReport?: ((report: ReconcileReport) => void) | undefined
  readonly onError: (error: unknown) => void
}

export interface ReconcileRequest {
  /** Left out: all organizations. */
  readonly organizationId?: string | undefined
  readonly repair: boolean
  readonly signal?: AbortSignal | undefined
}

/** Compares counters, roll-ups and open holds with the ledger, which is right, and puts right what is provable. */
export interface Reconciler {
  /**
   * Looks at one organization or at all, once what runs is done.
   *
   * @throws GatewayError `storage_unavailable`; `conflict` where another replica is at it; `overloaded`
   */
  reconcile(request: ReconcileRequest): Promise<ReconcileReport>
  /** The one that ended last, on demand or on schedule. */
  readonly last: ReconcileReport | undefined
  /**
   * Resolves once the counters of an organization have at least what the ledger has, in a look that began after this:
   * for whoever gives back what a dead replica may have spent from.
   *
   * @throws GatewayError `storage_unavailable`, `conflict`, `overloaded`: then nothing is certain
   */
  makeSure(organizationId: string): Promise<void>
  /** Has a look at an organization in some seconds, before the next turn. */
  lookSoon(organizationId: string): void
  /** Finds out whether the counters fell back while nobody was there, then looks on schedule. */
  start(): Promise<void>
  close(): Promise<void>
}

const SCHEDULE_MS = 300_000
/** After a turn that failed. */
const RETRY_MS = 60_000
/** Between two looks at the clock, and at whom somebody wants to be looked at soon. */
const TICK_MS = 5000
const SOON_MAX = 10_000
/** Of one look on schedule: those with calls since the last one, then others in turn. */
const ACTIVE_MAX = 500
const IDLE_MAX = 100
/** Organizations that are taken through both steps at once, so that they wait together. */
const PAGE = 100
/** Requests that wait for those before them; people ask, and not so often. */
const WAITING_MAX = 8
/** A day of the past is looked at with each turn: each day comes again within three hours. */
const DAYS_IN_TURN = 31

export function createReconciler(options: ReconcilerOptions): Reconciler {
  const { counters, spent, store, now, onDrift } = options
  const watches = new Watches()
  const holdWatch = new HoldWatch({ counters, spent, now })
  const meterOptions: MeterLookOptions = { counters, spent, watches, now, onDrift }
  const rollupOptions = { store, onDrift }
  const keeper = createGenerationKeeper({ counters, settings: options.settings })
  /** Organizations that are known to be counted, and under which generation. */
  const counted = { generation: '', organizations: new Set<string>() }
  const soon = new Map<string, number>()
  let last: ReconcileReport | undefined
  let queue: Promise<unknown> = Promise.resolve()
  let waiting = 0
  let schedule: Schedule | undefined
  let isKept = false
  /** When the last turn began that came to its end. */
  let lookedMs = Number.NEGATIVE_INFINITY
  let nextTurnMs = Number.POSITIVE_INFINITY
  let idleAfter: string | undefined
  let dayInTurn = 2
  const closing = new AbortController()

  /** One at a time, also over all replicas. @returns `undefined` where another one is at it */
  async function alone<Result>(work: () => Promise<Result>): Promise<Result | undefined> {
    if (waiting >= WAITING_MAX) {
      throw new GatewayError('overloaded', {
        message: 'Other reconciliations are waiting. Try again in a moment.',
      })
    }
    waiting++
    const turn = queue.then(() => store.exclusively(work)).finally(() => waiting--)
    queue = turn.catch(() => undefined)
    return turn
  }

  async function run(
    request: ReconcileRequest,
    work: (report: ReportBuilder) => Promise<boolean>,
  ): Promise<ReconcileReport> {
    const startedMs = now()
    const report = new ReportBuilder()
    await options.flush()
    const generation = await keeper.check()
    if (generation !== counted.generation) {
      counted.generation = generation
      counted.organizations.clear()
    }
    const complete = await work(report)
    last = report.build({
      startedAt: new Date(startedMs).toISOString(),
      durationMs: now() - startedMs,
      repair: request.repair,
      complete,
    })
    const { totals } = last
    if (!last.clean || totals.adjusted + totals.rollupsAdjusted + totals.holdsSettled > 0)
      options.onReport?.(last)
    return last
  }

  /** @returns whether it came to its end */
  async function lookAt(
    organizationIds: readonly string[],
    { repair, signal }: ReconcileRequest,
    report: ReportBuilder,
  ): Promise<boolean> {
    for (let start = 0; start < organizationIds.length; start += PAGE) {
      const candidates: Candidate[] = []
      for (const organizationId of organizationIds.slice(start, start + PAGE)) {
        if (isOver(signal)) return false
        candidates.push(...(await lookAtOne(organizationId, repair ? 'repair' : 'look', report)))
      }
      if (candidates.length === 0) continue
      if (options.settlingMs > 0) await options.wait(options.settlingMs, signal ?? closing.signal)
      // Waiting was cut short: what it was for has not arrived.
      if (isOver(signal)) return false
      await options.flush()
      for (const [organizationId, own] of Map.groupBy(candidates, (each) => each.organizationId)) {
        const rows = await judgeExcess(organizationId, own, repair, meterOptions)
        for (const row of rows) report.addMeter(row)
        if (rows.some(({ action }) => action === 'watching')) lookAgain(organizationId, LOOK_GAP_MS)
      }
    }
    return true
  }

  async function lookAtOne(
    organizationId: string,
    mode: Mode,
    report: ReportBuilder,
  ): Promise<readonly Candidate[]> {
    await count(organizationId)
    report.addOrganization()
    const meters = moneyMeters(await options.policiesOf(organizationId), now())
    const readHolds = async () => {
      const looks = await holdWatch.look(organizationId, mode !== 'look')
      for (const look of looks) report.addHold(toHoldRow(look, now()))
      return looks
    }
    const { rows, candidates } = await lookAtMeters(organizationId, meters, mode, readHolds, meterOptions)
    for (const row of rows) report.addMeter(row)
    if (rows.some(({ action }) => action === 'watching')) lookAgain(organizationId, LOOK_GAP_MS)
    return candidates
  }

  /** Where the counters know nothing of an organization, they do first what its next call would make them do. */
  async function count(organizationId: string): Promise<void> {
    if (counted.organizations.has(organizationId)) return
    await options.ensure(organizationId, counted.generation)
    counted.organizations.add(organizationId)
  }

  function isOver(signal: AbortSignal | undefined): boolean {
    return closing.signal.aborted || signal?.aborted === true
  }

  async function onDemand(request: ReconcileRequest, report: ReportBuilder): Promise<boolean> {
    const { organizationId, repair } = request
    const nowMs = now()
    const month = new Date(nowMs)
    const monthMs = Date.UTC(month.getUTCFullYear(), month.getUTCMonth())
    // First the sums: the ledger is asked through them.
    const range = {
      organizationId,
      fromMs: Math.min(monthMs, dayOf(nowMs) - DAY_MS),
      toMs: dayOf(nowMs) + 2 * DAY_MS,
    }
    await lookAtRollups(range, repair, report, rollupOptions)
    if (organizationId !== undefined) {
      await lookAtSpend(organizationId, report, rollupOptions)
      return lookAt([organizationId], request, report)
    }
    for (let after: string | undefined; ; ) {
      const page = await store.organizations(after, PAGE)
      for (const each of page) await lookAtSpend(each, report, rollupOptions)
      if (!(await lookAt(page, request, report))) return false
      after = page.at(-1)
      if (page.length < PAGE) return true
    }
  }

  async function onSchedule(request: ReconcileRequest, report: ReportBuilder): Promise<boolean> {
    const today = dayOf(now())
    const sinceMs = Math.max(lookedMs, today - DAY_MS)
    await lookAtRollups(
      { fromMs: today - DAY_MS, toMs: today + 2 * DAY_MS },
      request.repair,
      report,
      rollupOptions,
    )
    const pastMs = today - dayInTurn * DAY_MS
    await lookAtRollups({ fromMs: pastMs, toMs: pastMs + DAY_MS }, request.repair, report, rollupOptions)
    dayInTurn = dayInTurn >= DAYS_IN_TURN ? 2 : dayInTurn + 1
    const active = await store.active(sinceMs, ACTIVE_MAX)
    const idle = await store.organizations(idleAfter, IDLE_MAX)
    idleAfter = idle.length < IDLE_MAX ? undefined : idle.at(-1)
    return lookAt([...new Set([...active, ...idle])], request, report)
  }

  async function tick(): Promise<void> {
    const nowMs = now()
    const request = { repair: true, signal: closing.signal }
    if (nowMs >= nextTurnMs) {
      // Whoever leads may be gone by the next turn.
      nextTurnMs = nowMs + SCHEDULE_MS
      if (await options.lead()) {
        try {
          await alone(() => run(request, (report) => onSchedule(request, report)))
        } catch (error) {
          nextTurnMs = nowMs + RETRY_MS
          throw error
        }
        lookedMs = nowMs
      }
    }
    const due = [...soon].filter(([, dueMs]) => dueMs <= nowMs).map(([organizationId]) => organizationId)
    if (due.length === 0) return
    for (const organizationId of due) soon.delete(organizationId)
    const report = await alone(() => run(request, (builder) => lookAt(due, request, builder)))
    if (report === undefined) for (const organizationId of due) lookAgain(organizationId, TICK_MS)
  }

  const makeSure = gathering(async (begin) => {
    const report = await alone(() => run({ repair: true }, (builder) => makeSureOf(begin(), builder)))
    if (report?.complete !== true) throw isReconciling()
  })

  async function makeSureOf(organizationIds: ReadonlySet<string>, report: ReportBuilder): Promise<boolean> {
    for (const organizationId of organizationIds) {
      if (isOver(undefined)) return false
      // Whether a counter has too much is for the next turn to say.
      await lookAtOne(organizationId, 'doubt', report)
    }
    return true
  }

  function lookAgain(organizationId: string, inMs: number): void {
    if (soon.has(organizationId) || soon.size >= SOON_MAX) return
    soon.set(organizationId, now() + inMs)
  }

  async function keep(): Promise<void> {
    try {
      await keeper.check()
      isKept = true
    } catch (error) {
      options.onError(error)
    }
  }

  return {
    get last() {
      return last
    },
    async reconcile(request) {
      const report = await alone(() => run(request, (builder) => onDemand(request, builder)))
      if (report !== undefined) return report
      throw isReconciling()
    },
    makeSure,
    lookSoon: (organizationId) => lookAgain(organizationId, TICK_MS),
    async start() {
      nextTurnMs = now() + SCHEDULE_MS
      await keep()
      schedule ??= every(
        TICK_MS,
        async () => {
          if (!isKept) await keep()
          await tick()
        },
        options.onError,
      )
    },
    async close() {
      closing.abort()
      await schedule?.close()
      await queue
    },
  }
}

function isReconciling(): GatewayError {
  return new GatewayError('conflict', { message: 'Another replica is reconciling. Try again in a moment.' })
}
