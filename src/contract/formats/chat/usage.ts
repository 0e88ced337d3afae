import type { Usage } from '../../chat.ts'

/** @returns OpenAI's `usage`; `undefined` where neither side of the count is known */
export function toWireUsage(usage: Usage): Record<string, unknown> | undefined {
  if (usage.inputTokens === undefined && usage.outputTokens === undefined) return undefined
  const input = usage.inputTokens ?? 0
  const output = usage.outputTokens ?? 0
  const promptDetails = known({
    cached_tokens: usage.cachedInputTokens,
    cache_write_tokens: usage.cacheWriteTokens,
    audio_tokens: usage.inputAudioTokens,
  })
  const completionDetails = known({
    reasoning_tokens: usage.reasoningTokens,
    audio_tokens: usage.outputAudioTokens,
  })
  return {
    prompt_tokens: input,
    completion_tokens: output,
    total_tokens: input + output,
    ...(promptDetails === undefined ? {} : { prompt_tokens_details: promptDetails }),
    ...(completionDetails === undefined ? {} : { completion_tokens_details: completionDetails }),
  }
}

function known(counts: Record<string, number | undefined>): Record<string, number> | undefined {
  const entries = Object.entries(counts).filter((entry): entry is [string, number] => entry[1] !== undefined)
  return entries.length === 0 ? undefined : Object.fromEntries(entries)
}
