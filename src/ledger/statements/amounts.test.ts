import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { nanoToUsd } from '../../core/money.ts'
import { toAmounts, usdToNano } from './amounts.ts'

const SUMS = {
  requests: 2,
  tokensInput: 10,
  tokensOutput: 5,
  tokensCached: 1,
  costNanoUsd: 3_000_000_000n,
  estimated: 1,
  estimatedNanoUsd: 1_000_000_000n,
  adjustmentNanoUsd: -5n,
}

describe('usdToNano()', () => {
  it('usdToNano() takes back what nanoToUsd() wrote, whatever the amount', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (nano) => {
        expect(usdToNano(nanoToUsd(nano))).toBe(nano)
      }),
    )
  })
})

describe('toAmounts()', () => {
  it('toAmounts() writes exact dollars and the estimated share', () => {
    expect(toAmounts(SUMS)).toEqual({
      requests: 2,
      tokensInput: 10,
      tokensOutput: 5,
      tokensTotal: 15,
      tokensCached: 1,
      costUsd: '3',
      costNanoUsd: 3_000_000_000n,
      estimated: 1,
      estimatedUsd: '1',
      estimatedShare: '0.3333',
      adjustmentUsd: '-0.000000005',
    })
  })

  it.each([
    [0n, 0n, '0.0000'],
    [5n, 5n, '1.0000'],
    [1n, 3_000_000n, '0.0000'],
    [2n, 3n, '0.6667'],
  ])('toAmounts() of %s estimated of %s is a share of %s', (estimatedNanoUsd, costNanoUsd, share) => {
    expect(toAmounts({ ...SUMS, estimatedNanoUsd, costNanoUsd }).estimatedShare).toBe(share)
  })
})
