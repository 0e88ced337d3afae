import type { Candidate } from './candidates.ts'
import type { Worker } from './child.ts'
import { othersShare, readMachineCpu } from './machine-cpu.ts'
import {
  becomesQuiet,
  type ClosedRound,
  type Measurements,
  type PacedRound,
  type StreamRound,
  type Subject,
  withCost,
} from './measure.ts'
import {
  type GeneratorOrder,
  type LoadResult,
  type StreamResult,
  streamMs,
  type Target,
  type UpstreamCounts,
} from './orders.ts'
import { CALL_RATES, type Plan, type StreamLoad } from './plan.ts'

export interface RunOptions {
  readonly plan: Plan
  readonly candidates: readonly Candidate[]
  readonly generator: Worker
  readonly upstream: Worker
  readonly direct: Target
  /** A line for people who watch. */
  readonly onProgress: (line: string) => void
}

/** What the run shows beside its figures: that it measured what it says. */
export interface Checks {
  readonly callsSent: number
  /** Fewer than sent: something answered from a cache. */
  readonly callsSeenUpstream: number
  readonly gatehouseSent: number
  readonly gatehouseBooked: number
  /** Of the machine's CPU time during the run: what processes used that are no part of the benchmark. */
  readonly othersShare: number
}

interface Subjects {
  readonly name: Subject
  readonly target: Target
  /** Whose CPU counts; the upstream's own does not. */
  readonly pid: number | undefined
  /** Has the candidate write what it put off. */
  readonly settle: (() => Promise<unknown>) | undefined
}

// A paced candidate should have room to spare: at its limit one would measure the queue before it.
const RATE_SHARE_OF_LIMIT = 0.6
const ORDER_GRACE_MS = 40_000

