import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Pause } from './pause.ts'

describe('ask()', () => {
  it('never pauses for longer than five minutes from the last word, and never shortens a pause', () => {
    const word = fc.record({
      gapMs: fc.integer({ min: 0, max: 100_000 }),
      durationMs: fc.integer({ min: 0, max: 100_000 }),
      retryAfterMs: fc.option(fc.oneof(fc.integer(), fc.double()), { nil: undefined }),
    })
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const pause = new Pause()
        let nowMs = 0
        for (const { gapMs, durationMs, retryAfterMs } of words) {
          nowMs += gapMs
          const before = pause.untilMs
          const changed = pause.ask(retryAfterMs, nowMs - durationMs, nowMs)
          expect(pause.leftMs(nowMs)).toBeLessThanOrEqual(300_000)
          expect(pause.untilMs).toBeGreaterThanOrEqual(before)
          expect(changed).toBe(pause.untilMs > before)
        }
      }),
    )
  })
})
