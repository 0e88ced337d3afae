import { close, constants, fdatasync, ftruncate, openSync, write, writeSync } from 'node:fs'
import { open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'

/** One file of the journal. */
export interface Segment {
  readonly path: string
  /** No record in it has a lower number; those of the next segment are higher than all of this one. */
  readonly firstNumber: number
  /** Up to here it is durable; what an earlier process wrote is as durable as its death has left it. */
  bytes: number
}

/** A segment that is being written. What was written has left this process, and survives its death. */
export interface SegmentFile {
  /** Done when it returns: a copy into the page cache of the system. */
  writeNow(bytes: Buffer, position: number): void
  /** The same, without holding this process up where the disk does. */
  write(bytes: Buffer, position: number): Promise<void>
  /** Resolves when what was written before, and the name of the file, survive the loss of power. */
  sync(): Promise<void>
  truncate(bytes: number): Promise<void>
  close(): Promise<void>
}

export type OpenSegmentFile = (path: string) => SegmentFile

const NAME = /^(\d{16})\.journal$/
const POSITION = 'drained.json'

export function segmentPath(directory: string, firstNumber: number): string {
  return join(directory, `${String(firstNumber).padStart(16, '0')}.journal`)
}

/** @returns the segments, oldest first */
export async function listSegments(directory: string): Promise<Segment[]> {
  const segments: Segment[] = []
  for (const name of (await readdir(directory)).sort()) {
    const number = NAME.exec(name)?.[1]
    if (number === undefined) continue
    const path = join(directory, name)
    segments.push({ path, firstNumber: Number(number), bytes: (await stat(path)).size })
  }
  return segments
}

/** @returns the number of the last record that the ledger has; 0 where nobody knows: then rows are delivered again */
export async function loadPosition(directory: string): Promise<number> {
  try {
    const { drained } = JSON.parse(await readFile(join(directory, POSITION), 'utf8')) as { drained?: unknown }
    return Number.isSafeInteger(drained) ? Number(drained) : 0
  } catch {
    return 0
  }
}

export async function savePosition(directory: string, drained: number): Promise<void> {
  const path = join(directory, POSITION)
  await writeFile(`${path}.new`, `${JSON.stringify({ drained })}\n`, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

/** @returns bytes of a segment; fewer where it has become shorter */
export async function readSegment({ path }: Segment, start: number, end: number): Promise<Buffer> {
  const file = await open(path, 'r')
  try {
    const buffer = Buffer.allocUnsafeSlow(end - start)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, start + length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    return buffer.subarray(0, length)
  } finally {
    await file.close()
  }
}

export async function removeSegment({ path }: Segment): Promise<void> {
  await rm(path, { force: true })
}

const FLAGS = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC

/** Makes an empty file. It happens once for many megabytes, and the first row of a file waits for it: at once. */
export function openSegmentFile(path: string): SegmentFile {
  const descriptor = openSync(path, FLAGS, 0o600)
  let isOpen = true
  let isNameDurable = false
  /** A number that is closed may soon be that of another file, or of a socket. */
  const fd = () => {
    if (isOpen) return descriptor
    throw new Error(`${path} is closed.`)
  }
  return {
    writeNow(bytes, position) {
      let written = 0
      while (written < bytes.length)
        written += writeSync(fd(), bytes, written, bytes.length - written, position + written)
    },
    async write(bytes, position) {
      let written = 0
      while (written < bytes.length) written += await writeSome(fd(), bytes, written, position + written)
    },
    async sync() {
      await syncData(fd())
      if (isNameDurable) return
      await syncDirectory(join(path, '..'))
      isNameDurable = true
    },
    truncate: async (bytes) => truncateOpen(fd(), bytes),
    async close() {
      const open = fd()
      isOpen = false
      await closeOpen(open)
    },
  }
}

// The functions with callbacks take a third less time than those of a FileHandle, and this happens 100 times a second.
function writeSome(fd: number, bytes: Buffer, offset: number, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    write(fd, bytes, offset, bytes.length - offset, position, (error, count) =>
      error ? reject(error) : resolve(count),
    )
  })
}

const syncData = promisify(fdatasync)
const truncateOpen = promisify(ftruncate)
const closeOpen = promisify(close)

/** A new name is durable once its directory is. Windows cannot open one, and needs it not. */
export async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}
