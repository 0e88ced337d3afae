import type { Usage } from '../contract/chat.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import { costOf } from './cost.ts'
import { drawnTokens } from './drawn-tokens.ts'
import { costOfUnits } from './price-units.ts'
import type { ResolvedPrice } from './prices.ts'

/**
 * Tokens that stand for one unit where a price knows tokens alone, so that what nobody counted is not free.
 *
 * A minute of speech is about a thousand tokens to hear and 1,250 to speak: what OpenAI's estimates of cost a minute
 * come to ($0.006 at $6 a million for gpt-4o-transcribe, $0.015 at $12 for gpt-4o-mini-tts;
 * https://developers.openai.com/api/docs/pricing). 900 characters are spoken in a minute: 4,096 took 256 to 268
 * seconds, and at most six tokens for each of their 877 tokens of text
 * (https://github.com/sanand0/blog/blob/main/posts/2025/openai-tts-cost.md), which is less than is charged here.
 */
const TOKENS_HEARD_PER_MINUTE = 1000
const TOKENS_SPOKEN_PER_MINUTE = 1250
const CHARACTERS_PER_MINUTE = 900

/**
 * @returns what one call cost, in nano-dollars: its tokens, and its units at their own price where there is one. Units
 *   without a price cost what the tokens cost that they stand for, unless the provider counted tokens for them
 */
export function costOfCall(usage: Usage, units: CallUnits, price: ResolvedPrice): number {
  const { audioSeconds = 0, characters = 0, images = 0, searches = 0 } = units
  if (audioSeconds + characters + images + searches === 0) return costOf(usage, price)
  const sold = price.units
  const wasHeard = sold.audioSeconds === undefined && !(usage.inputTokens ?? 0)
  const wasMade = !(usage.outputTokens ?? 0)
  const heard = wasHeard ? Math.ceil((audioSeconds * TOKENS_HEARD_PER_MINUTE) / 60) : 0
  const spoken =
    sold.characters === undefined && wasMade
      ? Math.ceil((characters * TOKENS_SPOKEN_PER_MINUTE) / CHARACTERS_PER_MINUTE)
      : 0
  const drawn =
    sold.images === undefined && wasMade && images > 0
      ? images * drawnTokens(units.imageQuality, units.imageSize)
      : 0
  const bySold =
    costOfUnits(
      {
        audioSeconds: sold.audioSeconds === undefined ? 0 : audioSeconds,
        characters: sold.characters === undefined ? 0 : characters,
        images: sold.images === undefined ? 0 : images,
        // Without a price for searches, the text that was searched is priced by its tokens.
        searches: sold.searches === undefined ? 0 : searches,
      },
      sold,
      kindOfImage(units),
    ) ?? 0
  const byTokens =
    heard + spoken + drawn === 0
      ? costOf(usage, price)
      : costOf(
          {
            ...usage,
            inputTokens: (usage.inputTokens ?? 0) + heard,
            inputAudioTokens: (usage.inputAudioTokens ?? 0) + heard,
            outputTokens: (usage.outputTokens ?? 0) + spoken + drawn,
            outputAudioTokens: (usage.outputAudioTokens ?? 0) + spoken,
            outputImageTokens: (usage.outputImageTokens ?? 0) + drawn,
          },
          price,
        )
  return Math.min(byTokens + bySold, Number.MAX_SAFE_INTEGER)
}

/** What is not asked for is standard, and a square of 1,024: OpenAI's defaults for the models that are sold so. */
function kindOfImage({ imageQuality, imageSize }: CallUnits): string {
  const quality = imageQuality === 'hd' ? 'hd' : 'standard'
  return `${quality}/${imageSize === undefined || imageSize === 'auto' ? '1024x1024' : imageSize}`
}
