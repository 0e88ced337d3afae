import type { Usage } from '../contract/chat.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import { costOf } from './cost.ts'
import { costOfUnits } from './price-units.ts'
import type { ResolvedPrice } from './prices.ts'

/**
 * Tokens that stand for one unit where a price knows tokens alone, so that what nobody counted is not free.
 *
 * A minute of speech is about a thousand tokens to hear and 1,250 to speak: what OpenAI's estimates of cost a minute
 * come to ($0.006 at $6 a million for gpt-4o-transcribe, $0.015 at $12 for gpt-4o-mini-tts;
 * https://developers.openai.com/api/docs/pricing). 900 characters are spoken in a minute. The largest picture of
 * gpt-image-1 has 6,240 tokens (https://developers.openai.com/api/docs/guides/image-generation).
 */
const TOKENS_HEARD_PER_MINUTE = 1000
const TOKENS_SPOKEN_PER_MINUTE = 1250
const CHARACTERS_PER_MINUTE = 900
const TOKENS_PER_IMAGE = 6240

/**
 * @returns what one call cost, in nano-dollars: its tokens, and its units at their own price where there is one, else
 *   at that of the tokens they stand for
 */
export function costOfCall(usage: Usage, units: CallUnits, price: ResolvedPrice): number {
  const { audioSeconds, characters = 0, images = 0 } = units
  const sold = costOfUnits({ audioSeconds }, price.units)
  const heard = sold === undefined ? Math.ceil(((audioSeconds ?? 0) * TOKENS_HEARD_PER_MINUTE) / 60) : 0
  const spoken = Math.ceil((characters * TOKENS_SPOKEN_PER_MINUTE) / CHARACTERS_PER_MINUTE)
  const drawn = images * TOKENS_PER_IMAGE
  if (heard + spoken + drawn === 0) return costOf(usage, price) + (sold ?? 0)
  return (
    costOf(
      {
        ...usage,
        inputTokens: (usage.inputTokens ?? 0) + heard,
        inputAudioTokens: (usage.inputAudioTokens ?? 0) + heard,
        outputTokens: (usage.outputTokens ?? 0) + spoken + drawn,
        outputAudioTokens: (usage.outputAudioTokens ?? 0) + spoken,
        outputImageTokens: (usage.outputImageTokens ?? 0) + drawn,
      },
      price,
    ) + (sold ?? 0)
  )
}
