import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nanoToUsd, perMillionUsdToPico, picoToNano } from './money.ts'

describe('picoToNano()', () => {
  test('rounds half a nano-dollar up and less of it down', () => {
    expect([0, 499, 500, 1499, 1500].map(picoToNano)).toEqual([0, 0, 1, 1, 2])
  })

  test('equals whole-number arithmetic for every safe integer', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), (pico) => {
        fc.pre(pico <= Number.MAX_SAFE_INTEGER - 500)
        expect(BigInt(picoToNano(pico))).toBe((BigInt(pico) + 500n) / 1000n)
      }),
    )
  })
})

describe('perMillionUsdToPico()', () => {
  test('keeps list prices that are no whole nano-dollars a token', () => {
    expect([2.5, 0.0375, 0.003625, 0.000001].map(perMillionUsdToPico)).toEqual([2_500_000, 37_500, 3625, 1])
  })
})

describe('nanoToUsd()', () => {
  test('writes decimals without exponent and without trailing zeros', () => {
    expect([0, 1, 1_500_000, 1_000_000_000, -20_000_000].map(nanoToUsd)).toEqual([
      '0',
      '0.000000001',
      '0.0015',
      '1',
      '-0.02',
    ])
  })

  test('loses nothing of amounts beyond the doubles', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(10n ** 30n), max: 10n ** 30n }), (nano) => {
        const [whole = '', fraction = ''] = nanoToUsd(nano).replace('-', '').split('.')
        const magnitude = BigInt(whole + fraction.padEnd(9, '0'))
        expect(nano < 0n ? -magnitude : magnitude).toBe(nano)
      }),
    )
  })
})
