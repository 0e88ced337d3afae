import { z } from 'zod'

export const breakerSchema = z
  .strictObject({
    failures: z
      .int()
      .min(1)
      .max(10_000)
      .default(5)
      .describe(
        'Failures within the window that open the breaker: in a row, or among few calls; of many, half.',
      ),
    windowSeconds: z.int().min(1).max(86_400).default(60).describe('How long a failure counts.'),
    openSeconds: z.int().min(1).max(86_400).default(30).describe('How long an open breaker refuses calls.'),
    halfOpenCalls: z
      .int()
      .min(1)
      .max(1000)
      .default(1)
      .describe('Calls let through to see whether the provider is back.'),
    slowCallMs: z
      .int()
      .min(1)
      .optional()
      .describe(
        'Two calls that take longer, to their first token, count as one failure. Left out: none does.',
      ),
  })
  .prefault({})
  .describe('Circuit breakers, one for each provider and one for each of its models. See breakers.md.')
