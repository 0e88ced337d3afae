import type { Operation } from '../../contract/operation.ts'
import type { CallFacts } from './call-facts.ts'
import { type CapabilitySet, hasAny, NO_CAPABILITIES, toWords } from './capabilities.ts'
import type { CompiledTarget } from './route-target.ts'

/** Which targets of a route cannot take a call, and why, by their places. */
export type Unfit = ReadonlyMap<number, string>

/** @returns `undefined` where all can, or none: then there is nothing to choose by */
export type FitnessOf = (call: CallFacts) => Unfit | undefined

/** Looks only for what tells the targets of one route apart; where nothing does, a call is not looked at. */
export function createFitness(targets: readonly CompiledTarget[]): FitnessOf {
  const lacked = targets.reduce((set, { lacks }) => set | lacks, NO_CAPABILITIES)
  const leastContext = leastOf(targets)
  const operations = new Map<Operation, boolean>()

  function isOffered(operation: Operation): boolean {
    let offered = operations.get(operation)
    if (offered === undefined) {
      offered = targets.every(({ offers }) => offers(operation))
      operations.set(operation, offered)
    }
    return offered
  }

  return (call) => {
    const { operation } = call.incoming
    const needs = lacked === NO_CAPABILITIES ? NO_CAPABILITIES : call.needs(lacked)
    const isLong = leastContext !== undefined && operation === 'chat' && call.exceeds(leastContext)
    if (needs === NO_CAPABILITIES && !isLong && isOffered(operation)) return undefined
    const unfit = new Map<number, string>()
    for (const target of targets) {
      const why = whyUnfit(target, call, needs, isLong)
      if (why !== undefined) unfit.set(target.place, why)
    }
    return unfit.size === 0 || unfit.size === targets.length ? undefined : unfit
  }
}

/** @returns the smallest context; `undefined` where all take as much: what is too long for one is too long for all */
function leastOf(targets: readonly CompiledTarget[]): number | undefined {
  const contexts = targets.map(({ contextTokens = Number.POSITIVE_INFINITY }) => contextTokens)
  const least = Math.min(...contexts)
  return least === Math.max(...contexts) ? undefined : least
}

function whyUnfit(
  { lacks, offers, contextTokens }: CompiledTarget,
  call: CallFacts,
  needs: CapabilitySet,
  isLong: boolean,
): string | undefined {
  const { operation } = call.incoming
  if (!offers(operation)) return `its provider does not offer the operation ${operation}`
  if (hasAny(lacks, needs)) return `it does not take ${toWords(lacks & needs)}`
  if (isLong && contextTokens !== undefined && call.exceeds(contextTokens))
    return `about ${call.inputTokens + (call.outputTokensMax ?? 0)} tokens are more than its context of ${contextTokens}`
  return undefined
}
