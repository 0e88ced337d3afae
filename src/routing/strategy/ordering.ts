import type { CallFacts } from './call-facts.ts'
import { orderByCost } from './cheapest.ts'
import { Choice } from './choice.ts'
import { orderBySpeed, type Speed } from './fastest.ts'
import { orderByTier } from './good-enough.ts'
import { orderByLoad } from './least-busy.ts'
import type { Pace } from './pace.ts'
import type { StrategyName } from './route-settings.ts'
import type { CompiledTarget } from './route-target.ts'
import { drawOne, orderDrawn, toDraw } from './weighted.ts'

/** What the strategies measure by. */
export interface OrderingMeans {
  readonly pace: Pace
  /** @returns nano-dollars of a call with so many tokens; `undefined` where nobody knows */
  readonly costOf: (
    target: { readonly provider: string; readonly model: string },
    organizationId: string | undefined,
    inputTokens: number,
    outputTokens: number,
  ) => number | undefined
  readonly monotonicMs: () => number
  /** Uniform in [0, 1). */
  readonly random: () => number
}

/** Puts the targets of a route into the order for one call. */
export interface Ordering {
  /** The same arrays again and again, so that what is made of one can be kept. */
  readonly isFixed: boolean
  order(call: CallFacts): readonly Choice[]
}

/** An answer of a few sentences, where neither the caller nor the past says how long it will be. */
const OUTPUT_TOKENS_DEFAULT = 256

export function createOrdering(
  strategy: StrategyName,
  targets: readonly CompiledTarget[],
  means: OrderingMeans,
): Ordering {
  switch (strategy) {
    case 'weighted':
      return weighted(targets, means)
    case 'priority':
      return priority(targets)
    case 'cheapest':
      return byCost(targets, means)
    case 'fastest':
      return bySpeed(targets, means)
    case 'least-busy':
      return byLoad(targets, means)
    case 'complexity':
      return byComplexity(targets, means)
  }
}

/** Every order that a draw can lead to is made beforehand, so that a call costs the draw alone. */
function weighted(targets: readonly CompiledTarget[], { random }: OrderingMeans): Ordering {
  const draw = toDraw(weightsOf(targets))
  const sum = draw.sums.at(-1) ?? 0
  const orders = targets.map((drawn) =>
    choicesIn(targets, orderDrawn(draw, drawn.place), (target, rank) =>
      rank === 0
        ? `drawn by its weight of ${target.weight} in ${sum}`
        : `after a failure, by its weight of ${target.weight}`,
    ),
  )
  return { isFixed: true, order: () => orders[drawOne(draw, random())] ?? [] }
}

function priority(targets: readonly CompiledTarget[]): Ordering {
  const places = targets.map(({ place }) => place)
  const order = choicesIn(targets, places, (_, rank) =>
    rank === 0 ? 'first in the order of the route' : `number ${rank + 1} in the order of the route`,
  )
  return { isFixed: true, order: () => order }
}

function byCost(targets: readonly CompiledTarget[], means: OrderingMeans): Ordering {
  const weights = weightsOf(targets)
  const draw = toDraw(weights)
  return {
    isFixed: false,
    order(call) {
      const costs = costsOf(targets, means, call)
      return choicesIn(
        targets,
        orderByCost(costs, weights, drawOne(draw, means.random())),
        ({ place }, rank) =>
          () =>
            `${rank === 0 ? 'the cheapest' : `number ${rank + 1} by cost`}: ${costInWords(costs[place])}`,
      )
    },
  }
}

const SPEED_WORDS = {
  fastest: 'the fastest of late',
  unmeasured: 'drawn, because nothing is measured yet',
  explored: 'one of the few calls by which the slower ones are measured',
} as const

