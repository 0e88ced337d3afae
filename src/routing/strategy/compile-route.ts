import type { Plan, RoutePolicy, TargetName } from '../../pipeline/exchange.ts'
import type { Affinity } from './affinity.ts'
import { CallFacts, type RoutingCall } from './call-facts.ts'
import { toSet } from './capabilities.ts'
import { Choice } from './choice.ts'
import { createFitness, type Unfit } from './fitness.ts'
import { createOrdering, type OrderingMeans } from './ordering.ts'
import { targetKey } from './pace.ts'
import { toPolicy } from './route-policy.ts'
import type { RouteSettings, TargetSettings } from './route-settings.ts'
import type { CompiledTarget } from './route-target.ts'
import { sessionOf } from './session.ts'
import type { TargetFacts } from './target-facts.ts'

/** What routes are made with. */
export interface RouteMeans extends OrderingMeans {
  readonly affinity: Affinity
  readonly factsOf: (provider: string, model: string) => TargetFacts
  /** Whether calls may be sent to a target now: a session leaves one that is away. */
  readonly isHealthy: (provider: string, model: string) => boolean
}

/** A plan, and the session that it belongs to, where calls of one session stay together. */
export interface RoutePlan extends Plan {
  readonly session?: string | undefined
}

/** A route ready to be asked, once for every call. */
export interface Route {
  readonly name: string
  readonly settings: RouteSettings
  readonly targets: readonly CompiledTarget[]
  readonly policy: RoutePolicy
  plan(call: RoutingCall): RoutePlan
}

const KEPT = 'where the session went before, so that its prompt cache is warm'

/** @param targets those of the settings whose providers are there; at least one */
export function compileRoute(
  name: string,
  settings: RouteSettings,
  targets: readonly TargetSettings[],
  means: RouteMeans,
): Route {
  const compiled = targets.map((target, place) => compileTarget(target, place, means))
  const policy = toPolicy(settings)
  const route = { name, settings, targets: compiled, policy }
  const [only] = compiled
  if (only !== undefined && compiled.length === 1) {
    const plan = { route: name, targets: [new Choice(only, `the only target of the route ${name}`)], policy }
    return { ...route, plan: () => plan }
  }
  return { ...route, plan: createPlanner(route, means) }
}

function compileTarget(settings: TargetSettings, place: number, { factsOf }: RouteMeans): CompiledTarget {
  const { provider, model, weight, tier = 'medium', contextTokens, lacks = [] } = settings
  const facts = factsOf(provider, model)
  return {
    place,
    provider,
    model,
    key: targetKey(provider, model),
    weight,
    tier,
    contextTokens: contextTokens ?? facts.contextTokens,
    lacks: facts.lacks | toSet(...lacks),
    offers: facts.offers,
  }
}

function createPlanner(route: Omit<Route, 'plan'>, means: RouteMeans): Route['plan'] {
  const { name, settings, targets, policy } = route
  const { affinity, isHealthy, monotonicMs } = means
  const ordering = createOrdering(settings.strategy, targets, means)
  const unfitOf = createFitness(targets)
  const plans = new Map<readonly Choice[], RoutePlan>()

  function asOrdered(choices: readonly Choice[]): RoutePlan {
    const known = plans.get(choices)
    if (known !== undefined) return known
    const plan = { route: name, targets: choices, policy }
    if (ordering.isFixed) plans.set(choices, plan)
    return plan
  }

  /** Keeps a session where it is, as long as it can be served there. */
  function inSession(choices: readonly Choice[], session: string, unfit: Unfit | undefined): RoutePlan {
    const nowMs = monotonicMs()
    const before = affinity.find(session, nowMs)
    const kept = choices.find(
      ({ place, provider, model }) =>
        before !== undefined &&
        targets[place]?.key === before &&
        unfit?.has(place) !== true &&
        isHealthy(provider, model),
    )
    const order =
      kept === undefined || kept === choices[0]
        ? choices
        : [new Choice(kept, KEPT), ...choices.filter((choice) => choice !== kept)]
    const [first] = order
    if (first !== undefined) affinity.remember(session, targetKey(first.provider, first.model), nowMs)
    return { route: name, targets: order, policy, session }
  }

  return (call) => {
    const facts = new CallFacts(call)
    const ordered = ordering.order(facts)
    const unfit = unfitOf(facts)
    const choices = unfit === undefined ? ordered : toBack(ordered, unfit)
    const session = sessionOf(settings, name, call)
    if (session !== undefined) return inSession(choices, session, unfit)
    return unfit === undefined ? asOrdered(choices) : { route: name, targets: choices, policy }
  }
}

/** What is taken for unable may be able all the same: it is tried last, and nothing is refused for a guess. */
function toBack(choices: readonly Choice[], unfit: Unfit): readonly Choice[] {
  const fit = choices.filter(({ place }) => !unfit.has(place))
  const last = choices.flatMap((choice) => {
    const why = unfit.get(choice.place)
    return why === undefined ? [] : [new Choice(choice, `last, because ${why}`)]
  })
  return [...fit, ...last]
}

/** @returns the same plan, each target with what led to the route */
export function withReason(plan: RoutePlan, because: string): RoutePlan {
  const targets = plan.targets.map(
    (target, place): TargetName =>
      new Choice({ ...named(target), place }, () => `${because}; ${target.reason}`),
  )
  return { ...plan, targets }
}

function named({ provider, model, contextTokens }: TargetName): Omit<TargetName, 'reason'> {
  return { provider, model, contextTokens }
}
