import { distance } from 'fastest-levenshtein'
import { GatewayError } from '../core/errors.ts'
import type { Exchange } from '../pipeline/exchange.ts'
import { Affinity } from './strategy/affinity.ts'
import { CallFacts, type RoutingCall } from './strategy/call-facts.ts'
import {
  compileRoute,
  type Route,
  type RouteMeans,
  type RoutePlan,
  withReason,
} from './strategy/compile-route.ts'
import type { TaskGuess } from './strategy/guess-task.ts'
import type { OrderingMeans } from './strategy/ordering.ts'
import { Pace, targetKey } from './strategy/pace.ts'
import { DEFAULT_POLICY } from './strategy/route-policy.ts'
import type { RouteSettings } from './strategy/route-settings.ts'
import { NOTHING_KNOWN } from './strategy/target-facts.ts'

export interface ResolverOptions {
  readonly routes: ReadonlyMap<string, RouteSettings>
  /** Routes that organizations have of their own: they hold before those of the configuration. */
  readonly routesOf?: ((organizationId: string) => ReadonlyMap<string, RouteSettings> | undefined) | undefined
  /** Name of the route that `auto` stands for, by task. */
  readonly tasks: ReadonlyMap<string, string>
  /** The configured providers, and what each calls a model that has another name here. */
  readonly providers: ReadonlyMap<string, Readonly<Record<string, string>>>
  /** Whether a provider is known to serve a bare model name. */
  readonly serves: (provider: string, model: string) => boolean
  /** Names to suggest from, beside the routes: `provider/model`. */
  readonly suggestions: () => readonly string[]
  /** Uniform in [0, 1). */
  readonly random: () => number
  /** Left out: of this resolver alone, and forgotten with it. */
  readonly pace?: Pace | undefined
  /** Left out: of this resolver alone, and forgotten with it. */
  readonly affinity?: Affinity | undefined
  /** Left out: nobody knows what calls cost, and the heaviest target is the cheapest. */
  readonly costOf?: OrderingMeans['costOf'] | undefined
  /** Left out: every target can do everything. */
  readonly factsOf?: RouteMeans['factsOf'] | undefined
  /** Left out: every target is. */
  readonly isHealthy?: RouteMeans['isHealthy'] | undefined
  /** Left out: that of the process. */
  readonly monotonicMs?: (() => number) | undefined
}

/** Finds where the `model` of a request leads. */
export interface Resolver {
  /**
   * @param mayUse whether the caller may know of a name: others are not suggested
   * @throws GatewayError `model_not_found`, naming the nearest names
   */
  resolve(call: RoutingCall, mayUse: (name: string) => boolean): RoutePlan
  /** Takes from a call that is over what the next ones are to know: how fast its targets were, where its session is. */
  settled(call: Exchange, nowMs: number): void
  /** @returns the routes that an organization's calls find; those of the configuration alone where none is named */
  routesFor(organizationId: string | undefined): readonly RouteInForce[]
}

/** A route that calls find, and whose it is. */
export interface RouteInForce {
  readonly route: Route
  readonly source: 'configuration' | 'organization'
}

/** How many answers are remembered; a caller that invents names must not fill the memory. */
const REMEMBERED_MAX = 10_000
const NAME_LENGTH_MAX = 256

/** Where a name leads. */
type Way = Pick<Route, 'name' | 'plan'>

