import { countTokens, encodingOf } from '../core/token-count.ts'
import type { TokenCounter } from './accountant.ts'
import { countChatTokens } from './chat-tokens.ts'

/** Counts by the tokenizer of the model, or the nearest there is. Loaded on first use. */
export function createTokenCounter(): TokenCounter {
  return {
    countChat: countChatTokens,
    countText: (text, model) => (text === '' ? Promise.resolve(0) : countTokens([text], encodingOf(model))),
  }
}
