import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createHeartbeats, type Heartbeats } from './heartbeat.ts'

let heartbeats: Heartbeats
beforeEach(() => {
  vi.useFakeTimers()
  heartbeats = createHeartbeats(1000, () => performance.now())
})
afterEach(() => {
  heartbeats.close()
  vi.useRealTimers()
})

describe('createHeartbeats()', () => {
  it('calls after each period of silence, give or take a tenth', async () => {
    const calls: number[] = []
    const begun = performance.now()
    heartbeats.start(() => calls.push(performance.now() - begun))
    await vi.advanceTimersByTimeAsync(3500)
    expect(calls).toHaveLength(3)
    for (const [index, at] of calls.entries()) {
      expect(at).toBeGreaterThanOrEqual((index + 1) * 1000)
      expect(at).toBeLessThanOrEqual((index + 1) * 1100)
    }
  })

  it('is silent as long as bytes go out', async () => {
    let calls = 0
    const pulse = heartbeats.start(() => calls++)
    for (let i = 0; i < 10; i++) {
      await vi.advanceTimersByTimeAsync(900)
      pulse.beat()
    }
    expect(calls).toBe(0)
    await vi.advanceTimersByTimeAsync(1100)
    expect(calls).toBe(1)
  })

  it('is silent once it is stopped, by itself or by another', async () => {
    let calls = 0
    const pulse = heartbeats.start(() => calls++)
    const other = heartbeats.start(() => pulse.stop())
    await vi.advanceTimersByTimeAsync(1100)
    other.stop()
    const before = calls
    await vi.advanceTimersByTimeAsync(5000)
    expect(calls).toBe(before)
  })

  it('lets no failing stream take the others with it', async () => {
    let calls = 0
    heartbeats.start(() => {
      throw new Error('ERR_HTTP_HEADERS_SENT')
    })
    heartbeats.start(() => calls++)
    await vi.advanceTimersByTimeAsync(2200)
    expect(calls).toBe(2)
  })

  it('serves many streams with one timer, and leaves none behind', () => {
    for (let i = 0; i < 100; i++) heartbeats.start(() => undefined)
    expect(vi.getTimerCount()).toBe(1)
    heartbeats.close()
    expect(vi.getTimerCount()).toBe(0)
  })
})
