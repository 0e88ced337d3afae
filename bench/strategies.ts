import { pathToFileURL } from 'node:url'
import type { Attempt, Exchange } from '../src/pipeline/exchange.ts'
import { makeExchange, makeIncoming } from '../src/pipeline/fixtures/make-exchange.ts'
import { newAttempt } from '../src/routing/attempt.ts'
import { Affinity } from '../src/routing/strategy/affinity.ts'
import { compileRoute, type Route } from '../src/routing/strategy/compile-route.ts'
import { seeded } from '../src/routing/strategy/fixtures/seeded.ts'
import { Pace } from '../src/routing/strategy/pace.ts'
import type { StrategyName } from '../src/routing/strategy/route-settings.ts'
import { NOTHING_KNOWN } from '../src/routing/strategy/target-facts.ts'

/**
 * Strategies against a fleet of providers that is calculated and not called: no sockets, no clock, the same figures in
 * every run. `node bench/strategies.ts` prints them.
 */

/** One provider of the fleet. */
interface Member {
  readonly name: string
  readonly ttftMs: number
  readonly tokensPerSecond: number
  /** Calls that it works on at once; others wait in turn. */
  readonly slots: number
  readonly inputPerMillionUsd: number
  readonly outputPerMillionUsd: number
  /** In this part of the run, from 0 to 1, it takes so many times as long. */
  readonly slow?: { readonly from: number; readonly to: number; readonly times: number }
}

export interface Fleet {
  readonly name: string
  readonly members: readonly Member[]
  readonly callsPerSecond: number
}

/** Providers that differ in speed and price, each with room enough; the fastest has a bad third of the run. */
const MIXED: Fleet = {
  name: 'mixed',
  callsPerSecond: 20,
  members: [
    member('fast', 350, 110, 2.5, 10, { from: 1 / 3, to: 2 / 3, times: 6 }),
    member('steady', 600, 80, 3, 15),
    member('cheap', 900, 45, 0.4, 1.6),
    // Cheap to read and dear to write: the cheapest for long questions with short answers.
    member('reader', 1100, 40, 0.1, 6),
  ],
}

/** Equal providers with little room at four fifths of what they can carry; one is slow for half of the run. */
const CROWDED: Fleet = {
  name: 'crowded',
  callsPerSecond: 9,
  members: [0, 1, 2, 3].map((n) => ({
    ...member(`equal-${n}`, 400, 80, 1, 4, n === 0 ? { from: 1 / 4, to: 3 / 4, times: 2 } : undefined),
    slots: 16,
  })),
}

export const FLEETS: readonly Fleet[] = [MIXED, CROWDED]

function member(
  name: string,
  ttftMs: number,
  tokensPerSecond: number,
  inputPerMillionUsd: number,
  outputPerMillionUsd: number,
  slow?: Member['slow'],
): Member {
  const base = { name, ttftMs, tokensPerSecond, slots: 1000, inputPerMillionUsd, outputPerMillionUsd }
  return slow === undefined ? base : { ...base, slow }
}

export interface StrategyFigures {
  readonly fleet: string
  readonly strategy: string
  /** Mean of a call, in thousandths of a US dollar. */
  readonly costMilliUsd: number
  readonly meanMs: number
  readonly p95Ms: number
  /** Calls that went to each member, in percent. */
  readonly shares: readonly number[]
}

const CALLS = 20_000
/** Of the calls: until every target has been measured. */
const WARM_UP_CALLS = 500

interface Task {
  readonly atMs: number
  readonly inputTokens: number
  readonly outputTokens: number
  /** Luck of this call, the same under every strategy: 1 on average. */
  readonly luck: number
}

/** @param strategy `weighted` with equal weights is what the others are held against: chance */
export function simulate(fleet: Fleet, strategy: StrategyName, calls = CALLS): StrategyFigures {
  const tasks = tasksFor(fleet, calls)
  const pace = new Pace()
  let nowMs = 0
  const route = routeOf(fleet, strategy, pace, () => nowMs)
  const fleetState = fleet.members.map(({ slots }) => new Array<number>(slots).fill(0))
  const underWay: Attempt[] = []
  const latencies: number[] = []
  const counts = fleet.members.map(() => 0)
  let costUsd = 0
  for (const [index, task] of tasks.entries()) {
    nowMs = task.atMs
    settleUntil(nowMs, underWay, pace)
    const [target] = route.plan(exchangeOf(task)).targets
    const place = fleet.members.findIndex(({ name }) => name === target?.model)
    const chosen = fleet.members[place]
    const slots = fleetState[place]
    if (target === undefined || chosen === undefined || slots === undefined) throw new Error('No target.')
    const attempt = newAttempt('a', 1, target, { version: '', known: true }, nowMs)
    pace.began(attempt)
    finish(attempt, task, chosen, slots, task.atMs / (tasks.at(-1)?.atMs ?? 1))
    insert(underWay, attempt)
    counts[place] = (counts[place] ?? 0) + 1
    if (index < WARM_UP_CALLS) continue
    latencies.push((attempt.endedMs ?? nowMs) - nowMs)
    costUsd += costOf(chosen, task.inputTokens, task.outputTokens)
  }
  latencies.sort((first, second) => first - second)
  const measured = Math.max(1, latencies.length)
  return {
    fleet: fleet.name,
    strategy: strategy === 'weighted' ? 'random' : strategy,
    costMilliUsd: (costUsd * 1000) / measured,
    meanMs: latencies.reduce((sum, ms) => sum + ms, 0) / measured,
    p95Ms: latencies[Math.floor(measured * 0.95)] ?? 0,
    shares: counts.map((count) => Math.round((count * 100) / calls)),
  }
}

