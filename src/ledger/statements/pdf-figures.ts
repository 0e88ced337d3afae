import { usdToNano } from './amounts.ts'

const NANO_DIGITS = 9

/**
 * @param largestUsd the statement's total, which decides how many decimals all of its amounts have
 * @returns a function that rounds exact dollars for reading: half away from zero, thousands apart
 */
export function dollarsFor(largestUsd: string): (usd: string) => string {
  const largest = usdToNano(largestUsd)
  const decimals = largest >= 100_000_000_000n ? 2 : largest >= 1_000_000_000n ? 4 : 6
  return (usd) => roundDollars(usd, decimals)
}

export function roundDollars(usd: string, decimals: number): string {
  const nano = usdToNano(usd)
  const absolute = nano < 0n ? -nano : nano
  const step = 10n ** BigInt(NANO_DIGITS - decimals)
  const steps = (absolute + step / 2n) / step
  const scale = 10n ** BigInt(decimals)
  const fraction = (steps % scale).toString().padStart(decimals, '0')
  const sign = nano < 0n && steps > 0n ? '-' : ''
  return `${sign}$${thousands(steps / scale)}.${fraction}`
}

export function thousands(value: number | bigint): string {
  return value.toString().replace(/\B(?=(\d{3})+$)/g, ',')
}

/** @returns `12.3 %`; `< 0.1 %` where there is something, but less than that */
export function percentOf(partUsd: string, wholeUsd: string): string {
  const part = usdToNano(partUsd)
  const whole = usdToNano(wholeUsd)
  if (whole <= 0n || part <= 0n) return '0 %'
  const tenths = (part * 1000n + whole / 2n) / whole
  if (tenths === 0n) return '< 0.1 %'
  return `${tenths / 10n}.${tenths % 10n} %`
}

/** @returns the share as a number from 0 to 1, for drawing */
export function shareOf(partUsd: string, wholeUsd: string): number {
  const whole = usdToNano(wholeUsd)
  if (whole <= 0n) return 0
  const share = Number((usdToNano(partUsd) * 10_000n) / whole) / 10_000
  return Math.min(Math.max(share, 0), 1)
}

const MONTHS = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
]

/** @returns `February 2026` */
export function monthTitle(month: string): string {
  const [year = '', number = '1'] = month.split('-')
  return `${MONTHS[Number(number) - 1] ?? ''} ${year}`
}

/** @returns `1 – 28 February 2026` */
export function periodTitle(month: string, periodEnd: string): string {
  const last = new Date(Date.parse(periodEnd) - 1).getUTCDate()
  return `1 – ${last} ${monthTitle(month)}`
}

/** @returns `1 March 2026, 09:12 UTC` */
export function momentTitle(iso: string): string {
  const day = Number(iso.slice(8, 10))
  return `${day} ${monthTitle(iso.slice(0, 7))}, ${iso.slice(11, 16)} UTC`
}
