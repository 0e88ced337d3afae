import { openMirror } from '../core/mirror.ts'
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
 * @param onError told when a reload failed; the keys known so far stay in force until the next try
 * @returns once the ring is complete
 * @throws GatewayError `storage_unavailable`
 */
export async function openDirectory(
  store: IdentityStore,
  onError: (error: unknown) => void,
): Promise<Directory> {
  const ring = new KeyRing()
  const { close } = await openMirror({
    async load() {
      const reload = ring.beginReload()
      await store.loadKeys((keys) => {
        for (const key of keys) reload.put(key)
      })
      reload.finish()
    },
    watch: (onReload) => store.watchKeys({ onKey: (key) => ring.put(key), onReload }),
    onError,
  })
  return { ring, close }
}
