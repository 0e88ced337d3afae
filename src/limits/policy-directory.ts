import { openMirror } from '../core/mirror.ts'
import type { Policy } from './policy.ts'
import { PolicyBook } from './policy-book.ts'
import type { PolicyStore } from './ports.ts'

/** What is set on whom, held in memory and kept fresh. */
export interface PolicyDirectory {
  readonly book: PolicyBook
  close(): Promise<void>
}

export interface PolicyDirectoryOptions {
  readonly store: PolicyStore
  /** A policy as it is from now on, and as it was, wherever it was changed. */
  readonly onChange: (policy: Policy, before: Policy | undefined) => void
  /** A reload failed; the policies known so far stay in force until the next try. */
  readonly onError: (error: unknown) => void
}

/** @throws GatewayError `storage_unavailable` */
export async function openPolicyDirectory(options: PolicyDirectoryOptions): Promise<PolicyDirectory> {
  const { store, onChange, onError } = options
  const book = new PolicyBook()
  const { close } = await openMirror({
    async load() {
      const reload = book.beginReload()
      await store.load((policies) => {
        for (const policy of policies) reload.put(policy)
      })
      reload.finish()
    },
    watch: (onReload) =>
      store.watch({
        onPolicy(policy) {
          const before = book.find(policy.organizationId, policy.subject)?.policy
          book.put(policy)
          onChange(policy, before)
        },
        onReload,
      }),
    onError,
  })
  return { book, close }
}
