import type { Usage } from '../../chat.ts'
import { compact } from './fields.ts'
import type { WireUsage } from './wire.ts'

/** @returns Gemini's counts, in which thoughts stand beside the candidates and not among them */
export function toUsageMetadata(usage: Usage): WireUsage {
  const { inputTokens, outputTokens, reasoningTokens, cachedInputTokens } = usage
  return compact({
    promptTokenCount: inputTokens,
    candidatesTokenCount:
      outputTokens === undefined ? undefined : Math.max(0, outputTokens - (reasoningTokens ?? 0)),
    thoughtsTokenCount: reasoningTokens,
    cachedContentTokenCount: cachedInputTokens,
    totalTokenCount:
      inputTokens === undefined || outputTokens === undefined ? undefined : inputTokens + outputTokens,
  })
}
