import { KeyRing } from './key-ring.ts'
import type { IdentityStore } from './ports.ts'

/** The keys of the store, held in memory and kept fresh. */
export interface Directory {
  readonly ring: KeyRing
  close(): Promise<void>
}

/**
 * Loads every key and follows changes from then on.
 *
 * @param onError told when a reload failed; the keys known so far stay in force
 * @returns once the ring is complete
 * @throws GatewayError `storage_unavailable`
 */
export async function openDirectory(
  store: IdentityStore,
  onError: (error: unknown) => void,
): Promise<Directory> {
  const ring = new KeyRing()

  async function load(): Promise<void> {
    const ids = new Set<string>()
    await store.loadKeys((keys) => {
      for (const key of keys) {
        ids.add(key.id)
        ring.put(key)
      }
    })
    ring.keepOnly(ids)
  }

  // Watching begins before loading, so that no change falls between the two.
  const stop = await store.watchKeys({
    onKey: (key) => ring.put(key),
    onReload: () => void load().catch(onError),
  })
  try {
    await load()
  } catch (error) {
    await stop()
    throw error
  }
  return { ring, close: stop }
}
