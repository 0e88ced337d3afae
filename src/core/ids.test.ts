import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { newSecret, uuidV7 } from './ids.ts'

describe('uuidV7()', () => {
  it('has the shape of RFC 9562, section 5.7', () => {
    for (let i = 0; i < 1000; i++) {
      expect(uuidV7(Date.now())).toMatch(
        /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
      )
    }
  })

  it('begins with its time, so that later ids sort behind', () => {
    // The example of RFC 9562, appendix A.6: 2022-02-22 14:22:22.00 GMT-05:00.
    expect(uuidV7(0x017f22e279b0)).toMatch(/^017f22e2-79b0-7/)
    const time = fc.integer({ min: 0, max: 2 ** 48 - 2 })
    fc.assert(
      fc.property(time, (nowMs) => {
        expect(uuidV7(nowMs) < uuidV7(nowMs + 1)).toBe(true)
        expect(uuidV7(nowMs + 0.9).slice(0, 13)).toBe(uuidV7(nowMs).slice(0, 13))
      }),
    )
  })

  it('is never given twice, across any number of draws of random bytes', () => {
    const ids = new Set(Array.from({ length: 20_000 }, () => uuidV7(0)))
    expect(ids.size).toBe(20_000)
  })
})

describe('newSecret()', () => {
  it('is 32 random bytes that may stand in a header or a URL', () => {
    const secrets = Array.from({ length: 100 }, () => newSecret('gh-'))
    for (const secret of secrets) expect(secret).toMatch(/^gh-[A-Za-z0-9_-]{43}$/)
    expect(new Set(secrets).size).toBe(100)
  })
})
