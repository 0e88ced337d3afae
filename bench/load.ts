import { Client, type Dispatcher, Pool } from 'undici'
import type { GeneratorOrder, LoadResult, Target } from './orders.ts'
import { isExpectedReply, jsonRequest, PATH } from './payloads.ts'
import { Samples } from './statistics.ts'

type ClosedOrder = Extract<GeneratorOrder, { kind: 'closed' }>
type PacedOrder = Extract<GeneratorOrder, { kind: 'paced' }>

const SAMPLES_MAX = 1_000_000
/** A candidate that only fails would otherwise be asked as fast as it can refuse. */
const ERRORS_MAX = 500
/** Of each measurement, so many replies are read and compared; the others must have status 200 and a body. */
const REPLIES_CHECKED = 20
const REPLY_TIMEOUT_MS = 15_000
const PACED_CONNECTIONS_MAX = 256
const TIMEOUTS = { headersTimeout: REPLY_TIMEOUT_MS, bodyTimeout: REPLY_TIMEOUT_MS }

let serial = 0

/** What came of the calls so far. */
class Tally {
  readonly latenciesMs = new Samples(SAMPLES_MAX)
  calls = 0
  errors = 0
  firstError: string | null = null
  checked = 0

  fail(reason: string): void {
    this.errors++
    this.firstError ??= reason
  }

  result(elapsedMs: number): LoadResult {
    const latencyMs = this.latenciesMs.sorted()
    const { calls, errors, firstError } = this
    return { calls, errors, firstError, elapsedMs, p50Ms: latencyMs(0.5), p99Ms: latencyMs(0.99) }
  }
}

/** One call: its own handler, because that is the cheapest way that undici offers. */
class Call implements Dispatcher.DispatchHandler {
  private readonly tally: Tally
  private readonly done: () => void
  private readonly startedMs = performance.now()
  private readonly kept: Buffer[] | undefined
  private status = 0
  private bytes = 0

  constructor(tally: Tally, done: () => void) {
    this.tally = tally
    this.done = done
    this.kept = tally.checked++ < REPLIES_CHECKED ? [] : undefined
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.status = status
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.bytes += chunk.length
    if (this.kept !== undefined || this.status !== 200) this.kept?.push(Buffer.from(chunk))
  }

  onResponseEnd(): void {
    const { tally, kept } = this
    if (this.status !== 200 || this.bytes === 0) {
      tally.fail(`status ${this.status}: ${Buffer.concat(kept ?? []).toString('utf8', 0, 300)}`)
    } else if (kept !== undefined && !isExpectedReply(Buffer.concat(kept))) {
      tally.fail(`another reply: ${Buffer.concat(kept).toString('utf8', 0, 300)}`)
    } else {
      tally.calls++
      tally.latenciesMs.add(performance.now() - this.startedMs)
    }
    this.done()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.tally.fail(error.message)
    this.done()
  }
}

/** Each connection sends its next call as soon as the last is answered: how much goes through. */
export async function loadClosed({
  target,
  connections,
  durationMs,
  callsMax = Number.POSITIVE_INFINITY,
}: ClosedOrder): Promise<LoadResult> {
  const clients = Array.from(
    { length: connections },
    () => new Client(target.origin, { pipelining: 1, ...TIMEOUTS }),
  )
  const tally = new Tally()
  const startedMs = performance.now()
  const endMs = startedMs + durationMs
  await Promise.all(
    clients.map(
      (client) =>
        new Promise<void>((resolve) => {
          const next = () => {
            const enough = tally.calls >= callsMax || tally.errors >= ERRORS_MAX
            if (enough || performance.now() >= endMs) resolve()
            else client.dispatch(request(target), new Call(tally, next))
          }
          next()
        }),
    ),
  )
  const result = tally.result(performance.now() - startedMs)
  await Promise.all(clients.map((client) => client.close()))
  return result
}

/** Calls begin at fixed times, however long the earlier ones take: what a call waits at a load that is bearable. */
export async function loadPaced({ target, callsPerSecond, durationMs }: PacedOrder): Promise<LoadResult> {
  const pool = new Pool(target.origin, { connections: PACED_CONNECTIONS_MAX, pipelining: 1, ...TIMEOUTS })
  const tally = new Tally()
  const total = Math.round((callsPerSecond * durationMs) / 1000)
  const startedMs = performance.now()
  let sent = 0
  let ended = 0
  await new Promise<void>((resolve) => {
    const onEnd = () => {
      ended++
      if (ended === total) resolve()
    }
    const tick = () => {
      const due = Math.min(total, Math.ceil(((performance.now() - startedMs) / 1000) * callsPerSecond))
      for (; sent < due; sent++) pool.dispatch(request(target), new Call(tally, onEnd))
      if (sent < total) setTimeout(tick, 1)
    }
    tick()
  })
  const result = tally.result(performance.now() - startedMs)
  await pool.close()
  return result
}

function request(target: Target): Dispatcher.DispatchOptions {
  return { path: PATH, method: 'POST', headers: target.headers, body: jsonRequest(serial++) }
}
