/** Short enough that a caller hardly notices, long enough for a provider to catch its breath. */
const BASE_MS = 50
const MAX_MS = 1000

/**
 * Waits between tries of one call: each is drawn between the shortest and three times the one before ("decorrelated
 * jitter", https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/), so that calls that failed together
 * do not come back together.
 *
 * @param random uniform in [0, 1)
 */
export function createBackoff(random: () => number): () => number {
  let lastMs = BASE_MS
  return () => {
    lastMs = Math.min(MAX_MS, BASE_MS + random() * (lastMs * 3 - BASE_MS))
    return lastMs
  }
}
