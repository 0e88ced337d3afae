import { NANO_PER_USD, nanoToUsd } from '../../core/money.ts'
import type { Sums } from './ports.ts'

/** Sums as a statement writes them: dollars as exact decimals, nano-dollars as integers. */
export interface Amounts {
  readonly requests: number
  readonly tokensInput: number
  readonly tokensOutput: number
  readonly tokensTotal: number
  readonly tokensCached: number
  readonly costUsd: string
  /** Read back from JSON this may be rounded, above nine million dollars; `costUsd` never is. */
  readonly costNanoUsd: number | bigint
  readonly estimated: number
  readonly estimatedUsd: string
  /** Of the cost, from `0.0000` to `1.0000`. */
  readonly estimatedShare: string
  readonly adjustmentUsd: string
}

export function toAmounts(sums: Sums): Amounts {
  return {
    requests: sums.requests,
    tokensInput: sums.tokensInput,
    tokensOutput: sums.tokensOutput,
    tokensTotal: sums.tokensInput + sums.tokensOutput,
    tokensCached: sums.tokensCached,
    costUsd: nanoToUsd(sums.costNanoUsd),
    costNanoUsd: sums.costNanoUsd,
    estimated: sums.estimated,
    estimatedUsd: nanoToUsd(sums.estimatedNanoUsd),
    estimatedShare: toShare(sums.estimatedNanoUsd, sums.costNanoUsd),
    adjustmentUsd: nanoToUsd(sums.adjustmentNanoUsd),
  }
}

/** @param usd as `nanoToUsd` writes it */
export function usdToNano(usd: string): bigint {
  const negative = usd.startsWith('-')
  const [whole = '0', fraction = ''] = usd.replace('-', '').split('.')
  const nano = BigInt(whole) * BigInt(NANO_PER_USD) + BigInt(fraction.padEnd(9, '0'))
  return negative ? -nano : nano
}

const SHARE_STEPS = 10_000n

function toShare(part: bigint, whole: bigint): string {
  if (whole <= 0n) return '0.0000'
  const steps = (part * SHARE_STEPS + whole / 2n) / whole
  return `${steps / SHARE_STEPS}.${(steps % SHARE_STEPS).toString().padStart(4, '0')}`
}
