import type { ChatTraits } from '../provider.ts'

/**
 * How one OpenAI-shaped provider differs from OpenAI, beyond what all dialects share. Every field is optional, and
 * leaving it out means "as OpenAI does", so a row says only what is different.
 */
export interface CompatibleTraits extends ChatTraits {
  /** Request fields under another name: `{ seed: 'random_seed' }`. Applied last. */
  readonly renames?: Readonly<Record<string, string>>
  /** The word that forces a tool call, `required` at OpenAI. */
  readonly toolChoiceRequired?: 'required' | 'any'
  /** Field in which the provider wants earlier thoughts back; absent: it takes none, and they are left out. */
  readonly reasoningField?: 'reasoning_content' | 'reasoning' | 'reasoning_details'
  /**
   * How thinking is asked for. `effort` (the default): `reasoning_effort`. `object`: OpenRouter's
   * `reasoning: {effort, max_tokens}`. `toggle`: `thinking: {type: enabled | disabled}` and no degree.
   * `toggle-and-effort`: both. `budget`: Alibaba's `enable_thinking` and `thinking_budget`. `none`: not at all.
   */
  readonly reasoningRequest?: 'effort' | 'object' | 'toggle' | 'toggle-and-effort' | 'budget' | 'none'
  /** The provider knows `top_k`, which OpenAI does not. */
  readonly topK?: boolean
  /** The provider reads Anthropic's `cache_control` on parts and tools. */
  readonly cacheControl?: boolean
  /** Text may not stand in an array of parts: arrays of text alone are joined. */
  readonly plainText?: boolean
  /** Field for the length of vectors, `dimensions` at OpenAI. */
  readonly dimensionsField?: string
  /** The provider wants to know what vectors are for: `input_type: query | passage`. */
  readonly embeddingInputType?: boolean
  /** Longest id of a tool call. */
  readonly toolCallIdLengthMax?: number
  /** Ids of tool calls have to be exactly this many letters and digits. */
  readonly toolCallIdLength?: number
}
