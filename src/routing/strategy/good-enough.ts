import { orderByCost } from './cheapest.ts'
import { TIERS, type Tier } from './route-settings.ts'

/**
 * @param costs of this call at each target, in nano-dollars; `undefined` = nobody knows
 * @param drawn the place that a draw by weight fell on: of targets that cost the same, it stands first
 * @returns the places: those that are good enough, the cheapest first; then the others, the best of them first
 */
export function orderByTier(
  needed: Tier,
  tiers: readonly Tier[],
  costs: readonly (number | undefined)[],
  weights: readonly number[],
  drawn?: number,
): number[] {
  const least = TIERS.indexOf(needed)
  const rankAt = (place: number) => TIERS.indexOf(tiers[place] ?? 'medium')
  const byCost = orderByCost(costs, weights, drawn)
  const isUseful = (place: number) => (weights[place] ?? 0) > 0
  return [
    ...byCost.filter((place) => isUseful(place) && rankAt(place) >= least),
    // Sorting keeps the order by cost within one tier.
    ...byCost
      .filter((place) => isUseful(place) && rankAt(place) < least)
      .sort((first, second) => rankAt(second) - rankAt(first)),
    ...byCost.filter((place) => !isUseful(place)),
  ]
}
