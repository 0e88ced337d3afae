import { Worker } from 'node:worker_threads'
import { GatewayError } from '../core/errors.ts'
import { type EmbeddedPeer, EmbeddedSocket } from './embedded-socket.ts'
import type { FromWorker, ToWorker, WorkerOptions } from './pglite-worker.ts'
import { siblingFile } from './sibling-file.ts'
import type { StorageLogger } from './storage-logger.ts'

/** A statement that takes longer has hung the engine, which cannot be interrupted: the thread is replaced. */
const ANSWER_MS_MAX = 5 * 60 * 1000
const CLOSE_MS_MAX = 10_000

/** The PGlite thread. */
export interface EmbeddedEngine {
  /** @returns a socket for `pg`; one connection at a time, a later one ends the session of the earlier */
  createSocket(): EmbeddedSocket
  /** Resolves once the database answers. @throws GatewayError `storage_unavailable` */
  ready(): Promise<void>
  /** Writes everything out and ends the thread. */
  close(): Promise<void>
}

export type CreateWorker = (options: WorkerOptions) => Worker

export function createPgliteWorker(options: WorkerOptions): Worker {
  return new Worker(siblingFile(['pglite-worker.ts', 'pglite-worker.js']), { workerData: options })
}

interface Session {
  readonly socket: EmbeddedSocket
  readonly number: number
  /** Deliveries that are not answered yet. */
  waiting: number
  watchdog: NodeJS.Timeout | undefined
}

/**
 * Starts the thread at once. Where it dies, its sockets fail, and the next connection starts another: PostgreSQL
 * recovers what was acknowledged from its log.
 */
export function startEmbeddedEngine(
  options: WorkerOptions,
  logger: StorageLogger,
  createWorker: CreateWorker = createPgliteWorker,
): EmbeddedEngine {
  let thread: Promise<Worker> | undefined
  let running: Worker | undefined
  let session: Session | undefined
  let sessions = 0
  let closing = false

  const launch = (): Promise<Worker> => {
    const worker = createWorker(options)
    running = worker
    return new Promise<Worker>((resolve, reject) => {
      const fail = (message: string, detail: Record<string, unknown>) => {
        if (running === worker) {
          running = undefined
          thread = undefined
        }
        const error = unavailable(message, detail)
        reject(error)
        if (closing) return
        logger.error({ ...detail, error: message }, 'The embedded database stopped.')
        endSession(error)
      }
      worker.on('message', (message: FromWorker) => {
        if (message.type === 'ready') resolve(worker)
        else if (message.type === 'failed')
          fail(`The embedded database cannot be opened: ${message.message}`, { log: message.log })
        else if (message.type === 'data') onData(message.connection, message.bytes, message.last)
      })
      worker.on('error', (error) => fail('The embedded database failed.', { cause: String(error) }))
      worker.on('exit', (code) => fail('The embedded database ended.', { code }))
    })
  }
  const start = (): Promise<Worker> => {
    if (closing) return Promise.reject(unavailable('The embedded database is closed.', {}))
    thread ??= launch()
    return thread
  }
  const endSession = (error: Error) => {
    const ended = session
    session = undefined
    clearTimeout(ended?.watchdog)
    ended?.socket.destroy(error)
  }
  const onData = (connection: number, bytes: Uint8Array, last: boolean) => {
    const current = session
    if (current?.number !== connection) return
    if (last) {
      current.waiting--
      clearTimeout(current.watchdog)
      current.watchdog = current.waiting > 0 ? watch() : undefined
    }
    // Last, because pg may answer by ending the session.
    if (bytes.length > 0) current.socket.push(Buffer.from(bytes.buffer))
  }
  const watch = (): NodeJS.Timeout => {
    const timer = setTimeout(() => {
      logger.error({ waitedMs: ANSWER_MS_MAX }, 'The embedded database does not answer and is restarted.')
      void running?.terminate()
    }, ANSWER_MS_MAX)
    timer.unref()
    return timer
  }
  const post = (message: ToWorker, transfer: ArrayBuffer[] = []) => running?.postMessage(message, transfer)

  const peer: EmbeddedPeer = {
    connect(socket) {
      start().then(
        () => socket.accept(),
        (error: Error) => socket.destroy(error),
      )
    },
    start(socket) {
      if (session !== undefined) endSession(unavailable('Another connection took over.', {}))
      sessions++
      session = { socket, number: sessions, waiting: 0, watchdog: undefined }
      post({ type: 'connect', connection: sessions })
    },
    send(socket, bytes) {
      if (session?.socket !== socket) return
      session.waiting++
      session.watchdog ??= watch()
      post({ type: 'send', connection: session.number, bytes }, [bytes.buffer as ArrayBuffer])
    },
    disconnect(socket) {
      if (session?.socket !== socket) return
      clearTimeout(session.watchdog)
      session = undefined
    },
  }

  // Nobody may be waiting yet when it fails; whoever connects next hears of it.
  start().catch(() => {})

  return {
    createSocket: () => new EmbeddedSocket(peer),
    async ready() {
      await start()
    },
    async close() {
      if (closing) return
      closing = true
      const worker = await thread?.catch(() => undefined)
      if (worker === undefined) return
      const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
      const timer = setTimeout(() => void worker.terminate(), CLOSE_MS_MAX)
      worker.postMessage({ type: 'close' } satisfies ToWorker)
      await ended
      clearTimeout(timer)
    },
  }
}

function unavailable(message: string, detail: Record<string, unknown>): GatewayError {
  return new GatewayError('storage_unavailable', { message, detail })
}
