import { calcPrice, findProvider, type ModelInfo, type ModelPrice } from '@pydantic/genai-prices'
import { createModelTable, type ListedProvider } from './model-table.ts'

/** Version of the bundled model data; a test holds it against what is installed. */
export const MODEL_DATA_VERSION = '0.1.8'

/** Longer names are no model's: they are not looked up, so that a hostile one costs nothing. */
export const MODEL_NAME_LENGTH_MAX = 256

export type { ListedProvider, ModelInfo, ModelPrice }

export interface ModelMatch {
  /** The provider's id in the data, which may differ from what was asked: `xai` is `x-ai` there. */
  readonly providerId: string
  readonly model: ModelInfo
  /** The row of prices in force at the time asked for. Empty where the data knows the model but no price. */
  readonly prices: ModelPrice
}

/** What is known of models at one time: the data that the build brings along, or newer data. */
export interface ModelData {
  /** Names the data in the versions of prices: `0.1.8`, or the beginning of a checksum. */
  readonly version: string
  /** As `findModel` does in the bundled data. */
  find(providerId: string, model: string, at: Date): ModelMatch | undefined
  /** @returns the names that the data lists for a provider; empty for one it does not know */
  names(providerId: string): readonly string[]
}

export const BUNDLED_MODELS: ModelData = {
  version: MODEL_DATA_VERSION,
  find: findModel,
  names: (providerId) => listModels(providerId).map(({ id }) => id),
}

/**
 * @returns data of other providers' lists, looked up as the bundled data is
 * @throws SyntaxError where a regular expression in it is none
 */
export function createModelData(version: string, providers: readonly ListedProvider[]): ModelData {
  const find = createModelTable(providers)
  return {
    version,
    find(providerId, model, at) {
      const name = bareName(model)
      return name === '' || name.length > MODEL_NAME_LENGTH_MAX ? undefined : find(providerId, name, at)
    },
    names: (providerId) =>
      providers.find(({ id }) => id === providerId)?.models.map((model) => model.id) ?? [],
  }
}

/**
 * @param providerId as genai-prices names the provider
 * @returns what the bundled data knows of a model, dates and prefixes of its name understood; `undefined` where
 *   it knows nothing. About 25 µs: cache it
 */
export function findModel(providerId: string, model: string, at: Date): ModelMatch | undefined {
  const name = bareName(model)
  if (name === '' || name.length > MODEL_NAME_LENGTH_MAX) return undefined
  const found = calcPrice({}, name, { providerId, timestamp: at })
  if (found === null) return undefined
  const { provider, model: info, model_price: prices } = found
  return { providerId: provider.id, model: info, prices }
}

/** @returns every model that the provider lists itself; empty for an unknown provider */
export function listModels(providerId: string): readonly ModelInfo[] {
  return findProvider({ providerId })?.models ?? []
}

/**
 * @returns whether the provider makes models itself and lists this one only because another service of the same
 *   company resells it: Claude stands under Google because of Vertex, and the Gemini API does not have it
 */
export function isResale(providerId: string, model: string): boolean {
  const provider = findProvider({ providerId })
  if (provider?.model_match === undefined || model.length > MODEL_NAME_LENGTH_MAX) return false
  const maker = findProvider({ modelId: bareName(model) })
  return maker !== undefined && provider.fallback_model_providers?.includes(maker.id) === true
}

/**
 * Google names models by resource: `models/gemini-2.5-pro`, `publishers/google/models/gemini-2.5-pro`
 * (https://ai.google.dev/api/models, read 2026-11-21); the data lists the last part only.
 */
function bareName(model: string): string {
  const name = model.trim()
  if (name.startsWith('models/')) return name.slice('models/'.length)
  const at = name.startsWith('publishers/') ? name.indexOf('/models/') : -1
  return at < 0 ? name : name.slice(at + '/models/'.length)
}
