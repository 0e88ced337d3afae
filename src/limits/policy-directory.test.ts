import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { NO_LIMITS, ORGANIZATION, type Policy } from './policy.ts'
import { openPolicyDirectory } from './policy-directory.ts'
import type { PolicyStore } from './ports.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

function policyOf(organizationId: string, requestsPerMinute = 10): Policy {
  const limits = { ...NO_LIMITS, requestsPerMinute }
  return { organizationId, subject: ORGANIZATION, limits, budget: undefined }
}

class Store {
  pages: Policy[][] = [[policyOf('a')], [policyOf('b'), policyOf('c')]]
  failure: Error | undefined
  handlers: Parameters<PolicyStore['watch']>[0] | undefined
  stopped = 0
  /** Runs between the pages of a load. */
  between: () => void = () => {}
  readonly onChange = vi.fn()
  readonly onError = vi.fn()

  async open() {
    const store: Pick<PolicyStore, 'load' | 'watch'> = {
      load: async (onPage) => {
        if (this.failure !== undefined) throw this.failure
        for (const page of this.pages) {
          onPage(page)
          this.between()
        }
      },
      watch: async (handlers) => {
        this.handlers = handlers
        return async () => {
          this.stopped++
        }
      },
    }
    return openPolicyDirectory({
      store: store as PolicyStore,
      onChange: this.onChange,
      onError: this.onError,
    })
  }
}

describe('openPolicyDirectory()', () => {
  it('has every policy once it is open', async () => {
    const store = new Store()
    const { book } = await store.open()
    expect([...book.organizations()]).toEqual(['a', 'b', 'c'])
    expect(store.onChange).not.toHaveBeenCalled()
  })

  it('fails where they cannot be read, and follows nothing then', async () => {
    const store = new Store()
    store.failure = new Error('away')
    await expect(store.open()).rejects.toThrow('away')
    expect(store.stopped).toBe(1)
  })

  it('follows changes, and tells what was before', async () => {
    const store = new Store()
    const { book } = await store.open()
    const before = book.find('a', ORGANIZATION)?.policy
    const changed = policyOf('a', 20)
    store.handlers?.onPolicy(changed)
    store.handlers?.onPolicy(policyOf('new'))
    expect(book.find('a', ORGANIZATION)?.policy).toBe(changed)
    expect(store.onChange.mock.calls).toEqual([
      [changed, before],
      [policyOf('new'), undefined],
    ])
  })

  it('takes a change that comes while it loads before what is read', async () => {
    const store = new Store()
    store.between = () => store.handlers?.onPolicy(policyOf('c', 99))
    const { book } = await store.open()
    expect(book.find('c', ORGANIZATION)?.policy.limits?.requestsPerMinute).toBe(99)
  })

  it('reads everything anew where something may have been missed', async () => {
    const store = new Store()
    const { book } = await store.open()
    store.pages = [[policyOf('a', 7)]]
    store.handlers?.onReload()
    await vi.advanceTimersByTimeAsync(0)
    expect([...book.organizations()]).toEqual(['a'])
    expect(book.find('a', ORGANIZATION)?.policy.limits?.requestsPerMinute).toBe(7)
  })

  it('keeps what it knows where a reload fails, and tries again', async () => {
    const store = new Store()
    const { book } = await store.open()
    store.failure = new Error('away')
    store.handlers?.onReload()
    await vi.advanceTimersByTimeAsync(0)
    expect(store.onError.mock.calls).toEqual([[store.failure]])
    expect(book.size).toBe(3)
    store.failure = undefined
    store.pages = []
    await vi.advanceTimersByTimeAsync(1000)
    expect(book.size).toBe(0)
  })

  it('follows nothing once it is closed', async () => {
    const store = new Store()
    const directory = await store.open()
    await directory.close()
    expect(store.stopped).toBe(1)
  })
})
