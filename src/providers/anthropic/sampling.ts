import type { ChatRequest } from '../../contract/chat.ts'
import type { Notes } from './notes.ts'
import type { AnthropicTraits } from './traits.ts'

interface Sampling {
  readonly temperature?: number
  readonly top_p?: number
  readonly top_k?: number
}

/** Beside thinking, `top_p` may only lie here (platform.claude.com thinking docs, "Sampling parameters"). */
const TOP_P_MIN_WHILE_THINKING = 0.95

/** @returns the sampling settings that the model takes; a setting at its default is left out without a word */
export function toSampling(
  request: ChatRequest,
  traits: AnthropicTraits,
  thinking: boolean,
  notes: Notes,
): Sampling {
  const temperature = usableTemperature(request, traits, thinking, notes)
  const topP = usableTopP(request, traits, thinking, temperature, notes)
  const topK = request.topK
  if (topK !== undefined && (thinking || traits.sampling === 'none')) {
    notes.warn('top_k', 'The model does not take `top_k`; it was left out.')
    return { temperature, top_p: topP }
  }
  return { temperature, top_p: topP, top_k: topK }
}

function usableTemperature(
  request: ChatRequest,
  traits: AnthropicTraits,
  thinking: boolean,
  notes: Notes,
): number | undefined {
  const { temperature } = request
  // 1 is the default of this API too.
  if (temperature === undefined || temperature === 1) return undefined
  if (traits.sampling === 'none' || thinking) {
    notes.warn('temperature', 'The model takes no other temperature than 1 here; it was left out.')
    return undefined
  }
  if (temperature > 1) {
    notes.warn('temperature', 'The provider takes temperatures up to 1; its default of 1 was used.')
    return undefined
  }
  return temperature
}

function usableTopP(
  request: ChatRequest,
  traits: AnthropicTraits,
  thinking: boolean,
  temperature: number | undefined,
  notes: Notes,
): number | undefined {
  const { topP } = request
  if (topP === undefined || topP === 1) return undefined
  if (traits.sampling === 'none' || (thinking && topP < TOP_P_MIN_WHILE_THINKING)) {
    notes.warn('top_p', 'The model does not take this `top_p`; it was left out.')
    return undefined
  }
  if (traits.sampling === 'one' && temperature !== undefined) {
    notes.warn('top_p', 'The model takes `temperature` or `top_p`, not both; `top_p` was left out.')
    return undefined
  }
  return topP
}
