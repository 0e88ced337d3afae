import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { keepPartitions } from './partition-keeper.ts'

beforeEach(() => void vi.useFakeTimers({ now: new Date('2026-01-31T23:00:00Z') }))
afterEach(() => void vi.useRealTimers())

describe('keepPartitions()', () => {
  it('makes partitions now and four times a day, until it is closed', async () => {
    const asked: string[] = []
    const store = { ensurePartitions: async (now: Date) => void asked.push(now.toISOString()) }
    const keeper = await keepPartitions(store, Date.now, () => undefined)
    expect(asked).toEqual(['2026-01-31T23:00:00.000Z'])
    await vi.advanceTimersByTimeAsync(24 * 3_600_000)
    expect(asked).toHaveLength(5)
    keeper.close()
    await vi.advanceTimersByTimeAsync(24 * 3_600_000)
    expect(asked).toHaveLength(5)
    expect(vi.getTimerCount()).toBe(0)
  })

  it('does not open without them, and tells of a later failure without giving up', async () => {
    const away = new Error('away')
    let fails = true
    let asked = 0
    const store = {
      async ensurePartitions() {
        asked++
        if (fails) throw away
      },
    }
    const errors: unknown[] = []
    await expect(keepPartitions(store, Date.now, (error) => errors.push(error))).rejects.toBe(away)
    expect(vi.getTimerCount()).toBe(0)
    fails = false
    const keeper = await keepPartitions(store, Date.now, (error) => errors.push(error))
    fails = true
    await vi.advanceTimersByTimeAsync(12 * 3_600_000)
    expect(errors).toEqual([away, away])
    expect(asked).toBe(4)
    keeper.close()
  })
})
