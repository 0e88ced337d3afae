import { readdirSync, readFileSync } from 'node:fs'

/** What a process and everything below it has used so far. */
export interface TreeUsage {
  /** User and system time of all threads, also of those that have ended. */
  readonly cpuMs: number
  /** Resident memory; what processes share counts for each. */
  readonly rssBytes: number
  readonly processes: number
}

interface ProcessStat {
  readonly parentPid: number
  readonly cpuTicks: number
}

// The kernel scales these times for user space to 100 per second on every architecture that Node.js runs on:
// https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html, fields 14 to 17; read November 2026.
const TICK_MS = 10

/**
 * @returns the use of the process and all its descendants. A child that has ended and was waited for counts in its
 *   parent's figures, so the sum never falls and nothing counts twice.
 * @throws Error where the process is not there, or the system has no /proc
 */
export function readProcessTree(rootPid: number): TreeUsage {
  const stats = readAll()
  if (!stats.has(rootPid)) throw new Error(`There is no process ${rootPid} in /proc.`)
  let cpuTicks = 0
  let rssBytes = 0
  const pids = descendantsOf(rootPid, stats)
  for (const pid of pids) {
    cpuTicks += stats.get(pid)?.cpuTicks ?? 0
    rssBytes += readRssBytes(pid)
  }
  return { cpuMs: cpuTicks * TICK_MS, rssBytes, processes: pids.length }
}

/** @returns the root first, then everything below it */
export function descendantsOf(
  rootPid: number,
  stats: ReadonlyMap<number, Pick<ProcessStat, 'parentPid'>>,
): number[] {
  const found = [rootPid]
  // The list grows while it is walked, and each process stands in it once because it has one parent.
  for (const parent of found) {
    for (const [pid, { parentPid }] of stats) if (parentPid === parent && pid !== parent) found.push(pid)
  }
  return found
}

/** @param text one `/proc/PID/stat` */
export function parseStat(text: string): ProcessStat | undefined {
  // The name stands in parentheses and may hold blanks and parentheses itself, so the fields begin after the last.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  const numberAt = (field: number) => Number(fields[field - 3])
  const cpuTicks = numberAt(14) + numberAt(15) + numberAt(16) + numberAt(17)
  return Number.isNaN(cpuTicks) ? undefined : { parentPid: numberAt(4), cpuTicks }
}

function readAll(): Map<number, ProcessStat> {
  const stats = new Map<number, ProcessStat>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    const stat = parseStat(readOrEmpty(`/proc/${name}/stat`))
    if (stat !== undefined) stats.set(Number(name), stat)
  }
  return stats
}

function readRssBytes(pid: number): number {
  const kilobytes = /^VmRSS:\s+(\d+) kB/m.exec(readOrEmpty(`/proc/${pid}/status`))?.[1]
  return Number(kilobytes ?? 0) * 1024
}

/** Processes may end between the listing and the reading. */
function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
