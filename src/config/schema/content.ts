import { z } from 'zod'

export const contentSchema = z
  .strictObject({
    store: z
      .enum(['none', 'redacted', 'full'])
      .default('redacted')
      .describe('What is kept of prompts and replies; `full` is encrypted.'),
    retentionDays: z.int().min(0).max(3650).default(30).describe('How long it is kept.'),
  })
  .prefault({})
  .describe('Stored prompts and replies.')
