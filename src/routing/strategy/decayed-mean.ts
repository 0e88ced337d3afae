/** After this long a measurement counts half: minutes later a provider may be another. */
const HALF_LIFE_MS = 60_000
/** No more than so many calls stand behind a mean, so that a change is felt within as many. */
const WEIGHT_MAX = 32

/** A mean in which the past counts for less and less. */
export class DecayedMean {
  private value: number | undefined
  private weight = 0
  private atMs = 0

  /** `undefined` = nothing was added. It stays when its weight is gone: nothing better is known. */
  get mean(): number | undefined {
    return this.value
  }

  /** @param nowMs monotonic */
  add(sample: number, nowMs: number): void {
    this.weight = Math.min(this.weightAt(nowMs), WEIGHT_MAX - 1) + 1
    this.atMs = nowMs
    this.value = this.value === undefined ? sample : this.value + (sample - this.value) / this.weight
  }

  /** @returns how many samples of this moment would count as much */
  weightAt(nowMs: number): number {
    const ageMs = nowMs - this.atMs
    return ageMs <= 0 ? this.weight : this.weight * 2 ** (-ageMs / HALF_LIFE_MS)
  }
}
