/**
 * @param sorted in ascending order
 * @param share 0.5 = median
 * @returns the nearest rank, so a value that was measured; `NaN` of nothing
 */
export function percentile(sorted: ArrayLike<number>, share: number): number {
  const rank = Math.ceil(share * sorted.length) - 1
  return sorted[Math.max(0, rank)] ?? Number.NaN
}

/** @returns the middle value, or the mean of the two middle ones; `NaN` of nothing */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((first, second) => first - second)
  const middle = sorted.length >> 1
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}

/** Measured values with a bound: past it the earliest make room. */
export class Samples {
  private readonly values: Float64Array
  private count = 0

  constructor(samplesMax: number) {
    this.values = new Float64Array(samplesMax)
  }

  add(value: number): void {
    this.values[this.count % this.values.length] = value
    this.count++
  }

  /** @returns a function from share to percentile */
  sorted(): (share: number) => number {
    const sorted = this.values.slice(0, Math.min(this.count, this.values.length)).sort()
    return (share) => percentile(sorted, share)
  }
}