function tasksFor({ callsPerSecond }: Fleet, calls: number): Task[] {
  const random = seeded(1)
  let atMs = 0
  return Array.from({ length: calls }, () => {
    atMs += (-Math.log(1 - random()) * 1000) / callsPerSecond
    // Half are questions about long texts with short answers, half are short with long answers.
    const isLong = random() < 0.5
    return {
      atMs,
      inputTokens: Math.round(isLong ? 3000 + 6000 * random() : 50 + 400 * random()),
      outputTokens: Math.round(isLong ? 30 + 100 * random() : 200 + 600 * random()),
      luck: 0.7 + 0.6 * random(),
    }
  })
}

function routeOf(fleet: Fleet, strategy: StrategyName, pace: Pace, nowMs: () => number): Route {
  const targets = fleet.members.map(({ name }) => ({ provider: 'p', model: name, weight: 1 }))
  const byName = new Map(fleet.members.map((each) => [each.name, each]))
  const settings = { targets, strategy, fallback: true, afterFirstToken: 'error', retries: 2 } as const
  return compileRoute('bench', settings, targets, {
    pace,
    affinity: new Affinity(),
    random: seeded(2),
    monotonicMs: nowMs,
    factsOf: () => NOTHING_KNOWN,
    isHealthy: () => true,
    costOf({ model }, _, inputTokens, outputTokens) {
      const found = byName.get(model)
      return found === undefined ? undefined : costOf(found, inputTokens, outputTokens) * 1e9
    },
  })
}

function costOf(
  { inputPerMillionUsd, outputPerMillionUsd }: Member,
  inputTokens: number,
  outputTokens: number,
): number {
  return (inputTokens * inputPerMillionUsd + outputTokens * outputPerMillionUsd) / 1e6
}

/** A call whose body has as many bytes as so many tokens have, and whose cap is about what it will write. */
function exchangeOf({ inputTokens, outputTokens }: Task): Exchange {
  const json = { model: 'bench', max_tokens: Math.ceil(outputTokens * 1.2) }
  return makeExchange({ incoming: makeIncoming(json, { body: BODY.subarray(0, inputTokens * 3.5) }) })
}

/** Below what is measured field by field. */
const BODY = Buffer.alloc(16 * 1024)

/** @param share of the run that is over */
function finish(attempt: Attempt, task: Task, chosen: Member, slots: number[], share: number): void {
  let first = 0
  for (let slot = 1; slot < slots.length; slot++) if ((slots[slot] ?? 0) < (slots[first] ?? 0)) first = slot
  const { slow } = chosen
  const times = (slow !== undefined && share >= slow.from && share < slow.to ? slow.times : 1) * task.luck
  const startMs = Math.max(attempt.startedMs, slots[first] ?? 0)
  attempt.firstTokenMs = startMs + chosen.ttftMs * times
  attempt.endedMs = attempt.firstTokenMs + (task.outputTokens * 1000 * times) / chosen.tokensPerSecond
  attempt.dispatched = true
  attempt.usage = { inputTokens: task.inputTokens, outputTokens: task.outputTokens }
  slots[first] = attempt.endedMs
}

/** In the order in which they end, the next one last. */
function insert(underWay: Attempt[], attempt: Attempt): void {
  const endedMs = attempt.endedMs ?? 0
  let low = 0
  let high = underWay.length
  while (low < high) {
    const middle = (low + high) >> 1
    if ((underWay[middle]?.endedMs ?? 0) > endedMs) low = middle + 1
    else high = middle
  }
  underWay.splice(low, 0, attempt)
}

function settleUntil(nowMs: number, underWay: Attempt[], pace: Pace): void {
  for (
    let next = underWay.at(-1);
    next !== undefined && (next.endedMs ?? 0) <= nowMs;
    next = underWay.at(-1)
  ) {
    pace.ended(next, next.endedMs ?? nowMs)
    underWay.pop()
  }
}

const STRATEGIES = ['weighted', 'cheapest', 'fastest', 'least-busy'] as const

function print(figures: readonly StrategyFigures[]): void {
  const rows = figures.map(({ fleet, strategy, costMilliUsd, meanMs, p95Ms, shares }) =>
    [fleet, strategy, costMilliUsd.toFixed(2), meanMs.toFixed(0), p95Ms.toFixed(0), shares.join(' / ')].join(
      ' | ',
    ),
  )
  const head = [
    '| fleet | strategy | cost, USD / 1000 calls | mean ms | p95 ms | calls %, by member |',
    '| --- | --- | ---: | ---: | ---: | --- |',
  ]
  process.stdout.write(`${[...head, ...rows.map((row) => `| ${row} |`)].join('\n')}\n`)
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  print(FLEETS.flatMap((fleet) => STRATEGIES.map((strategy) => simulate(fleet, strategy))))
