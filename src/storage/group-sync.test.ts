import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createGroupSync } from './group-sync.ts'

const GAP_MS = 8

function open(sync: (calls: number) => Promise<void> = () => Promise.resolve()) {
  const startsMs: number[] = []
  const group = createGroupSync({
    clock: { monotonicMs: () => Date.now() },
    gapMs: GAP_MS,
    sync: () => sync(startsMs.push(Date.now())),
  })
  return { group, startsMs }
}

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe('request()', () => {
  it('request() after a pause does not wait', async () => {
    const { group, startsMs } = open()
    const begunMs = Date.now()
    await group.request()
    await vi.advanceTimersByTimeAsync(GAP_MS)
    await group.request()
    expect(startsMs).toEqual([begunMs, begunMs + GAP_MS])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('request() waits for no longer than the gap, and shares a sync with the others of that time', async () => {
    const { group, startsMs } = open()
    const waits: number[] = []
    for (let n = 0; n < 1000; n++) {
      const begunMs = Date.now()
      void group.request().then(() => waits.push(Date.now() - begunMs))
      await vi.advanceTimersByTimeAsync(1)
    }
    await vi.advanceTimersByTimeAsync(GAP_MS)
    expect(waits.length).toBe(1000)
    expect(Math.max(...waits)).toBeLessThanOrEqual(GAP_MS)
    expect(startsMs.length).toBeLessThanOrEqual(1000 / GAP_MS + 1)
  })

  it('request() during a sync waits for the next one', async () => {
    const gate = Promise.withResolvers<void>()
    const { group, startsMs } = open((calls) => (calls === 1 ? gate.promise : Promise.resolve()))
    const first = group.request()
    let done = false
    const second = group.request().then(() => {
      done = true
    })
    await vi.advanceTimersByTimeAsync(100)
    expect(startsMs.length).toBe(1)
    gate.resolve()
    await first
    expect(done).toBe(false)
    await second
    expect(startsMs.length).toBe(2)
  })

  it('request() fails with the sync before it, and the next one is another', async () => {
    const gate = Promise.withResolvers<void>()
    const { group } = open((calls) => (calls === 1 ? gate.promise : Promise.resolve()))
    const refused = Promise.allSettled([group.request(), group.request()])
    gate.reject(new Error('EIO'))
    expect((await refused).map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    const next = group.request()
    await vi.advanceTimersByTimeAsync(GAP_MS)
    await next
  })
})
