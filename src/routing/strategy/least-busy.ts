/**
 * @param inFlight calls under way at each target
 * @param weights what each can carry beside the others; 0 = a fallback: after all that have a weight
 * @param random uniform in [0, 1)
 * @returns the places, the least load for its weight first; of equal ones a draw by weight decides who is first
 */
export function orderByLoad(
  inFlight: readonly number[],
  weights: readonly number[],
  random: number,
): readonly number[] {
  const loads = weights.map((weight, place) =>
    weight > 0 ? (inFlight[place] ?? 0) / weight : Number.POSITIVE_INFINITY,
  )
  const drawn = drawAmongLeast(loads, weights, random)
  return loads
    .map((_, place) => place)
    .sort((first, second) => {
      if (first === drawn || second === drawn) return first === drawn ? -1 : 1
      const [load = 0, other = 0] = [loads[first], loads[second]]
      return load === other ? (weights[second] ?? 0) - (weights[first] ?? 0) : load - other
    })
}

function drawAmongLeast(loads: readonly number[], weights: readonly number[], random: number): number {
  const least = Math.min(...loads)
  let sum = 0
  for (let place = 0; place < loads.length; place++) if (loads[place] === least) sum += weights[place] ?? 0
  let left = random * sum
  let last = 0
  for (let place = 0; place < loads.length; place++) {
    if (loads[place] !== least) continue
    last = place
    left -= weights[place] ?? 0
    if (left < 0) return place
  }
  return last
}
