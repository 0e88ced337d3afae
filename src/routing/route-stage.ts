import type { Exchange } from '../pipeline/exchange.ts'
import type { Outcome, Stage } from '../pipeline/stage.ts'
import type { Resolver } from './resolve.ts'

export interface RouteStageOptions {
  readonly resolver: Resolver
  readonly isModelAllowed: (allowed: readonly string[] | null, name: string) => boolean
  /** @throws GatewayError `model_not_allowed` */
  readonly requireModel: (allowed: readonly string[] | null, names: readonly string[]) => void
}

/** Where the call goes, decided before anything is spent on it; and what is learnt from where it went. */
export function createRouteStage(options: RouteStageOptions): Stage {
  const { resolver, isModelAllowed, requireModel } = options
  return {
    name: 'route',
    enter(exchange: Exchange) {
      const { model, forward } = exchange.incoming
      // Files and batches lie at one provider, which their owner's books name (resources/).
      if (forward?.resource !== undefined) return undefined
      const allowed = exchange.caller?.models ?? null
      const plan = resolver.resolve(exchange, (name) => isModelAllowed(allowed, name))
      requireModel(allowed, [model, plan.route])
      exchange.plan = plan
      return undefined
    },
    settle(exchange: Exchange, { endedMs }: Outcome) {
      if (exchange.attempts.length > 0) resolver.settled(exchange, endedMs)
    },
  }
}
