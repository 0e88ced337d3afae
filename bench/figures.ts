import type { ClosedRound, Measurements, PacedRound, StreamRound, Subject } from './measure.ts'
import { median } from './statistics.ts'

/** The medians of all rounds; times added are against calls to the upstream itself in the same round. */
export interface Figures {
  readonly json: readonly JsonFigures[]
  readonly streams: readonly StreamFigures[]
}

export interface JsonFigures {
  readonly subject: Subject
  readonly callsPerSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly cpuUs: number
  /** The lowest and highest round. */
  readonly cpuUsRange: readonly [number, number]
  readonly rssMegabytes: number
  readonly paced: PacedFigures
  readonly errors: number
  readonly firstError: string | null
}

export interface PacedFigures {
  readonly callsPerSecond: number
  readonly addedP50Ms: number
  readonly addedP99Ms: number
  readonly cpuUs: number
}

export interface StreamFigures {
  readonly subject: Subject
  readonly parallel: number
  readonly peakParallel: number
  readonly streams: number
  readonly complete: number
  readonly byteClean: number
  readonly firstProblem: string | null
  readonly addedFirstPieceP50Ms: number
  readonly addedFirstPieceP99Ms: number
  readonly addedGapP50Ms: number
  readonly addedGapP99Ms: number
  readonly cpuUsPerPiece: number
}

export function toFigures({ closed, paced, streams }: Measurements): Figures {
  const directPaced = paced.get('direct') ?? []
  return {
    json: [...closed].map(([subject, rounds]) =>
      toJson(subject, rounds, paced.get(subject) ?? [], directPaced),
    ),
    streams: [...streams].flatMap(([parallel, bySubject]) =>
      [...bySubject].map(([subject, rounds]) =>
        toStream(subject, parallel, rounds, bySubject.get('direct') ?? []),
      ),
    ),
  }
}

export function jsonOf(figures: Figures, name: Subject): JsonFigures | undefined {
  return figures.json.find(({ subject }) => subject === name)
}

function toJson(
  subject: Subject,
  rounds: readonly ClosedRound[],
  paced: readonly PacedRound[],
  directPaced: readonly PacedRound[],
): JsonFigures {
  const cpuUs = rounds.map(({ cost, calls }) => (cost.cpuMs * 1000) / calls)
  const both = [...rounds, ...paced]
  const callsPerSecond = paced[0]?.callsPerSecond ?? Number.NaN
  const base = directPaced.filter((round) => round.callsPerSecond === callsPerSecond)
  return {
    subject,
    callsPerSecond: median(rounds.map(({ calls, elapsedMs }) => (calls * 1000) / elapsedMs)),
    p50Ms: median(rounds.map(({ p50Ms }) => p50Ms)),
    p99Ms: median(rounds.map(({ p99Ms }) => p99Ms)),
    cpuUs: median(cpuUs),
    cpuUsRange: [Math.min(...cpuUs), Math.max(...cpuUs)],
    rssMegabytes: median(rounds.map(({ cost }) => cost.rssBytes)) / 2 ** 20,
    paced: {
      callsPerSecond,
      addedP50Ms: medianAdded(paced, base, ({ p50Ms }) => p50Ms),
      addedP99Ms: medianAdded(paced, base, ({ p99Ms }) => p99Ms),
      cpuUs: median(paced.map(({ cost, calls }) => ((cost?.cpuMs ?? Number.NaN) * 1000) / calls)),
    },
    errors: sum(both.map(({ errors }) => errors)),
    firstError: both.find(({ firstError }) => firstError !== null)?.firstError ?? null,
  }
}

function toStream(
  subject: Subject,
  parallel: number,
  rounds: readonly StreamRound[],
  direct: readonly StreamRound[],
): StreamFigures {
  return {
    subject,
    parallel,
    peakParallel: Math.min(...rounds.map(({ peakParallel }) => peakParallel)),
    streams: sum(rounds.map(({ streams }) => streams)),
    complete: sum(rounds.map(({ complete }) => complete)),
    byteClean: sum(rounds.map(({ byteClean }) => byteClean)),
    firstProblem: rounds.find(({ firstProblem }) => firstProblem !== null)?.firstProblem ?? null,
    addedFirstPieceP50Ms: medianAdded(rounds, direct, ({ firstPieceP50Ms }) => firstPieceP50Ms),
    addedFirstPieceP99Ms: medianAdded(rounds, direct, ({ firstPieceP99Ms }) => firstPieceP99Ms),
    addedGapP50Ms: medianAdded(rounds, direct, ({ gapP50Ms }) => gapP50Ms),
    addedGapP99Ms: medianAdded(rounds, direct, ({ gapP99Ms }) => gapP99Ms),
    cpuUsPerPiece: median(rounds.map(({ cost, pieces }) => ((cost?.cpuMs ?? Number.NaN) * 1000) / pieces)),
  }
}

/** Round by round, so that a slow minute of the machine is taken off where it was. */
function medianAdded<Round>(
  rounds: readonly Round[],
  direct: readonly Round[],
  measured: (round: Round) => number,
): number {
  return median(
    rounds.map((round, index) => {
      const base = direct[index]
      return base === undefined ? Number.NaN : measured(round) - measured(base)
    }),
  )
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
