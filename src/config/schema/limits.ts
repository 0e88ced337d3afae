import { z } from 'zod'
import { durationMs } from './text.ts'

/** What counters count up to, in nano-dollars, is nine million and some. */
export const USD_MAX = 9_000_000

function limit(description: string, value: number | null = null) {
  return z.int().min(0).nullable().default(value).describe(`${description}; \`null\` = no limit.`)
}

const onLimit = z.union([
  z.literal('reject'),
  z.strictObject({
    queueMs: durationMs('Longest wait for room.'),
    queueMax: z.int().min(1).max(100_000).describe('Calls that may wait at once.'),
  }),
])

const limits = z
  .strictObject({
    requestsPerMinute: limit('Calls in a minute', 60),
    tokensPerMinute: limit('Tokens in a minute'),
    tokensPerHour: limit('Tokens in an hour', 100_000),
    costPerDayUsd: z
      .number()
      .min(0)
      .max(USD_MAX)
      .nullable()
      .default(null)
      .describe('US dollars in a day; `null` = no limit.'),
    concurrentRequests: limit('Calls in flight at once'),
    onLimit: onLimit.default('reject').meta({
      description: 'What happens at a limit: refused at once, or queued within these bounds.',
      examples: ['reject', { queueMs: 2000, queueMax: 100 }],
    }),
    failClosed: z
      .boolean()
      .default(false)
      .describe(
        'Whether calls are refused while the shared counters are away; otherwise they go on within what was leased beforehand.',
      ),
  })
  .prefault({})
  .describe('What a new organization starts with.')

export const limitsSchema = z
  .strictObject({ default: limits })
  .prefault({})
  .describe('Rate limits. Those of existing organizations are set through the control API.')
