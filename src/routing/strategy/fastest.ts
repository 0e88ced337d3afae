/** What is known of the speed of one target for one call. */
export interface Speed {
  /** Until the last token; `undefined` = never measured. */
  readonly expectedMs: number | undefined
  /** How many recent calls say so. */
  readonly evidence: number
}

export interface SpeedOrder {
  readonly places: readonly number[]
  /** Why the first stands first: it is the fastest, nothing is measured yet, or it has to be measured (again). */
  readonly why: 'fastest' | 'unmeasured' | 'explored'
}

/** So many calls go to a target of which nobody knows how fast it is, until somebody does. */
const EXPLORED_NEW_SHARE = 0.1
/** So many go to the one that was measured longest ago: a slow minute is not for ever. */
const EXPLORED_SHARE = 0.01
/** Two calls tell a target from one that had a bad moment. */
const EVIDENCE_MIN = 2

/**
 * @param weights 0 = a fallback: after all that have a weight, and never explored
 * @param drawn where nothing is measured: the place that a draw by weight fell on
 * @param random uniform in [0, 1)
 */
export function orderBySpeed(
  speeds: readonly Speed[],
  weights: readonly number[],
  drawn: number,
  random: number,
): SpeedOrder {
  const msAt = (place: number) => speeds[place]?.expectedMs ?? Number.POSITIVE_INFINITY
  const places = weights
    .map((_, place) => place)
    .sort((first, second) => {
      const [one = 0, other = 0] = [weights[first], weights[second]]
      if (one > 0 !== other > 0) return one > 0 ? -1 : 1
      const [ms, otherMs] = [msAt(first), msAt(second)]
      return ms === otherMs ? other - one : ms - otherMs
    })
  const best = places[0] ?? 0
  if (speeds[best]?.expectedMs === undefined) return { places: toFront(places, drawn), why: 'unmeasured' }
  const least = leastKnown(speeds, weights, best)
  if (least === undefined) return { places, why: 'fastest' }
  const isNew = (speeds[least]?.evidence ?? 0) < EVIDENCE_MIN
  if (random >= (isNew ? EXPLORED_NEW_SHARE : EXPLORED_SHARE)) return { places, why: 'fastest' }
  return { places: toFront(places, least), why: 'explored' }
}

/** @returns the place with a weight, other than the best, that the fewest recent calls speak of */
function leastKnown(speeds: readonly Speed[], weights: readonly number[], best: number): number | undefined {
  let least: number | undefined
  let fewest = Number.POSITIVE_INFINITY
  for (let place = 0; place < speeds.length; place++) {
    const { evidence } = speeds[place] ?? { evidence: 0 }
    if (place === best || (weights[place] ?? 0) <= 0 || evidence >= fewest) continue
    least = place
    fewest = evidence
  }
  return least
}

export function toFront(places: readonly number[], first: number): readonly number[] {
  return places[0] === first ? places : [first, ...places.filter((place) => place !== first)]
}
