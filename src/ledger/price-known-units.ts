import { picoOf, type UnitRates, unitRatesOfList } from './price-units.ts'

/**
 * Prices of models that are sold by the picture, the character or the search, which the data of genai-prices has no
 * words for (0.1.8). It counts where that data says nothing; what it says is the lists of the providers:
 *
 * - Pictures of DALL·E: https://openai.com/api/pricing, as copied in
 *   https://github.com/kevinhermawan/Canvas/blob/main/model-info.json, which agrees with the prices per pixel in
 *   https://github.com/BerriAI/litellm/blob/main/model_prices_and_context_window.json.
 * - Speech of `tts-1`: $15 a million characters, `tts-1-hd` $30 (https://platform.openai.com/docs/pricing). One of
 *   4,096 characters was billed with $0.061425 by OpenAI: https://github.com/sanand0/blog/blob/main/posts/2025/openai-tts-cost.md.
 * - Rerank of Cohere: one search is a query with up to 100 documents (https://cohere.com/pricing); $2 a thousand, and
 *   $2.50 for `rerank-v4.0-pro` (https://developer.puter.com/tutorials/cohere-api-pricing/, June 2026).
 */
export const KNOWN_UNITS_VERSION = '2026-11-21'

interface KnownUnits {
  readonly pricesId: string
  readonly model: RegExp
  readonly id: string
  readonly units: UnitRates
}

const KNOWN: readonly KnownUnits[] = [
  row('openai', /^tts-1-hd(?:-\d{4})?$/, 'tts-1-hd', unitRatesOfList({ perMillionCharactersUsd: 30 })),
  row('openai', /^tts-1(?:-\d{4})?$/, 'tts-1', unitRatesOfList({ perMillionCharactersUsd: 15 })),
  row(
    'openai',
    /^dall-e-2$/,
    'dall-e-2',
    pictures({ 'standard/256x256': 0.016, 'standard/512x512': 0.018, 'standard/1024x1024': 0.02 }),
  ),
  row(
    'openai',
    /^dall-e-3$/,
    'dall-e-3',
    pictures({
      'standard/1024x1024': 0.04,
      'standard/1024x1792': 0.08,
      'standard/1792x1024': 0.08,
      'hd/1024x1024': 0.08,
      'hd/1024x1792': 0.12,
      'hd/1792x1024': 0.12,
    }),
  ),
  row('cohere', /^rerank-v4\.0-pro$/, 'rerank-v4.0-pro', unitRatesOfList({ perSearchUsd: 0.0025 })),
  row('cohere', /^rerank-/, 'rerank', unitRatesOfList({ perSearchUsd: 0.002 })),
]

/** @returns what a model sells by units, and the name of the row; `undefined` for all models that sell tokens */
export function knownUnits(pricesId: string, model: string): KnownUnits | undefined {
  return KNOWN.find((known) => known.pricesId === pricesId && known.model.test(model))
}

function row(pricesId: string, model: RegExp, id: string, units: UnitRates): KnownUnits {
  return { pricesId, model, id, units }
}

/** @param usdByKind dollars a picture, by quality and size */
function pictures(usdByKind: Readonly<Record<string, number>>): UnitRates {
  const picoByKind = Object.fromEntries(Object.entries(usdByKind).map(([kind, usd]) => [kind, picoOf(usd)]))
  return { images: { pico: Math.max(...Object.values(picoByKind)), per: 1, least: 0, picoByKind } }
}
