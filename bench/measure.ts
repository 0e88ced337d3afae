import type { CandidateName } from './candidates.ts'
import type { LoadResult, StreamResult } from './orders.ts'
import { readProcessTree } from './process-tree.ts'

/** Who answers: a candidate, or the upstream itself as the measure of the measuring. */
export type Subject = CandidateName | 'direct'

/** What one load cost the candidate. */
export interface Cost {
  /** CPU time of its whole process tree, until it was quiet again. */
  readonly cpuMs: number
  readonly rssBytes: number
  /** It was still busy when waiting for it had an end. */
  readonly stillBusy: boolean
}

export interface ClosedRound extends LoadResult {
  readonly cost: Cost
}

export interface PacedRound extends LoadResult {
  readonly cost: Cost | undefined
  readonly callsPerSecond: number
}

export interface StreamRound extends StreamResult {
  readonly cost: Cost | undefined
}

/** Every round of every subject, in order. */
export interface Measurements {
  readonly closed: ReadonlyMap<Subject, readonly ClosedRound[]>
  readonly paced: ReadonlyMap<Subject, readonly PacedRound[]>
  /** By the number of parallel streams. */
  readonly streams: ReadonlyMap<number, ReadonlyMap<Subject, readonly StreamRound[]>>
}

const QUIET_WINDOW_MS = 100
// One tick of the kernel's CPU clock in a window may be a timer or the rounding.
const QUIET_CPU_MS = 10
const QUIET_WAIT_MAX_MS = 8000

/**
 * Runs one load and takes what it cost the process. Work that a candidate put off until after its reply (books,
 * collecting garbage) belongs to the calls, so the clock runs until the process has nothing more to do.
 *
 * @param settle has it write its books now, where it keeps any and might wait longer than we do
 */
export async function withCost<Result>(
  pid: number,
  settle: (() => Promise<unknown>) | undefined,
  load: () => Promise<Result>,
): Promise<{ result: Result; cost: Cost }> {
  const before = readProcessTree(pid)
  const result = await load()
  const { rssBytes } = readProcessTree(pid)
  await settle?.()
  const stillBusy = !(await becomesQuiet(pid))
  const cpuMs = readProcessTree(pid).cpuMs - before.cpuMs
  return { result, cost: { cpuMs, rssBytes, stillBusy } }
}

/** @returns false where it was not quiet in time */
export async function becomesQuiet(pid: number): Promise<boolean> {
  const endMs = performance.now() + QUIET_WAIT_MAX_MS
  let quietWindows = 0
  let last = readProcessTree(pid).cpuMs
  while (quietWindows < 2 && performance.now() < endMs) {
    await new Promise((resolve) => setTimeout(resolve, QUIET_WINDOW_MS))
    const now = readProcessTree(pid).cpuMs
    quietWindows = now - last <= QUIET_CPU_MS ? quietWindows + 1 : 0
    last = now
  }
  return quietWindows >= 2
}
