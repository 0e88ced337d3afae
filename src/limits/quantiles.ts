/** Four to an octave: a value is told from one 19 % larger. */
const BUCKETS_PER_OCTAVE = 4
/** Up to 2^30, far above any count of tokens or nano-dollars per token. */
const BUCKETS = 30 * BUCKETS_PER_OCTAVE + 2
/** So many values weigh fully; older ones fade as newer ones come. */
const WEIGHT_MAX = 256

/**
 * What values a quantity usually has: a histogram on a logarithmic scale that forgets slowly. An answer is the largest
 * value seen in its bucket, so it errs on the side of more, by at most 19 %, and is exact where values repeat.
 */
export class FadingHistogram {
  private readonly counts = new Float32Array(BUCKETS)
  private readonly largest = new Float64Array(BUCKETS)
  private weight = 0
  private answered: { readonly share: number; readonly value: number } | undefined

  /** How many values it goes by, up to 256. */
  get samples(): number {
    return this.weight
  }

  /** @param value 0 or more */
  add(value: number): void {
    const bucket = bucketOf(value)
    if (this.weight >= WEIGHT_MAX) this.fade()
    this.counts[bucket] = (this.counts[bucket] ?? 0) + 1
    this.largest[bucket] = Math.max(value, this.largest[bucket] ?? 0)
    this.weight++
    this.answered = undefined
  }

  /** @returns what `share` of the values do not exceed; 0 where there are none */
  quantile(share: number): number {
    if (this.answered?.share === share) return this.answered.value
    const value = this.lookUp(share)
    this.answered = { share, value }
    return value
  }

  private lookUp(share: number): number {
    let left = this.weight * (1 - share)
    for (let bucket = BUCKETS - 1; bucket > 0; bucket--) {
      left -= this.counts[bucket] ?? 0
      // A single value among few is always within; float sums are a little off.
      if (left < -1e-3) return this.largest[bucket] ?? 0
    }
    return 0
  }

  private fade(): void {
    this.counts.set(this.counts.map((count) => count / 2))
    this.weight /= 2
  }
}

/** Bucket 0 holds 0; bucket n up to and including 2^((n − 1) / 4). */
function bucketOf(value: number): number {
  if (!(value > 0)) return 0
  return Math.min(BUCKETS - 1, Math.max(1, Math.ceil(Math.log2(value) * BUCKETS_PER_OCTAVE - 1e-9) + 1))
}