function bySpeed(targets: readonly CompiledTarget[], means: OrderingMeans): Ordering {
  const { pace, random, monotonicMs } = means
  const weights = weightsOf(targets)
  const draw = toDraw(weights)
  return {
    isFixed: false,
    order(call) {
      const nowMs = monotonicMs()
      const outputTokens = expectedOutput(targets, pace, call)
      const speeds = targets.map(({ key }): Speed => {
        const known = pace.of(key)
        return { expectedMs: known?.expectedMs(outputTokens), evidence: known?.evidenceAt(nowMs) ?? 0 }
      })
      const { places, why } = orderBySpeed(speeds, weights, drawOne(draw, random()), random())
      return choicesIn(
        targets,
        places,
        ({ place }, rank) =>
          () =>
            `${rank === 0 ? SPEED_WORDS[why] : `number ${rank + 1} by speed`}: ${speedInWords(speeds[place])}`,
      )
    },
  }
}

function byLoad(targets: readonly CompiledTarget[], { pace, random }: OrderingMeans): Ordering {
  const weights = weightsOf(targets)
  return {
    isFixed: false,
    order() {
      const inFlight = targets.map(({ key }) => pace.of(key)?.inFlight ?? 0)
      const places = orderByLoad(inFlight, weights, random())
      return choicesIn(
        targets,
        places,
        ({ place, weight }, rank) =>
          () =>
            `${rank === 0 ? 'the least busy' : `number ${rank + 1} by load`}: ${inFlight[place]} calls under way for a weight of ${weight}`,
      )
    },
  }
}

function byComplexity(targets: readonly CompiledTarget[], means: OrderingMeans): Ordering {
  const weights = weightsOf(targets)
  const draw = toDraw(weights)
  const tiers = targets.map(({ tier }) => tier)
  return {
    isFixed: false,
    order(call) {
      const { score, parts, tier: needed } = call.complexity()
      const costs = costsOf(targets, means, call)
      const places = orderByTier(needed, tiers, costs, weights, drawOne(draw, means.random()))
      return choicesIn(targets, places, ({ place, tier }, rank) => () => {
        const offer = `${tier} for ${costInWords(costs[place])}`
        if (rank > 0) return `number ${rank + 1}: ${offer}`
        const scored = `complexity ${score} of 100${parts === '' ? '' : ` (${parts})`}`
        return `${scored}, so ${needed} is enough; ${offer}`
      })
    },
  }
}

function choicesIn(
  targets: readonly CompiledTarget[],
  places: readonly number[],
  because: (target: CompiledTarget, rank: number) => string | (() => string),
): readonly Choice[] {
  const choices: Choice[] = []
  for (const place of places) {
    const target = targets[place]
    if (target !== undefined) choices.push(new Choice(target, because(target, choices.length)))
  }
  return choices
}

function weightsOf(targets: readonly CompiledTarget[]): number[] {
  return targets.map(({ weight }) => weight)
}

function costsOf(
  targets: readonly CompiledTarget[],
  { pace, costOf }: OrderingMeans,
  call: CallFacts,
): (number | undefined)[] {
  const { inputTokens, organizationId } = call
  // The same for all: how much each wrote so far tells more of the calls that it got than of itself.
  const outputTokens = expectedOutput(targets, pace, call)
  return targets.map((target) => costOf(target, organizationId, inputTokens, outputTokens))
}

function expectedOutput(targets: readonly CompiledTarget[], pace: Pace, call: CallFacts): number {
  return Math.min(call.outputTokensMax ?? Number.POSITIVE_INFINITY, usualOutput(targets, pace))
}

/** Of those targets that have answered, each counting the same. */
function usualOutput(targets: readonly CompiledTarget[], pace: Pace): number {
  let sum = 0
  let count = 0
  for (const { key } of targets) {
    const tokens = pace.of(key)?.outputTokens
    if (tokens === undefined) continue
    sum += tokens
    count++
  }
  return count === 0 ? OUTPUT_TOKENS_DEFAULT : sum / count
}

function costInWords(nanoUsd: number | undefined): string {
  return nanoUsd === undefined ? 'a price that nobody knows' : `about ${(nanoUsd / 1e9).toPrecision(3)} USD`
}

function speedInWords(speed: Speed | undefined): string {
  const ms = speed?.expectedMs
  return ms === undefined ? 'not measured yet' : `about ${Math.round(ms)} ms expected`
}
