import { toNumber } from './json.ts'
import type { Answer } from './script.ts'

/** Cached tokens are inside `prompt_tokens`, reasoning inside `completion_tokens`. */
export function toUsage(answer: Answer): object {
  return {
    prompt_tokens: answer.inputTokens,
    completion_tokens: answer.outputTokens,
    total_tokens: answer.inputTokens + answer.outputTokens,
    prompt_tokens_details: { cached_tokens: answer.cachedTokens, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: answer.reasoningTokens,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  }
}

/** A made-up certainty that differs from token to token but never from run to run. */
export function toLogprobs(tokens: readonly string[], topLogprobs: unknown): object[] {
  const alternatives = Math.min(toNumber(topLogprobs) ?? 0, 20)
  return tokens.map((token) => {
    const logprob = -(token.length % 4) / 100
    const top = Array.from({ length: alternatives }, (_, rank) => ({
      token: rank === 0 ? token : `${token}${rank}`,
      logprob: logprob - rank,
      bytes: [...Buffer.from(rank === 0 ? token : `${token}${rank}`)],
    }))
    return { token, logprob, bytes: [...Buffer.from(token)], top_logprobs: top }
  })
}
