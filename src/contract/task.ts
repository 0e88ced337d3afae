/** What a call may be for: callers say it in `x-gatehouse-task`. */
export const TASKS = [
  'analysis',
  'synthesis',
  'extraction',
  'validation',
  'summarization',
  'classification',
  'chat',
  'code',
  'translation',
] as const

export type Task = (typeof TASKS)[number]
