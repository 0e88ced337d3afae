import type { Usage } from '../../contract/chat.ts'
import { type Fields, isObject } from '../../contract/formats/chat/fields.ts'

/**
 * Reads `usage` as all the compatible providers write it.
 *
 * @returns `undefined` where there is none. Fields the provider did not name are `undefined`, not 0
 */
export function fromUsage(value: unknown): Usage | undefined {
  if (!isObject(value)) return undefined
  const prompt = isObject(value.prompt_tokens_details) ? value.prompt_tokens_details : {}
  const completion = isObject(value.completion_tokens_details) ? value.completion_tokens_details : {}
  const inputTokens = count(value.prompt_tokens)
  const reasoningTokens = count(completion.reasoning_tokens) ?? count(value.reasoning_tokens)
  const usage: Usage = {
    inputTokens,
    outputTokens: outputTokens(value, inputTokens, reasoningTokens),
    cachedInputTokens: cachedTokens(value, prompt),
    cacheWriteTokens: count(prompt.cache_write_tokens),
    reasoningTokens,
    inputAudioTokens: count(prompt.audio_tokens),
    outputAudioTokens: count(completion.audio_tokens),
  }
  return Object.values(usage).every((tokens) => tokens === undefined) ? undefined : usage
}

/** DeepSeek counts `prompt_cache_hit_tokens`, Moonshot `cached_tokens` beside the others, OpenAI in the details. */
function cachedTokens(usage: Fields, prompt: Fields): number | undefined {
  return count(prompt.cached_tokens) ?? count(usage.prompt_cache_hit_tokens) ?? count(usage.cached_tokens)
}

/**
 * At OpenAI `completion_tokens` include the thoughts; at xAI they stand beside them, and only the total has both
 * (https://docs.cloud.google.com/vertex-ai/generative-ai/docs/partner-models/grok/capabilities/reasoning, read
 * 2026-11-21). The total says which it is.
 */
function outputTokens(
  usage: Fields,
  inputTokens: number | undefined,
  reasoningTokens: number | undefined,
): number | undefined {
  const completion = count(usage.completion_tokens)
  const total = count(usage.total_tokens)
  if (completion === undefined) {
    return total === undefined || inputTokens === undefined ? undefined : Math.max(0, total - inputTokens)
  }
  if (reasoningTokens === undefined || reasoningTokens === 0) return completion
  const standsBeside = total === (inputTokens ?? 0) + completion + reasoningTokens
  return standsBeside ? completion + reasoningTokens : completion
}

/** @returns a count of tokens, or `undefined` for anything else */
function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : undefined
}

/** @returns usage from wherever a reply or a chunk keeps it: Groq under `x_groq`, Moonshot inside the choice */
export function findUsage(body: Fields): Usage | undefined {
  const own = fromUsage(body.usage)
  if (own !== undefined) return own
  if (isObject(body.x_groq)) return fromUsage(body.x_groq.usage)
  const first: unknown = Array.isArray(body.choices) ? body.choices[0] : undefined
  return isObject(first) ? fromUsage(first.usage) : undefined
}

/** @returns usage of a complete reply; `{}` where the provider said none */
export function usageOf(body: unknown): Usage {
  return (isObject(body) ? findUsage(body) : undefined) ?? {}
}
