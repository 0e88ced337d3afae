import { z } from 'zod'

export const breakerSchema = z
  .strictObject({
    failures: z.int().min(1).default(5).describe('Failures within the window that open the breaker.'),
    windowSeconds: z.int().min(1).max(86_400).default(60).describe('How long a failure counts.'),
    openSeconds: z.int().min(1).max(86_400).default(30).describe('How long an open breaker refuses calls.'),
    halfOpenCalls: z
      .int()
      .min(1)
      .default(1)
      .describe('Calls let through to see whether the provider is back.'),
  })
  .prefault({})
  .describe('Circuit breakers, one for each provider.')
