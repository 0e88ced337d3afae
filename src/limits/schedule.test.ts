import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { every } from './schedule.ts'

describe('every()', () => {
  beforeEach(() => {
    vi.useFakeTimers()
  })
  afterEach(() => {
    vi.useRealTimers()
  })

  it('leaves a turn out while the last one runs, and goes on after an error', async () => {
    const errors: unknown[] = []
    const ends: ((error?: Error) => void)[] = []
    const schedule = every(
      1000,
      () =>
        new Promise<void>((resolve, reject) => {
          ends.push((error) => (error === undefined ? resolve() : reject(error)))
        }),
      (error) => errors.push(error),
    )
    expect(ends).toHaveLength(0)
    await vi.advanceTimersByTimeAsync(3000)
    expect(ends).toHaveLength(1)
    ends[0]?.(new Error('once'))
    await vi.advanceTimersByTimeAsync(1000)
    expect(ends).toHaveLength(2)
    expect(errors).toEqual([new Error('once')])
    ends[1]?.()
    await schedule.close()
  })

  it('close() waits for what runs and begins nothing more', async () => {
    let runs = 0
    let end = () => {}
    const schedule = every(
      1000,
      () => {
        runs++
        return new Promise<void>((resolve) => {
          end = resolve
        })
      },
      () => {},
    )
    await vi.advanceTimersByTimeAsync(1000)
    let closed = false
    const closing = schedule.close().then(() => {
      closed = true
    })
    await vi.advanceTimersByTimeAsync(5000)
    expect(closed).toBe(false)
    end()
    await closing
    await vi.advanceTimersByTimeAsync(5000)
    expect(runs).toBe(1)
  })
})
