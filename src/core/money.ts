/**
 * Money is integers. Prices are pico-dollars (1e-12 USD) a token, because list prices such as 0.0375 USD a million
 * tokens are no whole number of nano-dollars; amounts are nano-dollars (1e-9 USD), rounded once per row.
 */

export const NANO_PER_USD = 1_000_000_000
const PICO_PER_NANO = 1000

/** @returns nano-dollars, half a nano-dollar rounding up; `pico` must be a safe integer ≥ 0 */
export function picoToNano(pico: number): number {
  return Math.floor((pico + PICO_PER_NANO / 2) / PICO_PER_NANO)
}

/** @returns pico-dollars a token for a list price in dollars per million tokens */
export function perMillionUsdToPico(perMillionUsd: number): number {
  return Math.round(perMillionUsd * 1_000_000)
}

/** @returns a decimal string without exponent and without trailing zeros: `1500000` → `'0.0015'` */
export function nanoToUsd(nano: number | bigint): string {
  const value = BigInt(nano)
  const sign = value < 0n ? '-' : ''
  const absolute = value < 0n ? -value : value
  const whole = absolute / 1_000_000_000n
  const fraction = (absolute % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '')
  return fraction === '' ? `${sign}${whole}` : `${sign}${whole}.${fraction}`
}
