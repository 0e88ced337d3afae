import { findModel, isResale, listModels, MODEL_NAME_LENGTH_MAX } from '../core/model-data.ts'

/** What is known of providers' models without asking them. */
export interface Catalogue {
  /** @returns whether a bare model name is known to be served by the provider of this genai-prices id */
  serves(pricesId: string, model: string): boolean
  /** @returns tokens of input and output together; `undefined` where the data does not say */
  contextWindow(pricesId: string, model: string): number | undefined
  /** @returns the names the data lists for the provider, without those it calls deprecated */
  modelNames(pricesId: string): readonly string[]
}

interface Known {
  readonly serves: boolean
  readonly contextWindow: number | undefined
}

const UNKNOWN: Known = { serves: false, contextWindow: undefined }

/** Names remembered per provider: more than any provider has, and a bound on names that callers invent. */
const MODELS_MAX = 2000

/** @param now Unix time in milliseconds */
export function createCatalogue(now: () => number): Catalogue {
  const known = new Map<string, Map<string, Known>>()
  const names = new Map<string, readonly string[]>()

  const lookUp = (pricesId: string, model: string): Known => {
    const remembered = known.get(pricesId)?.get(model)
    if (remembered !== undefined) return remembered
    if (model.length > MODEL_NAME_LENGTH_MAX) return UNKNOWN
    const match = findModel(pricesId, model, new Date(now()))
    const fresh =
      match === undefined
        ? UNKNOWN
        : { serves: !isResale(match.providerId, model), contextWindow: match.model.context_window }
    let models = known.get(pricesId)
    if (models === undefined) {
      models = new Map()
      known.set(pricesId, models)
    }
    if (models.size >= MODELS_MAX) {
      const oldest = models.keys().next()
      if (!oldest.done) models.delete(oldest.value)
    }
    models.set(model, fresh)
    return fresh
  }

  return {
    serves: (pricesId, model) => lookUp(pricesId, model).serves,
    contextWindow: (pricesId, model) => lookUp(pricesId, model).contextWindow,
    modelNames(pricesId) {
      let listed = names.get(pricesId)
      if (listed === undefined) {
        listed = listModels(pricesId)
          .filter((model) => model.deprecated !== true)
          .map((model) => model.id)
        if (listed.length > 0) names.set(pricesId, listed)
      }
      return listed
    },
  }
}