export function createResolver(options: ResolverOptions): Resolver {
  const { pace = new Pace(), affinity = new Affinity(), monotonicMs = () => performance.now() } = options
  const means: RouteMeans = {
    pace,
    affinity,
    monotonicMs,
    random: options.random,
    costOf: options.costOf ?? (() => undefined),
    factsOf: options.factsOf ?? (() => NOTHING_KNOWN),
    isHealthy: options.isHealthy ?? (() => true),
  }
  const remembered = new Map<string, Way>()
  /** Routes as they were made ready; `undefined` = none of their providers is there. */
  const compiled = new WeakMap<RouteSettings, Route | undefined>()

  function compile(name: string, settings: RouteSettings): Route | undefined {
    if (compiled.has(settings)) return compiled.get(settings)
    const targets = settings.targets.filter(({ provider }) => options.providers.has(provider))
    const route = targets.length === 0 ? undefined : compileRoute(name, settings, targets, means)
    compiled.set(settings, route)
    return route
  }

  function lookUp(model: string): Way | undefined {
    const settings = options.routes.get(model)
    if (settings !== undefined) return compile(model, settings)
    const slash = model.indexOf('/')
    if (slash > 0) {
      const provider = model.slice(0, slash)
      const name = model.slice(slash + 1)
      const aliases = options.providers.get(provider)
      if (name !== '' && aliases !== undefined)
        return single(model, provider, ownName(aliases, name), 'named by the caller', means)
    }
    const serving = [...options.providers.keys()].filter((provider) => options.serves(provider, model))
    const [only] = serving
    if (only !== undefined && serving.length === 1) {
      const own = ownName(options.providers.get(only) ?? {}, model)
      return single(`${only}/${model}`, only, own, 'the only provider known to serve it', means)
    }
    return undefined
  }

  function find(model: string, organizationId: string | undefined): Way | undefined {
    const settings = organizationId === undefined ? undefined : options.routesOf?.(organizationId)?.get(model)
    const own = settings === undefined ? undefined : compile(model, settings)
    if (own !== undefined) return own
    const known = remembered.get(model)
    if (known !== undefined) return known
    if (model === '' || model.length > NAME_LENGTH_MAX) return undefined
    const found = lookUp(model)
    if (found !== undefined) {
      if (remembered.size >= REMEMBERED_MAX) remembered.clear()
      remembered.set(model, found)
    }
    return found
  }

  /** The route of the task that the caller names; of the one that its text tells, or of `chat`. */
  function planByTask(call: RoutingCall): RoutePlan {
    const { task: named } = call.incoming.hints
    const organizationId = call.caller?.organizationId
    const ofTask = (task: string) => {
      const model = options.tasks.get(task)
      return model === undefined ? undefined : find(model, organizationId)
    }
    if (named !== undefined) {
      const way = ofTask(named)
      if (way === undefined) throw noRouteForTask(named, [...options.tasks.keys()])
      return withReason(way.plan(call), `task ${named}, as the caller says`)
    }
    const guess = new CallFacts(call).task
    const way = ofTask(guess.task)
    if (way !== undefined) return withReason(way.plan(call), inWords(guess))
    const usual = ofTask(USUAL_TASK)
    if (usual === undefined) throw noRouteForTask(undefined, [...options.tasks.keys()])
    return withReason(usual.plan(call), `${inWords(guess)}, which has no route of its own`)
  }

  return {
    resolve(call, mayUse) {
      const { model } = call.incoming
      const found = find(model, call.caller?.organizationId)
      if (found !== undefined) return found.plan(call)
      if (model === 'auto') return planByTask(call)
      throw notFound(model, [...options.routes.keys(), ...options.suggestions()].filter(mayUse))
    },

    settled({ attempts, plan, incoming }, nowMs) {
      const isMeasured = incoming.operation !== 'token-count'
      for (const attempt of attempts) pace.ended(attempt, nowMs, isMeasured)
      const answered = attempts.findLast(({ errorCode }) => errorCode === undefined)
      const { session }: RoutePlan = plan ?? NO_PLAN
      // Where another target had to help out, the session goes on there.
      if (session === undefined || answered === undefined || attempts.length < 2) return
      affinity.remember(session, targetKey(answered.provider, answered.model), nowMs)
    },

    routesFor(organizationId) {
      const own = organizationId === undefined ? undefined : options.routesOf?.(organizationId)
      const inForce: RouteInForce[] = []
      for (const [name, settings] of own ?? []) {
        const route = compile(name, settings)
        if (route !== undefined) inForce.push({ route, source: 'organization' })
      }
      const taken = new Set(inForce.map(({ route }) => route.name))
      for (const [name, settings] of options.routes) {
        const route = taken.has(name) ? undefined : compile(name, settings)
        if (route !== undefined) inForce.push({ route, source: 'configuration' })
      }
      return inForce
    },
  }
}

const NO_PLAN: RoutePlan = { route: '', targets: [] }
const USUAL_TASK = 'chat'

function inWords({ task, because }: TaskGuess): string {
  return `task ${task}, guessed by ${because}`
}

function single(route: string, provider: string, model: string, reason: string, means: RouteMeans): Way {
  const { contextTokens } = means.factsOf(provider, model)
  const plan = { route, targets: [{ provider, model, reason, contextTokens }], policy: DEFAULT_POLICY }
  return { name: route, plan: () => plan }
}

/** @returns what the provider calls a model; the names come from callers, so only the record's own count */
function ownName(aliases: Readonly<Record<string, string>>, model: string): string {
  return Object.hasOwn(aliases, model) ? (aliases[model] ?? model) : model
}

function noRouteForTask(task: string | undefined, known: readonly string[]): GatewayError {
  const message =
    task === undefined
      ? 'The model `auto` finds no route for this call: name its task in the header `x-gatehouse-task`.'
      : `No route is configured for the task \`${task.slice(0, 64)}\`.`
  const hint = known.length > 0 ? ` Known: ${known.join(', ')}.` : ''
  return new GatewayError('model_not_found', { message: message + hint, param: 'model' })
}

const SUGGESTIONS_MAX = 3

function notFound(model: string, names: readonly string[]): GatewayError {
  if (model === '') {
    return new GatewayError('invalid_request', { message: 'The field `model` is missing.', param: 'model' })
  }
  const shown = model.slice(0, 64)
  const bare = shown.slice(shown.lastIndexOf('/') + 1).toLowerCase()
  const nearest = [...new Set(names)]
    .map((name) => ({ name, far: distance(bare, name.slice(name.lastIndexOf('/') + 1).toLowerCase()) }))
    .sort((first, second) => first.far - second.far || first.name.localeCompare(second.name))
    .slice(0, SUGGESTIONS_MAX)
    .map(({ name }) => `\`${name}\``)
  const hint = nearest.length > 0 ? ` Nearest: ${nearest.join(', ')}.` : ''
  return new GatewayError('model_not_found', {
    message: `No route or provider serves the model \`${shown}\`.${hint}`,
    param: 'model',
  })
}
