import { KeyRing } from './key-ring.ts'
import type { IdentityStore } from './ports.ts'

/** The keys of the store, held in memory and kept fresh. */
export interface Directory {
  readonly ring: KeyRing
  close(): Promise<void>
}

/** A reload that failed leaves revoked keys in force, so it is soon tried again. */
const RETRY_MS = 1000

/**
 * Loads every key and follows changes from then on.
 *
 * @param onError told when a reload failed; the keys known so far stay in force until the next try
 * @returns once the ring is complete
 * @throws GatewayError `storage_unavailable`
 */
export async function openDirectory(
  store: IdentityStore,
  onError: (error: unknown) => void,
): Promise<Directory> {
  const ring = new KeyRing()
  // The first load is under way from the start.
  let loading = true
  let asked = false
  let closed = false
  let timer: NodeJS.Timeout | undefined

  async function load(): Promise<void> {
    const reload = ring.beginReload()
    await store.loadKeys((keys) => {
      for (const key of keys) reload.put(key)
    })
    reload.finish()
  }

  /** One load at a time; what is asked for during one is done after it. */
  async function reload(): Promise<void> {
    asked = true
    if (loading) return
    loading = true
    clearTimeout(timer)
    try {
      while (asked && !closed) {
        asked = false
        await load()
      }
    } catch (error) {
      onError(error)
      if (!closed) timer = setTimeout(reload, RETRY_MS).unref()
    } finally {
      loading = false
    }
  }

  // Watching begins before loading, so that no change falls between the two.
  const stop = await store.watchKeys({
    onKey: (key) => ring.put(key),
    onReload: () => void reload(),
  })
  async function close(): Promise<void> {
    closed = true
    clearTimeout(timer)
    await stop()
  }
  try {
    await load()
  } catch (error) {
    await close()
    throw error
  }
  loading = false
  if (asked) await reload()
  return { ring, close }
}
