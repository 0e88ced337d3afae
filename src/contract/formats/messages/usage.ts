import type { Usage } from '../../chat.ts'
import { type Fields, isFields } from './read-fields.ts'

/**
 * @returns usage with every part inside its whole. Here the cache counts stand beside `input_tokens`: the input is
 *   the sum of the three (docstring of `Message.usage` in @anthropic-ai/sdk 1.11, resources/messages/messages.d.ts).
 *   What the API left out stays `undefined`
 */
export function fromMessagesUsage(wire: unknown): Usage {
  if (!isFields(wire)) return {}
  const uncached = tokens(wire.input_tokens)
  const cached = tokens(wire.cache_read_input_tokens)
  const written = tokens(wire.cache_creation_input_tokens)
  const creation = isFields(wire.cache_creation) ? wire.cache_creation : {}
  const details = isFields(wire.output_tokens_details) ? wire.output_tokens_details : {}
  return {
    inputTokens: uncached === undefined ? undefined : uncached + (cached ?? 0) + (written ?? 0),
    outputTokens: tokens(wire.output_tokens),
    cachedInputTokens: cached,
    cacheWriteTokens: written,
    cacheWriteLongTokens: tokens(creation.ephemeral_1h_input_tokens),
    reasoningTokens: tokens(details.thinking_tokens),
  }
}

/** @returns the counts of `usage` as this API names them, the cached ones taken out of `input_tokens` again */
export function toMessagesUsage(usage: Usage): Fields {
  const cached = usage.cachedInputTokens ?? 0
  const written = usage.cacheWriteTokens ?? 0
  return {
    input_tokens: Math.max(0, (usage.inputTokens ?? 0) - cached - written),
    cache_creation_input_tokens: written,
    cache_read_input_tokens: cached,
    output_tokens: usage.outputTokens ?? 0,
    output_tokens_details:
      usage.reasoningTokens === undefined ? null : { thinking_tokens: usage.reasoningTokens },
    server_tool_use: null,
  }
}

function tokens(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : undefined
}
