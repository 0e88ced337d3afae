import { z } from 'zod'
import { isoTime } from './admin.ts'

/** Shapes of the control API about providers. */

export const breakerStateName = z.enum(['closed', 'open', 'half-open'])

const breaker = z.object({
  state: breakerStateName,
  failures: z.number().int().describe('within the window; of an open one, those that opened it'),
  reason: z.string().optional().describe('why it is not closed'),
  until: isoTime.optional().describe('when it may be tried again; open without it: when an operator says so'),
  pausedUntil: isoTime.optional().describe('no calls until then, because the provider limits their rate'),
})

const milliseconds = z.number().nullable()
const percentiles = z.object({ p50: milliseconds, p95: milliseconds, p99: milliseconds })

const traffic = z.object({
  health: z.enum(['healthy', 'degraded', 'unhealthy', 'unknown']),
  calls: z.number().int().describe('of the last five minutes, as all that follows'),
  errors: z.number().int().describe('failures of the provider'),
  faults: z.record(z.string(), z.number().int()).describe('calls by what was wrong with them'),
  latencyMs: percentiles,
  ttftMs: percentiles.describe('to the first token'),
})

const targetState = traffic.extend({ model: z.string(), breaker })

export const providerState = traffic.extend({
  name: z.string(),
  kind: z.string(),
  breaker: breaker.extend({
    heldByOperator: z.boolean().describe('open until an operator closes it'),
    targets: z
      .array(breaker.extend({ model: z.string() }))
      .describe('models whose own breakers are not closed, count failures, or are paused'),
  }),
  probe: z
    .object({ ok: z.boolean(), secondsAgo: z.number().int(), reason: z.string().optional() })
    .optional()
    .describe('the last time its list of models was asked for'),
  targets: z.array(targetState),
})

export const providerParams = z.object({ name: z.string().min(1) })

export const breakerOrder = z.strictObject({
  state: z
    .enum(['closed', 'open'])
    .describe('`closed` forgets all failures and pauses; `open` holds it open until it is closed again'),
})

export type ProviderState = z.infer<typeof providerState>
