import type { Fault } from './fault.ts'

/** Percentiles of a duration in milliseconds; `null` = nothing measured yet. */
export interface Percentiles {
  readonly p50: number | null
  readonly p95: number | null
  readonly p99: number | null
}

/** One call, as far as it says something about whoever answered it. */
export interface Sample {
  /** Monotonic milliseconds. */
  readonly atMs: number
  readonly latencyMs: number
  readonly firstTokenMs: number | undefined
  /** `undefined` = answered. */
  readonly fault: Fault | undefined
}

export interface Recent {
  readonly calls: number
  /** Failures of the provider; refusals of the caller's own making are none of them, and neither are rate limits. */
  readonly errors: number
  /** Calls by what was wrong with them; those that never happened are left out. */
  readonly faults: Readonly<Partial<Record<Fault, number>>>
  /** Of answered calls. */
  readonly latencyMs: Percentiles
  readonly firstTokenMs: Percentiles
}

/** Faults that are the provider's. */
const FAILURES: ReadonlySet<Fault> = new Set([
  'connection',
  'key-refused',
  'server',
  'overloaded',
  'timeout',
  'cut',
])

export const WINDOW_MS = 5 * 60_000
const SLICES = 10
const SLICE_MS = WINDOW_MS / SLICES
/** Eight buckets to a doubling: a percentile is at most 5 % from what was measured. */
const PER_DOUBLING = 8
/** From a sixteenth of a millisecond to 35 minutes. */
const LOWEST = -4 * PER_DOUBLING
const BUCKETS = 25 * PER_DOUBLING + 1

/** Half a minute. */
interface Slice {
  /** Counted from the clock's start. */
  number: number
  calls: number
  errors: number
  readonly faults: Map<Fault, number>
  readonly latencies: Uint32Array
  readonly firstTokens: Uint32Array
}

/** Durations of one kind, for percentiles of several together. */
export interface Histogram {
  readonly counts: Uint32Array
  total: number
}

export function newHistogram(): Histogram {
  return { counts: new Uint32Array(BUCKETS), total: 0 }
}

/**
 * What the calls of the last five minutes say, to half a minute: all of them, in a memory that does not grow with
 * them. Reading it costs the same however many there were.
 */
export class RecentCalls {
  private readonly slices: (Slice | undefined)[] = new Array(SLICES).fill(undefined)
  /** What was read last, while nothing has happened since. */
  private known: { readonly slice: number; readonly recent: Recent } | undefined
  /** Monotonic; of the last call. */
  lastMs = Number.NEGATIVE_INFINITY
  failuresInRow = 0

  note({ atMs, latencyMs, firstTokenMs, fault }: Sample): void {
    this.lastMs = atMs
    this.known = undefined
    const slice = this.sliceAt(Math.floor(atMs / SLICE_MS))
    slice.calls++
    if (fault !== undefined) slice.faults.set(fault, (slice.faults.get(fault) ?? 0) + 1)
    if (fault !== undefined && FAILURES.has(fault)) {
      slice.errors++
      this.failuresInRow++
      return
    }
    this.failuresInRow = 0
    add(slice.latencies, latencyMs)
    if (firstTokenMs !== undefined) add(slice.firstTokens, firstTokenMs)
  }

  read(nowMs: number): Recent {
    const newest = Math.floor(nowMs / SLICE_MS)
    if (this.known?.slice === newest) return this.known.recent
    const latencies = newHistogram()
    const firstTokens = newHistogram()
    const faults: Partial<Record<Fault, number>> = {}
    let calls = 0
    let errors = 0
    for (const slice of this.since(nowMs)) {
      calls += slice.calls
      errors += slice.errors
      for (const [fault, count] of slice.faults) faults[fault] = (faults[fault] ?? 0) + count
      join(latencies, slice.latencies)
      join(firstTokens, slice.firstTokens)
    }
    const recent = {
      calls,
      errors,
      faults,
      latencyMs: percentiles(latencies),
      firstTokenMs: percentiles(firstTokens),
    }
    this.known = { slice: newest, recent }
    return recent
  }

  /** Adds the latencies of answered calls to those of others. */
  addLatencies(to: Histogram, nowMs: number): void {
    for (const slice of this.since(nowMs)) join(to, slice.latencies)
  }

  private since(nowMs: number): Slice[] {
    const oldest = Math.floor(nowMs / SLICE_MS) - SLICES
    return this.slices.filter((slice) => slice !== undefined && slice.number > oldest) as Slice[]
  }

  private sliceAt(number: number): Slice {
    const at = number % SLICES
    let slice = this.slices[at]
    if (slice === undefined) {
      slice = {
        number,
        calls: 0,
        errors: 0,
        faults: new Map(),
        latencies: new Uint32Array(BUCKETS),
        firstTokens: new Uint32Array(BUCKETS),
      }
      this.slices[at] = slice
    } else if (slice.number !== number) {
      slice.number = number
      slice.calls = 0
      slice.errors = 0
      slice.faults.clear()
      slice.latencies.fill(0)
      slice.firstTokens.fill(0)
    }
    return slice
  }
}

/** Nearest rank, among buckets. */
export function percentiles({ counts, total }: Histogram): Percentiles {
  const ranks = [0.5, 0.95, 0.99].map((share) => Math.max(1, Math.ceil(share * total)))
  const values: number[] = []
  let below = 0
  for (let bucket = 0; bucket < counts.length && values.length < ranks.length; bucket++) {
    below += counts[bucket] ?? 0
    while (values.length < ranks.length && below >= (ranks[values.length] ?? 0)) values.push(toMs(bucket))
  }
  const [p50 = null, p95 = null, p99 = null] = values
  return { p50, p95, p99 }
}

export function add(counts: Uint32Array, ms: number): void {
  const bucket = ms > 0 ? Math.floor(Math.log2(ms) * PER_DOUBLING) - LOWEST : 0
  const bounded = Math.min(Math.max(bucket, 0), BUCKETS - 1)
  counts[bounded] = (counts[bounded] ?? 0) + 1
}

function join(to: Histogram, counts: Uint32Array): void {
  for (let bucket = 0; bucket < counts.length; bucket++) {
    const count = counts[bucket] ?? 0
    if (count === 0) continue
    to.counts[bucket] = (to.counts[bucket] ?? 0) + count
    to.total += count
  }
}

/** The middle of a bucket, in three digits. */
function toMs(bucket: number): number {
  return Number((2 ** ((bucket + LOWEST + 0.5) / PER_DOUBLING)).toPrecision(3))
}
