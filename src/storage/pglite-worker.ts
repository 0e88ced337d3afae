import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { parentPort, workerData } from 'node:worker_threads'
import { PGlite } from '@electric-sql/pglite'
import { vector } from '@electric-sql/pglite-pgvector'

/**
 * The thread that runs PGlite. It speaks PostgreSQL's wire protocol over its message port, so that `pg` on the
 * other side needs no second code path; see `embedded-socket.ts`.
 */

/** What the main thread sends. `connection` tells connections apart that follow one another. */
export type ToWorker =
  | { readonly type: 'connect'; readonly connection: number }
  /** Whole frontend messages, the last of them a Sync, a Query or a Flush. */
  | { readonly type: 'send'; readonly connection: number; readonly bytes: Uint8Array }
  | { readonly type: 'close' }

/** What comes back; `last` ends the answer to one `send`. */
export type FromWorker =
  | { readonly type: 'ready' }
  | { readonly type: 'failed'; readonly message: string; readonly log: readonly string[] }
  | { readonly type: 'data'; readonly connection: number; readonly bytes: Uint8Array; readonly last: boolean }
  | { readonly type: 'closed' }

export interface WorkerOptions {
  /** Directory of the database cluster; `undefined` keeps everything in memory. */
  readonly directory: string | undefined
}

/** Replies are handed over in pieces of about this size, so that a large result is never held twice. */
const PIECE_BYTES = 256 * 1024
/**
 * Single-user PostgreSQL has neither checkpointer nor autovacuum. Without the first, the log and the recovery after a
 * kill would grow for ever (measured: 4 ms of recovery for each MB of log); without the second, statistics go stale.
 * Counted in bytes of statements, which the log follows roughly.
 */
const CHECKPOINT_AFTER_BYTES = 16 * 1024 * 1024
const CHECKPOINTS_PER_VACUUM = 32
/** Not at once: statements that wait go first. */
const UPKEEP_PAUSE_MS = 1000
const LOG_LINES_MAX = 20

const encoder = new TextEncoder()

/** @returns a frontend Query message (https://www.postgresql.org/docs/17/protocol-message-formats.html) */
function toQueryMessage(sql: string): Uint8Array {
  const text = encoder.encode(sql)
  const message = new Uint8Array(text.length + 6)
  message[0] = 0x51
  new DataView(message.buffer).setUint32(1, text.length + 5)
  message.set(text, 5)
  return message
}

/** AuthenticationOk, BackendKeyData (PGlite cannot be cancelled, so zeros) and ReadyForQuery. */
const WELCOME = Uint8Array.of(
  ...[0x52, 0, 0, 0, 8, 0, 0, 0, 0],
  ...[0x4b, 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0],
  ...[0x5a, 0, 0, 0, 5, 0x49],
)
/** Ends whatever the last connection left behind: its transaction, settings, statements and LISTENs. */
const FRESH_SESSION = [toQueryMessage('ROLLBACK'), toQueryMessage('DISCARD ALL')]
const CHECKPOINT = toQueryMessage('CHECKPOINT')
const VACUUM = toQueryMessage('VACUUM (ANALYZE)')

/**
 * A cluster that is created in place and killed half-way would look complete at the next start. So it is made
 * beside its place and renamed once it is whole.
 */
async function createCluster(directory: string, log: string[]): Promise<void> {
  const unfinished = `${directory}.unfinished`
  rmSync(unfinished, { recursive: true, force: true })
  mkdirSync(unfinished, { recursive: true, mode: 0o700 })
  const database = new PGlite({ dataDir: unfinished, onStderr: (line) => remember(log, line) })
  await database.waitReady
  await database.close()
  renameSync(unfinished, directory)
}

function remember(log: string[], line: string): boolean {
  log.push(line)
  if (log.length > LOG_LINES_MAX) log.shift()
  return false
}

async function openPglite(directory: string | undefined, log: string[]): Promise<PGlite> {
  if (directory !== undefined && !existsSync(`${directory}/PG_VERSION`)) await createCluster(directory, log)
  const database = new PGlite({
    ...(directory === undefined ? {} : { dataDir: directory }),
    // Measured: 45 ms at opening. Loading it later would need the library's private file system.
    extensions: { vector },
    onStderr: (line: string) => remember(log, line),
  })
  await database.waitReady
  return database
}

async function main(): Promise<void> {
  const port = parentPort
  if (port === null) return
  const log: string[] = []
  const reply = (message: FromWorker, bytes?: Uint8Array) =>
    port.postMessage(message, bytes === undefined ? [] : [bytes.buffer as ArrayBuffer])

  let database: PGlite
  try {
    database = await openPglite((workerData as WorkerOptions).directory, log)
  } catch (error) {
    reply({ type: 'failed', message: error instanceof Error ? error.message : String(error), log })
    process.exitCode = 1
    port.close()
    return
  }

  let pieces: Uint8Array[] = []
  let pieceBytes = 0
  let current = 0
  let writtenBytes = 0
  let checkpoints = 0
  let upkeepTimer: NodeJS.Timeout | undefined

  const flush = (last: boolean) => {
    const bytes = new Uint8Array(pieceBytes)
    let offset = 0
    for (const piece of pieces) {
      bytes.set(piece, offset)
      offset += piece.length
    }
    pieces = []
    pieceBytes = 0
    reply({ type: 'data', connection: current, bytes, last }, bytes)
  }
  const keep = (bytes: Uint8Array) => {
    // PGlite shows us its own memory, which it writes over: copy.
    pieces.push(bytes.slice())
    pieceBytes += bytes.length
    if (pieceBytes >= PIECE_BYTES) flush(false)
  }
  const ignore = () => {}
  // The call runs to its end before it returns its promise: one message at a time, in order. `syncToFs` does
  // nothing on Node's file system, where every write is handed to the system at once.
  const execute = (bytes: Uint8Array, onRawData: (bytes: Uint8Array) => void) =>
    database.execProtocolRawStream(bytes, { syncToFs: false, onRawData })

  const upkeep = () => {
    upkeepTimer = undefined
    if (database.isInTransaction()) return scheduleUpkeep()
    writtenBytes = 0
    checkpoints++
    if (checkpoints % CHECKPOINTS_PER_VACUUM === 0) void execute(VACUUM, ignore)
    void execute(CHECKPOINT, ignore)
  }
  const scheduleUpkeep = () => {
    upkeepTimer ??= setTimeout(upkeep, UPKEEP_PAUSE_MS)
  }

  port.on('message', (message: ToWorker) => {
    if (message.type === 'connect') {
      current = message.connection
      for (const query of FRESH_SESSION) void execute(query, ignore)
      const bytes = WELCOME.slice()
      reply({ type: 'data', connection: current, bytes, last: false }, bytes)
    } else if (message.type === 'send') {
      if (message.connection !== current) return
      void execute(message.bytes, keep)
      flush(true)
      writtenBytes += message.bytes.length
      if (writtenBytes > CHECKPOINT_AFTER_BYTES) scheduleUpkeep()
    } else {
      clearTimeout(upkeepTimer)
      void database
        .close()
        .catch(() => {})
        .then(() => {
          reply({ type: 'closed' })
          port.close()
        })
    }
  })
  reply({ type: 'ready' })
}

await main()
