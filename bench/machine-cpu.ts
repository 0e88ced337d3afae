import { readFileSync } from 'node:fs'
import { readProcessTree } from './process-tree.ts'

/** CPU time of all cores so far, in milliseconds. */
export interface MachineCpu {
  readonly totalMs: number
  /** Not idle, whoever it was; time that a hypervisor gave to other machines counts too. */
  readonly busyMs: number
  /** Of it, this process and everything it started. */
  readonly ownMs: number
}

const TICK_MS = 10

export function readMachineCpu(): MachineCpu {
  const { totalTicks, idleTicks } = parseCpuLine(readFileSync('/proc/stat', 'utf8'))
  return {
    totalMs: totalTicks * TICK_MS,
    busyMs: (totalTicks - idleTicks) * TICK_MS,
    ownMs: readProcessTree(process.pid).cpuMs,
  }
}

/** @param text `/proc/stat`; its first line sums all cores: https://man7.org/linux/man-pages/man5/proc_stat.5.html */
export function parseCpuLine(text: string): { totalTicks: number; idleTicks: number } {
  const [, ...fields] = (text.split('\n', 1)[0] ?? '').trim().split(/\s+/).map(Number)
  // The last two of the ten (guests) stand in the first two already.
  const times = fields.slice(0, 8)
  const [, , , idle = 0, ioWait = 0] = times
  return { totalTicks: times.reduce((sum, time) => sum + time, 0), idleTicks: idle + ioWait }
}

/** @returns from 0 to 1 */
export function othersShare(before: MachineCpu, after: MachineCpu): number {
  const others = after.busyMs - before.busyMs - (after.ownMs - before.ownMs)
  return Math.max(0, others) / Math.max(1, after.totalMs - before.totalMs)
}
