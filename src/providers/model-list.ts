import type { Catalogue } from './catalogue.ts'
import type { Provider } from './provider-set.ts'

/** The names that calls can use under one configuration. */
export interface ModelList {
  /** Routes first, then `provider/model`. */
  readonly names: readonly string[]
  /** One to show in a first request. */
  readonly example: string
  /** Whose model a listed name is: a provider's name, or `gatehouse` for a route. */
  ownerOf(name: string): string
  /** @returns whether a provider is known to serve a bare name */
  serves(provider: string, model: string): boolean
  /** @returns names to suggest from where one was not found */
  suggestions(): readonly string[]
}

// What the built-in simulator makes a show of; it answers to any other name as well.
const SIMULATED = ['echo', 'slow', 'error']

export function listModels(
  routes: Readonly<Record<string, unknown>>,
  providers: ReadonlyMap<string, Provider>,
  catalogue: Catalogue,
): ModelList {
  const owners = new Map(Object.keys(routes).map((route) => [route, 'gatehouse']))
  for (const [name, provider] of providers) {
    for (const model of modelsOf(provider, catalogue).map((each) => `${name}/${each}`))
      if (!owners.has(model)) owners.set(model, name)
  }
  const names = [...owners.keys()]
  return {
    names,
    example: Object.keys(routes)[0] ?? exampleOf([...providers.values()][0]) ?? names[0] ?? 'provider/model',
    ownerOf: (name) => owners.get(name) ?? 'gatehouse',
    serves(name, model) {
      const provider = providers.get(name)
      if (provider === undefined) return false
      if (provider.settings.models !== undefined && Object.hasOwn(provider.settings.models, model))
        return true
      const { pricesId } = provider.kind
      return pricesId !== undefined && catalogue.serves(pricesId, model)
    },
    suggestions: () => names,
  }
}

// The price list also has beginnings of names (fine-tunes) and variants that only a reseller offers.
const PATTERN = /-$|:/

function exampleOf(provider: Provider | undefined): string | undefined {
  if (provider === undefined) return undefined
  const { name, kind, settings } = provider
  const model =
    Object.keys(settings.models ?? {})[0] ?? (kind.simulated === true ? SIMULATED[0] : kind.exampleModel)
  return model === undefined ? undefined : `${name}/${model}`
}

function modelsOf({ kind, settings }: Provider, catalogue: Catalogue): readonly string[] {
  if (settings.models !== undefined) return Object.keys(settings.models)
  if (kind.simulated === true) return SIMULATED
  const { pricesId } = kind
  if (pricesId === undefined) return []
  return catalogue
    .modelNames(pricesId)
    .filter((name) => !PATTERN.test(name) && catalogue.serves(pricesId, name))
}
