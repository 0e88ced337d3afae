import { NANO_PER_USD, nanoToUsd } from '../core/money.ts'

export const MINUTE_MS = 60_000
export const HOUR_MS = 3_600_000
export const DAY_MS = 86_400_000

/** @returns dollars as people read them in a sentence: `1000`, `12.35`, `0.0042` */
export function inUsd(nano: number): string {
  if (nano < NANO_PER_USD / 10) return nanoToUsd(nano)
  return (nano / NANO_PER_USD).toFixed(2).replace(/\.00$/, '')
}

/** @returns a share as people read it, never rounded up to what is not reached: `79 %` */
export function inPercent(share: number): string {
  // A product that should be a whole number may be a hair below it.
  return `${Math.floor(share * 100 + 1e-11)} %`
}
