import type { ChatTraits } from '../provider.ts'

/** How a model is told to think. */
export type Thinking =
  /** `thinkingLevel`, from Gemini 3 on; `levels` are those that the model takes, lowest first. */
  | { readonly control: 'level'; readonly levels: readonly string[] }
  /** `thinkingBudget` in tokens, Gemini 2.5; `tokensMin` is the least it takes, 0 = thinking can be off. */
  | { readonly control: 'budget'; readonly tokensMin: number }
  /** It does not think, and refuses to be asked. */
  | { readonly control: 'none' }

/** Ways in which Google's models differ. */
export interface GoogleTraits extends ChatTraits {
  readonly thinking?: Thinking
}

/**
 * What models take that take levels at all, as for Gemini 3.8 Flash
 * (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/thinking, read 2026-11-21).
 */
export const LEVELS = ['low', 'medium', 'high'] as const

/** What holds for a model that no row describes: new models take levels. */
export const THINKING_DEFAULT: Thinking = { control: 'level', levels: LEVELS }
