/** A draw by weight, made ready. Targets are named by their place in the route. */
export interface Draw {
  /** Running sums of the weights. */
  readonly sums: readonly number[]
  /** All places, the largest weight first; of equal ones, as configured. */
  readonly byWeight: readonly number[]
}

export function toDraw(weights: readonly number[]): Draw {
  let sum = 0
  return {
    sums: weights.map((weight) => (sum += weight)),
    byWeight: weights
      .map((weight, place) => ({ weight, place }))
      .sort((first, second) => second.weight - first.weight)
      .map(({ place }) => place),
  }
}

/**
 * @param random uniform in [0, 1)
 * @returns the place of the target that is drawn; never one without weight, unless none has any
 */
export function drawOne({ sums, byWeight }: Draw, random: number): number {
  const drawn = random * (sums.at(-1) ?? 0)
  const place = sums.findIndex((sum) => drawn < sum)
  return place < 0 ? (byWeight[0] ?? 0) : place
}

/** @returns all places: the one that was drawn, then the others by weight */
export function orderDrawn({ byWeight }: Draw, drawn: number): readonly number[] {
  return [drawn, ...byWeight.filter((place) => place !== drawn)]
}
