/**
 * Upper bounds of the latency buckets in milliseconds, inclusive; one more bucket holds all above. Steps of a third
 * to a half keep a percentile within that of the truth, and histograms of any rows can be added, which percentiles
 * cannot. The same numbers stand in `migrations/0001-books.up.sql`: a change needs a migration.
 */
export const LATENCY_BOUNDS_MS: readonly number[] = [
  1, 2, 5, 10, 20, 35, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 3000, 4000, 5000, 7500,
  10_000, 15_000, 20_000, 30_000, 60_000, 120_000, 300_000,
]

export const LATENCY_BUCKETS = LATENCY_BOUNDS_MS.length + 1

/** @returns index of the bucket, from 0 */
export function latencyBucket(latencyMs: number): number {
  let low = 0
  let high = LATENCY_BOUNDS_MS.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (latencyMs <= (LATENCY_BOUNDS_MS[middle] ?? Number.POSITIVE_INFINITY)) high = middle
    else low = middle + 1
  }
  return low
}

/**
 * @param share 0 to 1
 * @returns milliseconds below which that share of the calls lies, straight between the bounds of its bucket (the
 *   last bucket counts as its lower bound); `undefined` for an empty histogram. Same as SQL's
 *   `gatehouse_latency_percentile`
 */
export function latencyPercentile(histogram: readonly number[], share: number): number | undefined {
  const total = histogram.reduce((sum, count) => sum + count, 0)
  if (total === 0) return undefined
  let reached = 0
  let lower = 0
  for (const [index, count] of histogram.entries()) {
    const upper = LATENCY_BOUNDS_MS[Math.min(index, LATENCY_BOUNDS_MS.length - 1)] ?? lower
    if (count > 0 && reached + count >= share * total) {
      return lower + ((upper - lower) * (share * total - reached)) / count
    }
    reached += count
    lower = upper
  }
  return lower
}