export async function measureAll(
  options: RunOptions,
): Promise<{ measurements: Measurements; checks: Checks }> {
  const { plan, candidates, generator, upstream, direct, onProgress } = options
  const subjects: Subjects[] = [
    { name: 'direct', target: direct, pid: undefined, settle: undefined },
    ...candidates.map(({ name, target, pid, bookedCalls }) => ({ name, target, pid, settle: bookedCalls })),
  ]
  const closed = new Map<Subject, ClosedRound[]>()
  const paced = new Map<Subject, PacedRound[]>()
  const streams = new Map<number, Map<Subject, StreamRound[]>>()
  const sent = new Map<Subject, number>()
  const rates = new Map<Subject, number>()
  const before = readMachineCpu()

  const load = async (name: Subject, order: GeneratorOrder, durationMs: number): Promise<LoadResult> => {
    const result = await generator.order<LoadResult>(order, durationMs + ORDER_GRACE_MS)
    count(name, result.calls + result.errors)
    return result
  }
  const loadStreams = async (name: Subject, target: Target, { parallel, windowMs, pace }: StreamLoad) => {
    const result = await generator.order<StreamResult>(
      { kind: 'streams', target, parallel, windowMs, pace },
      streamMs(pace) * 2 + windowMs + ORDER_GRACE_MS,
    )
    count(name, result.streams)
    return result
  }
  const count = (name: Subject, calls: number) => sent.set(name, (sent.get(name) ?? 0) + calls)

  if (plan.scenarios.includes('json')) await measureJson()
  if (plan.scenarios.includes('stream')) await measureStreams()
  return { measurements: { closed, paced, streams }, checks: await check() }

  async function measureJson(): Promise<void> {
    for (const subject of subjects) await warmUp(subject)
    for (let round = 1; round <= plan.rounds; round++) {
      for (const subject of subjects) await measureClosed(subject, round)
      // The upstream itself at each rate that a candidate is measured at: there is nothing else to compare with.
      const [direct, ...others] = subjects
      for (const rate of new Set(others.map(rateOf))) {
        if (direct !== undefined) await measurePaced(direct, rate, round)
      }
      for (const subject of others) await measurePaced(subject, rateOf(subject), round)
    }
  }

  /** In two halves: the first for the compiler, the second to see what the candidate bears. */
  async function warmUp({ name, target, pid }: Subjects): Promise<void> {
    const { connections } = plan
    const durationMs = plan.warmUpMs / 2
    const callsMax = plan.warmUpCalls / 2
    let callsPerSecond = 0
    for (let half = 0; half < 2; half++) {
      const { calls, elapsedMs, firstError } = await load(
        name,
        { kind: 'closed', target, connections, durationMs, callsMax },
        durationMs,
      )
      if (calls === 0) throw new Error(`${name} answered no call: ${firstError}`)
      callsPerSecond = (calls * 1000) / elapsedMs
    }
    const rate = CALL_RATES.find((one) => one <= callsPerSecond * RATE_SHARE_OF_LIMIT)
    rates.set(name, rate ?? Math.min(...CALL_RATES))
    if (pid !== undefined) await becomesQuiet(pid)
    onProgress(`warm-up              ${name.padEnd(10)} ${callsPerSecond.toFixed(0).padStart(7)} calls/s`)
  }

  async function measureClosed({ name, target, pid, settle }: Subjects, round: number): Promise<void> {
    if (pid === undefined) return
    const { connections, closedMs: durationMs } = plan
    const { result, cost } = await withCost(pid, settle, () =>
      load(name, { kind: 'closed', target, connections, durationMs }, durationMs),
    )
    add(closed, name, { ...result, cost })
    const { calls, elapsedMs } = result
    onProgress(
      `round ${round} of ${plan.rounds}  JSON  ${name.padEnd(10)} ${((calls * 1000) / elapsedMs).toFixed(0).padStart(7)} calls/s  ${((cost.cpuMs * 1000) / calls).toFixed(0).padStart(6)} µs CPU per call${noteOf(result.firstError)}`,
    )
  }

  function rateOf({ name }: Subjects): number {
    return rates.get(name) ?? Math.min(...CALL_RATES)
  }

  async function measurePaced(
    { name, target, pid, settle }: Subjects,
    callsPerSecond: number,
    round: number,
  ): Promise<void> {
    const { pacedMs: durationMs } = plan
    const run = () => load(name, { kind: 'paced', target, callsPerSecond, durationMs }, durationMs)
    const { result, cost } =
      pid === undefined ? { result: await run(), cost: undefined } : await withCost(pid, settle, run)
    add(paced, name, { ...result, cost, callsPerSecond })
    onProgress(
      `round ${round} of ${plan.rounds}  paced ${name.padEnd(10)} ${String(callsPerSecond).padStart(6)} calls/s  p50 ${result.p50Ms.toFixed(2)} ms  p99 ${result.p99Ms.toFixed(2)} ms${noteOf(result.firstError)}`,
    )
  }

  async function measureStreams(): Promise<void> {
    const [first] = plan.streamLoads
    if (first === undefined) return
    await upstream.order({ kind: 'pace', pace: first.pace }, ORDER_GRACE_MS)
    for (const { name, target } of candidates) {
      const { complete, firstProblem } = await loadStreams(name, target, { ...first, windowMs: 0 })
      if (complete === 0) onProgress(`warm-up: ${name} completed no stream: ${firstProblem}`)
    }
    for (let round = 1; round <= plan.streamRounds; round++) {
      for (const streamLoad of plan.streamLoads) {
        await upstream.order({ kind: 'pace', pace: streamLoad.pace }, ORDER_GRACE_MS)
        for (const subject of subjects) await measureStreamLoad(subject, streamLoad, round)
      }
    }
  }

  async function measureStreamLoad(
    { name, target, pid, settle }: Subjects,
    streamLoad: StreamLoad,
    round: number,
  ): Promise<void> {
    const { parallel } = streamLoad
    const run = () => loadStreams(name, target, streamLoad)
    const { result, cost } =
      pid === undefined ? { result: await run(), cost: undefined } : await withCost(pid, settle, run)
    const bySubject = streams.get(parallel) ?? new Map<Subject, StreamRound[]>()
    streams.set(parallel, bySubject)
    add(bySubject, name, { ...result, cost })
    onProgress(
      `round ${round} of ${plan.streamRounds}  ${parallel} streams  ${name.padEnd(10)} first token on the way p50 ${result.firstPieceP50Ms.toFixed(2)} ms  p99 ${result.firstPieceP99Ms.toFixed(2)} ms  ${result.byteClean} of ${result.streams} byte-clean${noteOf(result.firstProblem)}`,
    )
  }

  async function check(): Promise<Checks> {
    const counts = await upstream.order<UpstreamCounts>({ kind: 'counts' }, ORDER_GRACE_MS)
    const gatehouse = candidates.find(({ name }) => name === 'gatehouse')
    return {
      callsSent: [...sent.values()].reduce((total, calls) => total + calls, 0),
      callsSeenUpstream: counts.json + counts.streams,
      gatehouseSent: sent.get('gatehouse') ?? 0,
      gatehouseBooked: (await gatehouse?.bookedCalls?.()) ?? 0,
      othersShare: othersShare(before, readMachineCpu()),
    }
  }
}

function add<Key, Value>(lists: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [value])
  else list.push(value)
}

function noteOf(problem: string | null): string {
  return problem === null ? '' : `  (${problem.slice(0, 200).replaceAll('\n', ' ')})`
}
