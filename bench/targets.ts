import { type Figures, type JsonFigures, jsonOf, type StreamFigures } from './figures.ts'

/** What Gatehouse has to reach, and whether it did. */
export interface TargetResult {
  readonly name: string
  readonly wanted: string
  readonly measured: string
  readonly met: boolean
}

const CPU_US_MAX = 80
const SHARE_OF_PORTKEY_MAX = 0.25
const CALLS_PER_SECOND = 1000
const ADDED_P50_MS_MAX = 0.5
const ADDED_P99_MS_MAX = 3
const FIRST_PIECE_P99_MS_MAX = 2

/** @returns those targets that this run measured */
export function judge(figures: Figures): TargetResult[] {
  const gatehouse = jsonOf(figures, 'gatehouse')
  const portkey = jsonOf(figures, 'portkey')
  const streams = figures.streams.filter(({ subject }) => subject === 'gatehouse')
  return [
    ...(gatehouse === undefined ? [] : judgeJson(gatehouse, portkey)),
    ...streams.flatMap((one) => judgeStreams(one)),
  ]
}

function judgeJson({ cpuUs, paced, errors }: JsonFigures, portkey: JsonFigures | undefined): TargetResult[] {
  // Where the machine does not bear the rate, a figure at a lower one says nothing about the target.
  const atRate = paced.callsPerSecond === CALLS_PER_SECOND
  const rateNote = atRate ? '' : ` at ${paced.callsPerSecond}`
  const share = cpuUs / (portkey?.cpuUs ?? Number.NaN)
  return [
    {
      name: 'CPU of a JSON call with key check and ledger',
      wanted: `≤ ${CPU_US_MAX} µs`,
      measured: `${cpuUs.toFixed(0)} µs`,
      met: cpuUs <= CPU_US_MAX,
    },
    {
      name: 'the same, as a share of Portkey’s',
      wanted: `≤ ${SHARE_OF_PORTKEY_MAX}`,
      measured: share.toFixed(2),
      met: share <= SHARE_OF_PORTKEY_MAX,
    },
    {
      name: `added p50 at ${CALLS_PER_SECOND} calls/s`,
      wanted: `≤ ${ADDED_P50_MS_MAX} ms`,
      measured: `${paced.addedP50Ms.toFixed(2)} ms${rateNote}`,
      met: atRate && paced.addedP50Ms <= ADDED_P50_MS_MAX,
    },
    {
      name: `added p99 at ${CALLS_PER_SECOND} calls/s`,
      wanted: `≤ ${ADDED_P99_MS_MAX} ms`,
      measured: `${paced.addedP99Ms.toFixed(2)} ms${rateNote}`,
      met: atRate && paced.addedP99Ms <= ADDED_P99_MS_MAX,
    },
    { name: 'JSON calls that failed', wanted: '0', measured: String(errors), met: errors === 0 },
  ]
}

function judgeStreams(figures: StreamFigures): TargetResult[] {
  const { parallel, streams, byteClean, peakParallel, addedFirstPieceP99Ms } = figures
  const clean = {
    name: `${parallel} parallel streams, complete and byte-clean`,
    wanted: `all, ${parallel} at once`,
    measured: `${byteClean} of ${streams}, ${peakParallel} at once`,
    met: byteClean === streams && streams > 0 && peakParallel >= parallel,
  }
  if (parallel > 100) return [clean]
  return [
    {
      name: `added time to first token, p99 at ${parallel} streams`,
      wanted: `≤ ${FIRST_PIECE_P99_MS_MAX} ms`,
      measured: `${addedFirstPieceP99Ms.toFixed(2)} ms`,
      met: addedFirstPieceP99Ms <= FIRST_PIECE_P99_MS_MAX,
    },
    clean,
  ]
}
