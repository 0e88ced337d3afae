import { createHash } from 'node:crypto'
import type { AlertEvent, AlertStore } from './ports.ts'

export interface ReportsOptions {
  readonly store: Pick<AlertStore, 'raise'>
  readonly newId: () => string
  readonly now: () => number
  /** Names of the channels that are told. */
  readonly channels: () => readonly string[]
  readonly onError: (error: unknown) => void
}

/** Events on their way to the store: found at any time, kept while the database is away. */
export interface Reports {
  /** Takes an event; nothing where the same was reported before. Never waits and never fails. */
  add(event: AlertEvent): void
  /** @returns whether this key was added before, as far as is remembered */
  has(dedupeKey: string): boolean
  /** @returns once every event that was taken is stored, or failed to be and is kept for the next time */
  flush(): Promise<void>
}

const WAITING_MAX = 1000
/** Keys remembered, so that what goes on and on asks the database once. */
const KNOWN_MAX = 50_000
/** An index of PostgreSQL takes no longer ones, and names in keys are of strangers. */
const KEY_LENGTH_MAX = 600

export function createReports(options: ReportsOptions): Reports {
  const waiting = new Map<string, AlertEvent>()
  let known = new Set<string>()
  let flushing: Promise<void> | undefined

  async function store(): Promise<void> {
    for (const [key, event] of waiting) {
      try {
        const at = new Date(options.now())
        await options.store.raise(options.newId(), event, at, options.channels())
        waiting.delete(key)
        if (known.size >= KNOWN_MAX) known = new Set()
        known.add(key)
      } catch (error) {
        options.onError(error)
        // What keeps one from being stored mostly keeps the others too.
        return
      }
    }
  }

  const has = (key: string) => known.has(key) || waiting.has(key)

  return {
    add(event) {
      const dedupeKey = toKey(event.dedupeKey)
      if (has(dedupeKey) || waiting.size >= WAITING_MAX) return
      waiting.set(dedupeKey, { ...event, dedupeKey })
    },
    has: (dedupeKey) => has(toKey(dedupeKey)),
    flush() {
      flushing ??= store().finally(() => {
        flushing = undefined
      })
      return flushing
    },
  }
}

function toKey(dedupeKey: string): string {
  if (dedupeKey.length <= KEY_LENGTH_MAX) return dedupeKey
  const digest = createHash('sha256').update(dedupeKey).digest('hex')
  return `${dedupeKey.slice(0, KEY_LENGTH_MAX - digest.length - 1)}/${digest}`
}
