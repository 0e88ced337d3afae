/** What whole and streamed replies of Anthropic say in the same words. */

import type { Answer, AnswerChoice } from './script.ts'

/** Anthropic's word for how the choice ended. */
export function toStopReason(choice: AnswerChoice | undefined): string {
  if (choice?.stopSequence !== undefined) return 'stop_sequence'
  if (choice?.finish === 'tool-calls') return 'tool_use'
  return choice?.finish === 'length' ? 'max_tokens' : 'end_turn'
}

/**
 * `input_tokens` is what is left beside the two cache figures: the three add up to the prompt.
 * https://docs.claude.com/en/docs/build-with-claude/prompt-caching
 */
export function toMessageUsage(answer: Answer, outputTokens: number, reasoningTokens: number): object {
  return {
    input_tokens: answer.inputTokens - answer.cachedTokens - answer.cacheWriteTokens,
    cache_creation_input_tokens: answer.cacheWriteTokens,
    cache_read_input_tokens: answer.cachedTokens,
    cache_creation: { ephemeral_5m_input_tokens: answer.cacheWriteTokens, ephemeral_1h_input_tokens: 0 },
    output_tokens: outputTokens,
    output_tokens_details: reasoningTokens === 0 ? null : { thinking_tokens: reasoningTokens },
    service_tier: 'standard',
  }
}

/** The same signature for the same thought, so that it can be checked when it comes back. */
export function toSignature(reasoning: string): string {
  return Buffer.from(`simulated:${reasoning.length}`).toString('base64')
}
