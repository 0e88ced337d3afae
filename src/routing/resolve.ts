import { distance } from 'fastest-levenshtein'
import { GatewayError } from '../core/errors.ts'
import type { Plan, TargetName } from '../pipeline/exchange.ts'

/** A name under `models` and where it leads, as the configuration says. */
export interface RouteSettings {
  readonly targets: readonly { readonly provider: string; readonly model: string; readonly weight: number }[]
  readonly strategy: string
}

export interface ResolverOptions {
  readonly routes: ReadonlyMap<string, RouteSettings>
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
}

/** Finds where the `model` of a request leads. */
export interface Resolver {
  /**
   * @param mayUse whether the caller may know of a name: others are not suggested
   * @throws GatewayError `model_not_found`, naming the nearest names
   */
  resolve(model: string, task: string | undefined, mayUse: (name: string) => boolean): Plan
}

/** How many answers are remembered; a caller that invents names must not fill the memory. */
const REMEMBERED_MAX = 10_000
const NAME_LENGTH_MAX = 256

interface Resolved {
  readonly route: string
  readonly targets: readonly TargetName[]
  /** Where the first target is drawn; else the targets are tried as they stand. */
  readonly draw: Draw | undefined
}

interface Draw {
  /** Running sums of the weights of the targets. */
  readonly sums: readonly number[]
  /** The targets in the order in which those that were not drawn are tried. */
  readonly byWeight: readonly TargetName[]
}

export function createResolver(options: ResolverOptions): Resolver {
  const remembered = new Map<string, Resolved>()

  function lookUp(model: string): Resolved | undefined {
    const route = options.routes.get(model)
    if (route !== undefined) return fromRoute(model, route)
    const slash = model.indexOf('/')
    if (slash > 0) {
      const provider = model.slice(0, slash)
      const name = model.slice(slash + 1)
      const aliases = options.providers.get(provider)
      if (name !== '' && aliases !== undefined) {
        return single(model, provider, ownName(aliases, name), 'named by the caller')
      }
    }
    const serving = [...options.providers.keys()].filter((provider) => options.serves(provider, model))
    const [only] = serving
    if (only !== undefined && serving.length === 1) {
      const own = ownName(options.providers.get(only) ?? {}, model)
      return single(`${only}/${model}`, only, own, 'the only provider known to serve it')
    }
    return undefined
  }

  function find(model: string): Resolved | undefined {
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

  return {
    resolve(model, task, mayUse) {
      let found = find(model)
      if (found === undefined && model === 'auto') {
        const route = task === undefined ? undefined : options.tasks.get(task)
        if (route !== undefined) found = find(route)
        if (found === undefined) throw noRouteForTask(task, [...options.tasks.keys()])
      }
      if (found === undefined) {
        throw notFound(model, [...options.routes.keys(), ...options.suggestions()].filter(mayUse))
      }
      return { route: found.route, targets: ordered(found, options.random) }
    },
  }
}

function fromRoute(name: string, route: RouteSettings): Resolved {
  const targets = route.targets.map((target) => ({
    provider: target.provider,
    model: target.model,
    reason: `target of the route ${name}`,
  }))
  if (route.strategy !== 'weighted' || targets.length < 2) return { route: name, targets, draw: undefined }
  let sum = 0
  const sums = route.targets.map(({ weight }) => (sum += weight))
  const byWeight = targets
    .map((target, index) => ({ target, weight: route.targets[index]?.weight ?? 0 }))
    .sort((first, second) => second.weight - first.weight)
    .map(({ target }) => target)
  return { route: name, targets, draw: { sums, byWeight } }
}

function single(route: string, provider: string, model: string, reason: string): Resolved {
  return { route, targets: [{ provider, model, reason }], draw: undefined }
}

/** @returns what the provider calls a model; the names come from callers, so only the record's own count */
function ownName(aliases: Readonly<Record<string, string>>, model: string): string {
  return Object.hasOwn(aliases, model) ? (aliases[model] ?? model) : model
}

function ordered({ targets, draw }: Resolved, random: () => number): readonly TargetName[] {
  if (draw === undefined) return targets
  const drawn = random() * (draw.sums.at(-1) ?? 0)
  const first = targets[draw.sums.findIndex((sum) => drawn < sum)]
  if (first === undefined || first === draw.byWeight[0]) return draw.byWeight
  return [first, ...draw.byWeight.filter((target) => target !== first)]
}

function noRouteForTask(task: string | undefined, known: readonly string[]): GatewayError {
  const message =
    task === undefined
      ? 'The model `auto` needs the header `x-gatehouse-task`.'
      : `No route is configured for the task \`${task.slice(0, 64)}\`.${known.length > 0 ? ` Known: ${known.join(', ')}.` : ''}`
  return new GatewayError('model_not_found', { message, param: 'model' })
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
