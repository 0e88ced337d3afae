import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { GatewayError } from '../core/errors.ts'
import { openDirectory } from './directory.ts'
import { makeKey } from './fixtures/make-key.ts'
import type { ApiKey, IdentityStore } from './ports.ts'

const NOW = 1_700_000_000_000
const AWAY = new GatewayError('storage_unavailable', { message: 'away' })

type Handlers = Parameters<IdentityStore['watchKeys']>[0]

/** A store whose pages are handed over when the test says so. */
function fakeStore(pages: readonly (readonly ApiKey[])[] = []) {
  const store = {
    pages,
    handlers: undefined as Handlers | undefined,
    loads: 0,
    stopped: 0,
    /** Runs between two pages, and before the first. */
    beforePage: async (_page: number): Promise<void> => undefined,
    async loadKeys(onPage: (keys: readonly ApiKey[]) => void) {
      store.loads++
      const { pages } = store
      for (const [index, page] of pages.entries()) {
        await store.beforePage(index)
        onPage(page)
      }
      await store.beforePage(pages.length)
    },
    async watchKeys(handlers: Handlers) {
      store.handlers = handlers
      return async () => {
        store.stopped++
      }
    },
  }
  return store
}

function open(store: ReturnType<typeof fakeStore>, onError: (error: unknown) => void = () => undefined) {
  return openDirectory(store as unknown as IdentityStore, onError)
}

function codeOf(ring: Awaited<ReturnType<typeof open>>['ring'], secret: string): string {
  try {
    ring.identify(secret, '192.0.2.1', NOW)
    return 'accepted'
  } catch (error) {
    return error instanceof GatewayError ? error.code : String(error)
  }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('openDirectory()', () => {
  it('is complete when it resolves', async () => {
    const { ring } = await open(fakeStore([[makeKey('gh-a')], [makeKey('gh-b'), makeKey('gh-c')]]))
    expect(ring.size).toBe(3)
  })

  it('keeps what changes while it loads', async () => {
    const store = fakeStore([[makeKey('gh-a')], [makeKey('gh-b')]])
    store.beforePage = async (page) => {
      if (page !== 1) return
      store.handlers?.onKey(makeKey('gh-new'))
      store.handlers?.onKey(makeKey('gh-b', { revokedAt: new Date(0) }))
    }
    const { ring } = await open(store)
    expect(['gh-a', 'gh-b', 'gh-new'].map((secret) => codeOf(ring, secret))).toEqual([
      'accepted',
      'key_revoked',
      'accepted',
    ])
  })

  it('stops watching where the first load fails', async () => {
    const store = fakeStore()
    store.beforePage = async () => {
      throw AWAY
    }
    await expect(open(store)).rejects.toBe(AWAY)
    expect(store.stopped).toBe(1)
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.loads).toBe(1)
  })

  it('follows changes and forgets, at a reload, what is gone', async () => {
    const store = fakeStore([[makeKey('gh-a'), makeKey('gh-b')]])
    const { ring } = await open(store)
    store.handlers?.onKey(makeKey('gh-a', { revokedAt: new Date(0) }))
    expect(codeOf(ring, 'gh-a')).toBe('key_revoked')
    store.pages = [[makeKey('gh-c')]]
    store.handlers?.onReload()
    await vi.advanceTimersByTimeAsync(0)
    expect(['gh-a', 'gh-b', 'gh-c'].map((secret) => codeOf(ring, secret))).toEqual([
      'invalid_api_key',
      'invalid_api_key',
      'accepted',
    ])
  })

  it('reloads once more, and one after the other, where it is asked during a load', async () => {
    const store = fakeStore([[makeKey('gh-a')]])
    const { ring } = await open(store)
    let running = 0
    let most = 0
    store.beforePage = async (page) => {
      if (page === 0) most = Math.max(most, ++running)
      await Promise.resolve()
      if (page === store.pages.length) running--
    }
    store.handlers?.onReload()
    store.handlers?.onReload()
    store.handlers?.onReload()
    store.pages = [[makeKey('gh-b')]]
    await vi.advanceTimersByTimeAsync(0)
    expect(store.loads).toBe(3)
    expect(most).toBe(1)
    expect(codeOf(ring, 'gh-b')).toBe('accepted')
  })

  it('tries a reload again until it succeeds, with the known keys in force', async () => {
    const errors: unknown[] = []
    const store = fakeStore([[makeKey('gh-a')]])
    const { ring } = await open(store, (error) => errors.push(error))
    let away = true
    store.beforePage = async () => {
      if (away) throw AWAY
    }
    store.pages = [[makeKey('gh-b')]]
    store.handlers?.onReload()
    await vi.advanceTimersByTimeAsync(2500)
    expect(errors).toEqual([AWAY, AWAY, AWAY])
    expect(codeOf(ring, 'gh-a')).toBe('accepted')
    away = false
    await vi.advanceTimersByTimeAsync(1000)
    expect(['gh-a', 'gh-b'].map((secret) => codeOf(ring, secret))).toEqual(['invalid_api_key', 'accepted'])
    await vi.advanceTimersByTimeAsync(60_000)
    expect(store.loads).toBe(5)
  })

  it('does nothing more once it is closed', async () => {
    const store = fakeStore([[makeKey('gh-a')]])
    const { close } = await open(store)
    store.beforePage = async () => {
      throw AWAY
    }
    store.handlers?.onReload()
    await vi.advanceTimersByTimeAsync(0)
    await close()
    expect(store.stopped).toBe(1)
    await vi.advanceTimersByTimeAsync(60_000)
    store.handlers?.onReload()
    await vi.advanceTimersByTimeAsync(0)
    expect(store.loads).toBe(2)
    expect(vi.getTimerCount()).toBe(0)
  })
})
