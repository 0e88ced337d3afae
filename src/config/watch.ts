import { watch as watchOfNode } from 'node:fs'
import { dirname } from 'node:path'
import { toCanonicalJson } from './hash.ts'
import { fingerprintOf, type LoadedConfig, type LoadOptions, loadConfig, readConfigFile } from './load.ts'
import { ConfigError } from './problem.ts'
import { restartNeeded } from './restart.ts'

export type ReloadResult = 'changed' | 'unchanged' | 'refused'

export interface ConfigChange {
  readonly loaded: LoadedConfig
  /** Paths whose new value takes effect only after a restart. */
  readonly restartNeeded: readonly string[]
}

export interface WatchOptions {
  /** The configuration the gateway started with. */
  readonly loaded: LoadedConfig
  /** How it was loaded. */
  readonly load: LoadOptions
  /** Called with a valid configuration that differs from the last good one. Must not throw. */
  onChange(change: ConfigChange): void
  /** Called with what is wrong; the last good configuration stays. Must not throw. */
  onRefused(error: ConfigError): void
  /** Editors write a file in several steps; this long after the last one it is read. */
  readonly debounceMs?: number
  /** Some file systems (network shares, some mounts into containers) report no events. */
  readonly pollMs?: number
  /** Replaces `fs.watch`: calls back on any event in a folder, returns the end of it. */
  readonly watchFolder?: (folder: string, onEvent: () => void) => () => void
  /** Replaces `setTimeout`: returns the end of the waiting. */
  readonly schedule?: (callback: () => void, delayMs: number) => () => void
}

export interface ConfigWatch {
  /** Reads everything again, secrets included: what SIGHUP means. Concurrent calls share one further run. */
  reload(): Promise<ReloadResult>
  close(): Promise<void>
}

const DEBOUNCE_MS = 250
const POLL_MS = 15_000

/** Watches the configuration file, its replacement included, until closed. Keeps no process alive. */
export function watchConfig(options: WatchOptions): ConfigWatch {
  const {
    debounceMs = DEBOUNCE_MS,
    pollMs = POLL_MS,
    schedule = scheduleUnref,
    watchFolder = watchByEvents,
  } = options
  const stop = new AbortController()
  const load: LoadOptions = { ...options.load, signal: stop.signal }
  let current = options.loaded
  /** What the last look at the file found; a refused text is not refused again at every poll. */
  let seen = options.loaded.fingerprint
  let running: Promise<ReloadResult> | undefined
  let next: Promise<ReloadResult> | undefined
  let cancelDebounce = () => {}
  let cancelPoll = () => {}

  const refuse = (error: ConfigError): ReloadResult => {
    options.onRefused(error)
    return 'refused'
  }

  const run = async (): Promise<ReloadResult> => {
    seen = await fingerprint(load)
    const loaded = await loadConfig(load).catch(toConfigError)
    if (stop.signal.aborted) return 'unchanged'
    if (loaded instanceof ConfigError) return refuse(loaded)
    if (current.file !== undefined && loaded.file === undefined) return refuse(fileGone(current.file))
    if (isSame(current, loaded)) return 'unchanged'
    const change = { loaded, restartNeeded: restartNeeded(current.config, loaded.config) }
    current = loaded
    options.onChange(change)
    return 'changed'
  }

  const start = (): Promise<ReloadResult> => {
    const started = run().finally(() => {
      if (running === started) running = undefined
    })
    running = started
    return started
  }

  const reload = (): Promise<ReloadResult> => {
    if (stop.signal.aborted) return Promise.resolve('unchanged')
    if (running === undefined) return start()
    // Whoever asks while a run is under way wants what is true now, so one more run follows for all of them.
    next ??= running
      .catch(() => undefined)
      .then(() => {
        next = undefined
        return stop.signal.aborted ? 'unchanged' : start()
      })
    return next
  }

  const lookAgain = async (): Promise<void> => {
    if (stop.signal.aborted || (await fingerprint(load)) === seen) return
    await reload()
  }

  const poll = () => {
    cancelPoll = schedule(() => void lookAgain().finally(poll), pollMs)
    if (stop.signal.aborted) cancelPoll()
  }

  const onEvent = () => {
    cancelDebounce()
    if (!stop.signal.aborted) cancelDebounce = schedule(() => void lookAgain(), debounceMs)
  }

  const folder = current.file === undefined ? (load.cwd ?? process.cwd()) : dirname(current.file)
  const endWatch = watchFolder(folder, onEvent)
  poll()

  return {
    reload,
    async close() {
      stop.abort()
      cancelDebounce()
      cancelPoll()
      endWatch()
      await Promise.allSettled([running, next])
    },
  }
}

/** The file as it stands, or why it cannot be read: equal as long as nothing happened to it. */
async function fingerprint(load: LoadOptions): Promise<string> {
  try {
    return fingerprintOf(await readConfigFile(load))
  } catch (error) {
    return String(error)
  }
}

function isSame(before: LoadedConfig, after: LoadedConfig): boolean {
  return (
    before.file === after.file &&
    toCanonicalJson(before.config, 'reveal') === toCanonicalJson(after.config, 'reveal')
  )
}

/** Without its file every provider would be gone: more likely a slip than a wish. */
function fileGone(file: string): ConfigError {
  return new ConfigError([{ path: '', file, message: 'is gone; the last good configuration stays in force' }])
}

/** A defect of ours must not end a gateway that runs: it is a refusal like any other. */
function toConfigError(error: unknown): ConfigError {
  if (error instanceof ConfigError) return error
  const name = error instanceof Error ? error.name : typeof error
  return new ConfigError([{ path: '', message: `loading the configuration failed unexpectedly (${name})` }])
}

/** The folder is watched, not the file: editors and Kubernetes replace files by renaming others over them. */
function watchByEvents(folder: string, onEvent: () => void): () => void {
  try {
    const watcher = watchOfNode(folder, { persistent: false }, onEvent)
    watcher.on('error', () => watcher.close()) // The poll goes on.
    return () => watcher.close()
  } catch {
    return () => {} // No events here, or too many watchers on the machine: the poll is enough.
  }
}

function scheduleUnref(callback: () => void, delayMs: number): () => void {
  const timer = setTimeout(callback, delayMs)
  timer.unref()
  return () => clearTimeout(timer)
}
