import type { FinishReason } from '../../contract/chat.ts'

/** Google's `FinishReason` and `BlockedReason` (@google/genai 3.1.0); any other becomes `other`. */
const REASONS: Readonly<Record<string, FinishReason>> = {
  STOP: 'stop',
  MAX_TOKENS: 'length',
  // A cap on one answer of a longer one; its token to go on exists in Gemini's format alone.
  CONTINUATION: 'length',
  SAFETY: 'content-filter',
  RECITATION: 'content-filter',
  BLOCKLIST: 'content-filter',
  PROHIBITED_CONTENT: 'content-filter',
  SPII: 'content-filter',
  IMAGE_SAFETY: 'content-filter',
  IMAGE_PROHIBITED_CONTENT: 'content-filter',
  IMAGE_RECITATION: 'content-filter',
}

/**
 * @param hasCalls the candidate calls a tool: Google says `STOP` for that as well
 * @returns our word for a candidate's finish reason
 */
export function fromFinishReason(raw: string, hasCalls: boolean): FinishReason {
  const reason = REASONS[raw] ?? 'other'
  return reason === 'stop' && hasCalls ? 'tool-calls' : reason
}
