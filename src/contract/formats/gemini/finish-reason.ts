import type { FinishReason } from '../../chat.ts'

/** Gemini's own words (`FinishReason` in @google/genai 3.1.0) that say more than ours and pass as they are. */
const OWN = new Set([
  'SAFETY',
  'RECITATION',
  'LANGUAGE',
  'OTHER',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'MALFORMED_FUNCTION_CALL',
  'IMAGE_SAFETY',
  'UNEXPECTED_TOOL_CALL',
  'TOO_MANY_TOOL_CALLS',
  'IMAGE_PROHIBITED_CONTENT',
  'NO_IMAGE',
  'IMAGE_RECITATION',
  'IMAGE_OTHER',
  'MALFORMED_RESPONSE',
])

/** @param raw the provider's own word, used where it is one of Gemini's */
export function toFinishReason(reason: FinishReason, raw: string | undefined): string {
  switch (reason) {
    case 'stop':
    case 'tool-calls':
      return 'STOP'
    case 'length':
      return 'MAX_TOKENS'
    case 'content-filter':
    case 'refusal':
      return raw !== undefined && OWN.has(raw) ? raw : 'SAFETY'
    case 'pause':
    case 'other':
      return raw !== undefined && OWN.has(raw) ? raw : 'OTHER'
  }
}
