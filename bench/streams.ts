import { type Dispatcher, Pool } from 'undici'
import { monotonicUs } from './monotonic.ts'
import { type GeneratorOrder, type StreamResult, streamMs } from './orders.ts'
import { PATH, streamRequest } from './payloads.ts'
import { Samples } from './statistics.ts'
import { StreamCheck } from './stream-check.ts'

type StreamsOrder = Extract<GeneratorOrder, { kind: 'streams' }>

const SAMPLES_MAX = 1_000_000
const REPLY_TIMEOUT_MS = 15_000
/** A candidate that refuses streams would otherwise be asked again and again. */
const PROBLEMS_MAX = 500

let serial = 0

/** Everything measured at once; only streams that began while all the others were running count for the times. */
class Tally {
  readonly firstPieceMs = new Samples(SAMPLES_MAX)
  readonly pieceMs = new Samples(SAMPLES_MAX)
  readonly gapMs = new Samples(SAMPLES_MAX)
  streams = 0
  complete = 0
  byteClean = 0
  pieces = 0
  parallel = 0
  peakParallel = 0
  firstProblem: string | null = null

  get problems(): number {
    return this.streams - this.parallel - this.complete
  }

  result(): StreamResult {
    const firstPieceMs = this.firstPieceMs.sorted()
    const pieceMs = this.pieceMs.sorted()
    const gapMs = this.gapMs.sorted()
    const { streams, complete, byteClean, firstProblem, peakParallel, pieces } = this
    return {
      streams,
      complete,
      byteClean,
      firstProblem,
      peakParallel,
      pieces,
      firstPieceP50Ms: firstPieceMs(0.5),
      firstPieceP99Ms: firstPieceMs(0.99),
      pieceP50Ms: pieceMs(0.5),
      pieceP99Ms: pieceMs(0.99),
      gapP50Ms: gapMs(0.5),
      gapP99Ms: gapMs(0.99),
    }
  }
}

/**
 * Keeps so many streams open at once: their beginnings are spread evenly over the length of one, and each that ends
 * is followed by another until the window closes.
 */
export async function loadStreams(order: StreamsOrder): Promise<StreamResult> {
  const { target, parallel, windowMs, pace } = order
  const pool = new Pool(target.origin, {
    connections: parallel,
    pipelining: 1,
    headersTimeout: REPLY_TIMEOUT_MS,
    bodyTimeout: REPLY_TIMEOUT_MS,
  })
  const tally = new Tally()
  const rampMs = streamMs(pace)
  const startedMs = performance.now()
  const fromMs = startedMs + rampMs
  const toMs = fromMs + windowMs

  await Promise.all(
    Array.from({ length: parallel }, async (_, index) => {
      await new Promise((resolve) => setTimeout(resolve, (index * rampMs) / parallel))
      do {
        await openStream(pool, order, tally, performance.now() >= fromMs)
      } while (performance.now() < toMs && tally.problems < PROBLEMS_MAX)
    }),
  )
  const result = tally.result()
  await pool.close()
  return result
}

function openStream(
  pool: Pool,
  { target, pace }: StreamsOrder,
  tally: Tally,
  counts: boolean,
): Promise<void> {
  tally.streams++
  tally.parallel++
  tally.peakParallel = Math.max(tally.peakParallel, tally.parallel)
  const startedUs = monotonicUs()
  let readUs = 0
  let lastReadUs = 0
  let lastSentUs = 0
  let status = 0
  const check = new StreamCheck(pace.pieces, ({ sequence, receivedUs, sentUs }) => {
    tally.pieces++
    if (counts) {
      if (sequence === 0) tally.firstPieceMs.add((readUs - startedUs - (sentUs - receivedUs)) / 1000)
      else tally.gapMs.add((readUs - lastReadUs - (sentUs - lastSentUs)) / 1000)
      tally.pieceMs.add((readUs - sentUs) / 1000)
    }
    lastReadUs = readUs
    lastSentUs = sentUs
  })

  return new Promise((resolve) => {
    const end = (problem: string | undefined) => {
      tally.parallel--
      if (problem === undefined) {
        tally.complete++
        if (check.byteClean) tally.byteClean++
      } else {
        tally.firstProblem ??= problem
      }
      resolve()
    }
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart(_controller, code) {
        status = code
      },
      onResponseData(_controller, chunk) {
        readUs = monotonicUs()
        check.push(chunk)
      },
      onResponseEnd() {
        const complete = check.isComplete()
        if (status !== 200) end(`status ${status}, ${check.problem ?? ''}`)
        else end(complete ? undefined : check.problem)
      },
      onResponseError(_controller, error) {
        end(error.message)
      },
    }
    pool.dispatch(
      { path: PATH, method: 'POST', headers: target.headers, body: streamRequest(serial++) },
      handler,
    )
  })
}
