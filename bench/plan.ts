import { parseArgs } from 'node:util'
import type { Pace } from './orders.ts'

/** What will be measured, and for how long. */
export interface Plan {
  readonly quick: boolean
  readonly json: boolean
  readonly fromSource: boolean
  readonly scenarios: readonly Scenario[]
  readonly rounds: number
  /** Streams take longer and vary less, so that a quick run measures them once. */
  readonly streamRounds: number
  readonly connections: number
  /** The first of both ends it. A candidate of much code needs thousands of calls until all of it is compiled. */
  readonly warmUpMs: number
  readonly warmUpCalls: number
  readonly closedMs: number
  readonly pacedMs: number
  readonly streamLoads: readonly StreamLoad[]
  /** After this time everything is ended, whatever hangs. */
  readonly totalTimeoutMs: number
}

export type Scenario = 'json' | 'stream'

export interface StreamLoad {
  readonly parallel: number
  readonly windowMs: number
  readonly pace: Pace
}

/** Rates for the paced calls, fastest first: the first that a candidate bears with room to spare is taken. */
export const CALL_RATES = [1000, 500, 250, 100]

const ROUNDS_MAX = 50

const QUICK = {
  rounds: 2,
  streamRounds: 1,
  warmUpMs: 2000,
  warmUpCalls: 8000,
  closedMs: 800,
  pacedMs: 400,
  streamLoads: [
    { parallel: 100, windowMs: 500, pace: { firstPieceMs: 100, gapMs: 20, pieces: 10 } },
    { parallel: 512, windowMs: 400, pace: { firstPieceMs: 100, gapMs: 50, pieces: 8 } },
  ],
  totalTimeoutMs: 120_000,
}
const FULL = {
  rounds: 5,
  streamRounds: 5,
  warmUpMs: 12_000,
  warmUpCalls: 40_000,
  closedMs: 3000,
  pacedMs: 3000,
  streamLoads: [
    { parallel: 100, windowMs: 3000, pace: { firstPieceMs: 200, gapMs: 20, pieces: 40 } },
    { parallel: 512, windowMs: 3000, pace: { firstPieceMs: 200, gapMs: 50, pieces: 20 } },
  ],
  totalTimeoutMs: 900_000,
}

export const USAGE = `usage: npm run bench -- [--quick] [--only json|stream] [--rounds N] [--source] [--json]

  --quick       a short run for CI, under 40 s; its figures scatter more
  --only WHAT   json: whole replies; stream: streamed ones
  --rounds N    how often each candidate is measured (default 5, quick 2); medians are reported
  --source      run Gatehouse from src/ even where dist/ is up to date
  --json        print the figures as JSON on standard output; progress goes to standard error`

/** @throws Error with a sentence for people where an argument makes no sense */
export function parsePlan(args: readonly string[]): Plan | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean', default: false },
      only: { type: 'string' },
      rounds: { type: 'string' },
      source: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  if (values.help) return 'help'
  const base = values.quick ? QUICK : FULL
  const { only } = values
  if (only !== undefined && only !== 'json' && only !== 'stream') {
    throw new Error(`--only has to be json or stream, not ${only}.`)
  }
  const rounds = values.rounds === undefined ? undefined : Number(values.rounds)
  if (rounds !== undefined && !(Number.isInteger(rounds) && rounds >= 1 && rounds <= ROUNDS_MAX)) {
    throw new Error(`--rounds has to be a whole number from 1 to ${ROUNDS_MAX}.`)
  }
  const factor = Math.max(1, (rounds ?? base.rounds) / base.rounds)
  return {
    ...base,
    quick: values.quick,
    json: values.json,
    fromSource: values.source,
    scenarios: only === undefined ? ['json', 'stream'] : [only],
    rounds: rounds ?? base.rounds,
    streamRounds: rounds ?? base.streamRounds,
    connections: 32,
    totalTimeoutMs: base.totalTimeoutMs * factor,
  }
}
