import { readdirSync, readFileSync } from 'node:fs'
import { parseStat } from './process-tree.ts'

const TICK_MS = 10

/** @returns CPU milliseconds so far of each living thread of a process, by its id and the name the kernel has */
export function readThreads(pid: number): Map<string, number> {
  const threads = new Map<string, number>()
  for (const id of readdirSync(`/proc/${pid}/task`)) {
    try {
      const text = readFileSync(`/proc/${pid}/task/${id}/stat`, 'utf8')
      const name = text.slice(text.indexOf('(') + 1, text.lastIndexOf(')'))
      threads.set(`${id} ${name}`, (parseStat(text)?.cpuTicks ?? 0) * TICK_MS)
    } catch {
      // It ended between the listing and the reading.
    }
  }
  return threads
}
