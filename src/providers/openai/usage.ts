import type { Usage } from '../../contract/chat.ts'
import { isObject } from '../../contract/formats/responses/fields.ts'

/**
 * @param body a response object, or an event that holds one under `response`
 * @returns the usage it states; OpenAI counts cached and reasoning tokens inside the totals, as the ledger does
 */
export function usageOf(body: unknown): Usage {
  if (!isObject(body)) return {}
  const holder = isObject(body.response) ? body.response : body
  const usage = holder.usage
  if (!isObject(usage)) return {}
  const input = isObject(usage.input_tokens_details) ? usage.input_tokens_details : {}
  const output = isObject(usage.output_tokens_details) ? usage.output_tokens_details : {}
  const counts: Usage = {
    inputTokens: count(usage.input_tokens),
    outputTokens: count(usage.output_tokens),
    cachedInputTokens: count(input.cached_tokens),
    cacheWriteTokens: count(input.cache_write_tokens),
    reasoningTokens: count(output.reasoning_tokens),
    inputAudioTokens: count(input.audio_tokens),
    outputAudioTokens: count(output.audio_tokens),
  }
  return Object.fromEntries(Object.entries(counts).filter(([, value]) => value !== undefined))
}

function count(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
