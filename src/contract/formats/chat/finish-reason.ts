import type { FinishReason } from '../../chat.ts'

const WORDS: Readonly<Record<FinishReason, string>> = {
  stop: 'stop',
  length: 'length',
  'tool-calls': 'tool_calls',
  'content-filter': 'content_filter',
  refusal: 'content_filter',
  // Neither is an end of the answer, and clients know five words only: `length` is the one that says "incomplete".
  pause: 'length',
  other: 'length',
}

/** @returns OpenAI's `finish_reason`; never one that makes an incomplete answer look complete */
export function toFinishReason(reason: FinishReason): string {
  return WORDS[reason]
}
