import { openMirror } from '../core/mirror.ts'
import { PolicyBook } from './policy-book.ts'
import type { PolicyStore } from './ports.ts'

/** What is set on whom, held in memory and kept fresh. */
export interface PolicyDirectory {
  readonly book: PolicyBook
  close(): Promise<void>
}

export interface PolicyDirectoryOptions {
  readonly store: PolicyStore
  /** A reload failed; the policies known so far stay in force until the next try. */
  readonly onError: (error: unknown) => void
}

/** @throws GatewayError `storage_unavailable` */
export async function openPolicyDirectory(options: PolicyDirectoryOptions): Promise<PolicyDirectory> {
  const { store, onError } = options
  const book = new PolicyBook()
  const { close } = await openMirror({
    async load() {
      const reload = book.beginReload()
      await store.load((policies) => {
        for (const policy of policies) reload.put(policy)
      })
      reload.finish()
    },
    watch: (onReload) => store.watch({ onPolicy: (policy) => book.put(policy), onReload }),
    onError,
  })
  return { book, close }
}
