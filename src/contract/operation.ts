/** What a caller can ask for; also the `operation` of a ledger row. */
export const OPERATIONS = [
  'chat',
  'completion',
  'embedding',
  'moderation',
  'rerank',
  'image',
  'speech',
  'transcription',
  'file',
  'batch',
  'token-count',
] as const

export type Operation = (typeof OPERATIONS)[number]
