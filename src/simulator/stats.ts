import type { Bill } from './reply.ts'

/** One line of the provider's books. */
export interface Count {
  calls: number
  tokensInput: number
  tokensOutput: number
  errors: number
}

/** What the provider saw and charged since it started or was reset. */
export interface Stats extends Count {
  /** Everything but `/sim/…`, lists of models included; `calls` has only the POSTs. */
  readonly requests: number
  /** Calls answered with a stream. */
  readonly streams: number
  /** Streams whose client left before the end. */
  readonly abortedStreams: number
  /** Other calls whose client left before the reply. */
  readonly abortedCalls: number
  /** Calls being answered now, and the most there ever were at once. */
  readonly inFlight: number
  readonly inFlightMax: number
  readonly byModel: Readonly<Record<string, Count>>
  readonly byPath: Readonly<Record<string, number>>
}

/** A received request and what became of it, for tests that ask what was really sent. */
export interface Received {
  readonly number: number
  readonly method: string
  readonly path: string
  /** Names and values in turn, as `node:http` has them. */
  readonly rawHeaders: readonly string[]
  readonly body: Buffer
  status: number
  tokensInput: number
  tokensOutput: number
  aborted: boolean
}

/** Requests that are remembered. */
const RECEIVED_MAX = 50

/** Longer bodies are remembered by their beginning: the ring stays below 64 MiB. */
const BODY_BYTES_MAX = 1024 * 1024

/** Names beyond this are counted together: strangers choose them. */
const NAMES_MAX = 1000
const OTHER_NAMES = '(other)'

function newCount(): Count {
  return { calls: 0, tokensInput: 0, tokensOutput: 0, errors: 0 }
}

/** Counts what is charged at the moment it is charged, so that a client that leaves pays for what it got. */
export class StatsKeeper {
  private total = newCount()
  private requests = 0
  private streams = 0
  private abortedStreams = 0
  private abortedCalls = 0
  private inFlight = 0
  private inFlightMax = 0
  private byModel = new Map<string, Count>()
  private byPath = new Map<string, number>()
  private received: Received[] = []
  private number = 0

  begin(method: string, path: string, model: string, rawHeaders: readonly string[], body: Buffer): CallMeter {
    this.requests++
    this.inFlight++
    if (this.inFlight > this.inFlightMax) this.inFlightMax = this.inFlight
    const pathName = this.byPath.has(path) || this.byPath.size < NAMES_MAX ? path : OTHER_NAMES
    this.byPath.set(pathName, (this.byPath.get(pathName) ?? 0) + 1)
    let count: Count | undefined
    if (method === 'POST') {
      this.total.calls++
      if (model !== '') {
        count = this.countOf(model)
        count.calls++
      }
    }
    const kept = body.length > BODY_BYTES_MAX ? Buffer.from(body.subarray(0, BODY_BYTES_MAX)) : body
    const received: Received = {
      number: ++this.number,
      method,
      path,
      rawHeaders,
      body: kept,
      status: 0,
      tokensInput: 0,
      tokensOutput: 0,
      aborted: false,
    }
    this.received.push(received)
    if (this.received.length > RECEIVED_MAX) this.received.shift()
    return new CallMeter(this.total, count, received, (end) => this.finish(end))
  }

  /** Charges for work that was not a request of its own: a line of a batch. */
  charge(model: string, bill: Bill): void {
    this.total.tokensInput += bill.inputTokens
    this.total.tokensOutput += bill.outputTokens
    if (model === '') return
    const count = this.countOf(model)
    count.tokensInput += bill.inputTokens
    count.tokensOutput += bill.outputTokens
  }

  snapshot(): Stats {
    return {
      ...this.total,
      requests: this.requests,
      streams: this.streams,
      abortedStreams: this.abortedStreams,
      abortedCalls: this.abortedCalls,
      inFlight: this.inFlight,
      inFlightMax: this.inFlightMax,
      byModel: Object.fromEntries([...this.byModel].map(([name, count]) => [name, { ...count }])),
      byPath: Object.fromEntries(this.byPath),
    }
  }

  /** @returns the newest last */
  lastReceived(): readonly Received[] {
    return this.received
  }

  /** Forgets everything but the calls still being answered. */
  reset(): void {
    this.total = newCount()
    this.requests = 0
    this.streams = 0
    this.abortedStreams = 0
    this.abortedCalls = 0
    this.inFlightMax = this.inFlight
    this.byModel = new Map()
    this.byPath = new Map()
    this.received = []
  }

  private countOf(model: string): Count {
    const name = this.byModel.has(model) || this.byModel.size < NAMES_MAX ? model : OTHER_NAMES
    let count = this.byModel.get(name)
    if (count === undefined) {
      count = newCount()
      this.byModel.set(name, count)
    }
    return count
  }

  private finish(end: CallEnd): void {
    this.inFlight--
    if (end.streamed) this.streams++
    if (!end.aborted) return
    if (end.streamed) this.abortedStreams++
    else this.abortedCalls++
  }
}

interface CallEnd {
  readonly streamed: boolean
  readonly aborted: boolean
}

/** Counts for one call. */
export class CallMeter {
  private readonly total: Count
  private readonly model: Count | undefined
  private readonly received: Received
  private readonly onEnd: (end: CallEnd) => void
  private ended = false

  constructor(total: Count, model: Count | undefined, received: Received, onEnd: (end: CallEnd) => void) {
    this.total = total
    this.model = model
    this.received = received
    this.onEnd = onEnd
  }

  chargeInput(tokens: number): void {
    this.total.tokensInput += tokens
    if (this.model !== undefined) this.model.tokensInput += tokens
    this.received.tokensInput += tokens
  }

  chargeOutput(tokens: number): void {
    this.total.tokensOutput += tokens
    if (this.model !== undefined) this.model.tokensOutput += tokens
    this.received.tokensOutput += tokens
  }

  charge(bill: Bill): void {
    this.chargeInput(bill.inputTokens)
    this.chargeOutput(bill.outputTokens)
  }

  /** @param status 0 where no headers were sent */
  answered(status: number): void {
    this.received.status = status
    if (status >= 200 && status < 400) return
    this.total.errors++
    if (this.model !== undefined) this.model.errors++
  }

  /** Once per call; a second one is ignored. */
  end(streamed: boolean, aborted: boolean): void {
    if (this.ended) return
    this.ended = true
    this.received.aborted = aborted
    this.onEnd({ streamed, aborted })
  }
}
