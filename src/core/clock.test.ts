import { describe, expect, it } from 'vitest'
import { systemClock } from './clock.ts'

describe('systemClock', () => {
  it('knows the time of day, and a time that never goes back', () => {
    expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1000)
    let last = systemClock.monotonicMs()
    for (let i = 0; i < 1000; i++) {
      const now = systemClock.monotonicMs()
      expect(now).toBeGreaterThanOrEqual(last)
      last = now
    }
  })
})
