/**
 * @param costs of this call at each target, in nano-dollars; `undefined` = nobody knows
 * @param weights 0 = a fallback: after all that have a weight
 * @param drawn the place that a draw by weight fell on: of targets that cost the same, it stands first
 * @returns the places, the cheapest first; unknown costs last; of equal ones the heavier, then as configured
 */
export function orderByCost(
  costs: readonly (number | undefined)[],
  weights: readonly number[],
  drawn?: number,
): number[] {
  const costAt = (place: number) => costs[place] ?? Number.POSITIVE_INFINITY
  return weights
    .map((_, place) => place)
    .sort((first, second) => {
      const [one = 0, other = 0] = [weights[first], weights[second]]
      if (one > 0 !== other > 0) return one > 0 ? -1 : 1
      const [cost, otherCost] = [costAt(first), costAt(second)]
      // Two unknown costs have no difference that is a number.
      if (cost !== otherCost) return cost - otherCost
      if (first === drawn || second === drawn) return first === drawn ? -1 : 1
      return other - one
    })
}
