import type { FinishReason } from '../../contract/chat.ts'

/** The words of all the compatible providers; what is not here is `other`, with the word kept. */
const REASONS: Readonly<Record<string, FinishReason>> = {
  stop: 'stop',
  // Together, Hugging Face and the servers they are made of.
  eos: 'stop',
  eos_token: 'stop',
  stop_sequence: 'stop',
  end_turn: 'stop',
  length: 'length',
  max_tokens: 'length',
  // Mistral: the context is full.
  model_length: 'length',
  tool_calls: 'tool-calls',
  tool_call: 'tool-calls',
  tool_use: 'tool-calls',
  function_call: 'tool-calls',
  content_filter: 'content-filter',
  // Zhipu.
  sensitive: 'content-filter',
  refusal: 'refusal',
}

/** Words for a generation that failed: no end of an answer, but an error. OpenRouter, Mistral; Zhipu. */
const FAILURES = new Set(['error', 'network_error'])

/** @returns whether the word says that the provider failed on the way */
export function isFailure(word: unknown): boolean {
  return typeof word === 'string' && FAILURES.has(word)
}

/**
 * @param hasCalls whether the choice called tools: Ollama and others then still say `stop`
 * @returns the reason; `''` and `null` are no word and give `undefined`
 */
export function fromFinishReason(
  word: unknown,
  hasCalls: boolean,
): { reason: FinishReason; raw?: string } | undefined {
  if (typeof word !== 'string' || word === '') return undefined
  const reason = REASONS[word.toLowerCase()] ?? 'other'
  if (reason === 'stop' && hasCalls) return { reason: 'tool-calls' }
  return reason === 'other' ? { reason, raw: word } : { reason }
}
