import { randomUUID } from 'node:crypto'
import { mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { GatewayError } from '../core/errors.ts'

/** Who holds a data directory, as its lock file says. */
interface Holder {
  readonly token: string
  readonly pid: number
  readonly host: string
  /** Tells a process from a later one with the same id: in a container every first process is number 1. */
  readonly started: string
}

export interface DataDirectoryLock {
  release(): void
}

/** The holder touches its file this often; a holder on another host that misses several has gone. */
const TOUCH_MS = 1000
const SILENCE_MS = 5000
const DRAFT_MS = 100
const ATTEMPTS_MAX = 5

/**
 * Takes the only right to open a data directory: two PostgreSQL engines on one directory destroy it.
 *
 * A lock whose process is dead is taken over at once; one of another host (a volume that moved with its container)
 * once nobody has touched it for 5 s.
 *
 * @param path the lock file; its directory is made where it is missing
 * @throws GatewayError `conflict` naming the holder
 */
export async function lockDataDirectory(path: string): Promise<DataDirectoryLock> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const mine: Holder = {
    token: randomUUID(),
    pid: process.pid,
    host: hostname(),
    started: processStart(process.pid) ?? String(Math.round(performance.timeOrigin)),
  }
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
    if (create(path, mine)) return hold(path, mine)
    let holder = read(path)
    if (holder === 'unreadable') {
      // Perhaps it is being written at this moment.
      await wait(DRAFT_MS)
      holder = read(path)
    }
    if (holder === undefined) continue
    if (holder !== 'unreadable' && (await isAlive(path, holder))) throw inUse(path, holder)
    removeStale(path, holder)
  }
  throw inUse(path, read(path))
}

/** @returns whether the file is ours now: it never replaces another. No hard link: network volumes lack them */
function create(path: string, holder: Holder): boolean {
  try {
    writeFileSync(path, JSON.stringify(holder), { flag: 'wx', mode: 0o600 })
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

function hold(path: string, holder: Holder): DataDirectoryLock {
  const timer = setInterval(() => {
    try {
      const now = new Date()
      utimesSync(path, now, now)
    } catch {
      // Somebody removed the file by hand; the next holder will say so.
    }
  }, TOUCH_MS)
  timer.unref()
  return {
    release() {
      clearInterval(timer)
      const current = read(path)
      if (current !== undefined && current !== 'unreadable' && current.token === holder.token) {
        rmSync(path, { force: true })
      }
    },
  }
}

function read(path: string): Holder | 'unreadable' | undefined {
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
  try {
    return JSON.parse(text) as Holder
  } catch {
    return 'unreadable'
  }
}

async function isAlive(path: string, holder: Holder): Promise<boolean> {
  if (holder.host !== hostname()) {
    // Clocks of two hosts may differ, so we watch for a touch instead of comparing times.
    const before = modifiedMs(path)
    await wait(SILENCE_MS)
    return modifiedMs(path) !== before
  }
  const started = processStart(holder.pid)
  if (started !== undefined) return started === holder.started
  if (holder.pid === process.pid) return holder.started === String(Math.round(performance.timeOrigin))
  try {
    process.kill(holder.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** @returns what identifies the process with this id among all that have it in turn; `undefined` where there is none or the system has no `/proc` */
function processStart(pid: number): string | undefined {
  try {
    // Field 22 of proc(5) is the start in clock ticks since boot; the name before it may hold spaces.
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}

function modifiedMs(path: string): number {
  try {
    return statSync(path).mtimeMs
  } catch {
    return 0
  }
}

/** Removes the file, unless somebody else has replaced it since it was read: then theirs goes back. */
function removeStale(path: string, stale: Holder | 'unreadable'): void {
  const aside = `${path}.${randomUUID()}`
  try {
    renameSync(path, aside)
  } catch {
    return
  }
  const moved = read(aside)
  const same =
    stale === 'unreadable'
      ? moved === 'unreadable'
      : moved !== undefined && moved !== 'unreadable' && moved.token === stale.token
  try {
    if (!same) writeFileSync(path, readFileSync(aside), { flag: 'wx', mode: 0o600 })
  } catch {
    // A third process holds it by now, and the one whose file we moved will notice at its next touch.
  } finally {
    rmSync(aside, { force: true })
  }
}

function inUse(path: string, holder: Holder | 'unreadable' | undefined): GatewayError {
  const who =
    holder === undefined || holder === 'unreadable'
      ? 'another process'
      : `process ${holder.pid} on host ${holder.host}`
  return new GatewayError('conflict', {
    message: `The data directory is in use by ${who}: stop that one, or choose another with GATEHOUSE_DATA_DIR.`,
    detail: { path },
  })
}
