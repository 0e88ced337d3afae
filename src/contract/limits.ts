import { z } from 'zod'
import { isoTime } from './admin.ts'

/** Shapes of limits and budgets in the control API. */

const NANO_PER_USD = 1_000_000_000
/** Counters count nano-dollars up to 2^53 − 1. */
const USD_MAX = 9_000_000
const DECIMAL = /^\d{1,7}(?:\.\d{1,9})?$/

/**
 * @param usd `50`, `'12.000000001'`
 * @returns nano-dollars; `undefined` where it is no amount from 0 on, or not exact to the nano-dollar
 */
export function usdToNano(usd: number | string): number | undefined {
  if (typeof usd === 'string') {
    if (!DECIMAL.test(usd)) return undefined
    const [whole = '', fraction = ''] = usd.split('.')
    return inRange(Number(whole) * NANO_PER_USD + Number(fraction.padEnd(9, '0')))
  }
  // Of the doubles, those that are nearest to a number of at most nine decimals.
  const nano = Math.round(usd * NANO_PER_USD)
  return nano / NANO_PER_USD === usd ? inRange(nano) : undefined
}

function inRange(nano: number): number | undefined {
  return nano >= 0 && nano <= USD_MAX * NANO_PER_USD ? nano : undefined
}

const usd = z
  .union([z.number(), z.string()])
  .refine(
    (value) => usdToNano(value) !== undefined,
    `must be US dollars from 0 to ${USD_MAX} with at most nine decimals`,
  )
  .describe('US dollars, as a number or a decimal string, exact to the nano-dollar')
const count = z.int().min(0)
const limit = count.nullable().optional()

const onLimit = z
  .union([
    z.literal('reject'),
    z.strictObject({
      queueMs: z.int().min(1).max(2_147_483_647).describe('longest wait for room'),
      queueMax: z.int().min(1).max(100_000).describe('calls that may wait at once'),
    }),
  ])
  .describe('what happens at a limit: refused at once, or queued within these bounds')

/** `null` = no limit; what is left out keeps its value. */
export const limitsChange = z.strictObject({
  requestsPerMinute: limit,
  tokensPerMinute: limit,
  tokensPerHour: limit,
  costPerDayUsd: usd.nullable().optional(),
  concurrentRequests: limit,
  onLimit: onLimit.optional(),
  failClosed: z
    .boolean()
    .optional()
    .describe('of an organization: whether its calls are refused while the shared counters are away'),
})

const MINUTE_MS = 60_000
const CALENDAR = ['day', 'week', 'month', 'quarter', 'year'] as const

const period = z
  .union([
    z.enum(CALENDAR),
    z
      .strictObject({ start: isoTime, end: isoTime })
      .refine(
        ({ start, end }) => Date.parse(end) - Date.parse(start) >= MINUTE_MS,
        'must end a minute after its start, or later',
      ),
  ])
  .describe('of the calendar (UTC), or one that repeats with its own length')

export const budgetChange = z.strictObject({
  monthlyLimitUsd: usd.nullable().optional().describe('US dollars in one period, whatever its length'),
  alertAt: z
    .array(z.number().gt(0).max(10))
    .max(16)
    .optional()
    .describe('shares of the limit that raise an alert: 0.8 is 80 %'),
  hardLimit: z.boolean().optional().describe('whether calls beyond the limit are refused, or only reported'),
  period: period.optional(),
})

const subject = {
  organizationId: z.string(),
  scope: z.enum(['organization', 'team', 'key', 'user', 'tag']),
  subject: z.string().nullable().describe('id of the team or key, the user, or `name=value`'),
}

const usage = z.object({
  limit: count,
  used: count,
  held: count.describe('promised to calls under way'),
  remaining: count,
  resetsAt: isoTime.nullable().describe('when counting begins anew; null = it has not begun, or never does'),
})

const costUsage = z.object({
  limit: z.string(),
  limitNanoUsd: count,
  used: z.string(),
  usedNanoUsd: count,
  held: z.string(),
  heldNanoUsd: count,
  remaining: z.string(),
  remainingNanoUsd: count,
  resetsAt: isoTime.nullable(),
})

const limitsSet = z.object({
  requestsPerMinute: count.nullable(),
  tokensPerMinute: count.nullable(),
  tokensPerHour: count.nullable(),
  costPerDayUsd: z.string().nullable(),
  costPerDayNanoUsd: count.nullable(),
  concurrentRequests: count.nullable(),
  onLimit,
  failClosed: z.boolean(),
  state: z
    .object({
      requestsPerMinute: usage.nullable(),
      tokensPerMinute: usage.nullable(),
      tokensPerHour: usage.nullable(),
      costPerDayUsd: costUsage.nullable(),
      concurrentRequests: usage.nullable(),
    })
    .describe('where each limit stands; null where there is none'),
})

const budgetSet = z.object({
  monthlyLimitUsd: z.string().nullable().describe('the same as limitUsd'),
  limitUsd: z.string().nullable(),
  limitNanoUsd: count.nullable(),
  spentUsd: z.string(),
  spentNanoUsd: count,
  heldUsd: z.string().describe('promised to calls under way'),
  heldNanoUsd: count,
  remainingUsd: z.string().nullable(),
  remainingNanoUsd: count.nullable(),
  periodStart: isoTime,
  periodEnd: isoTime,
  period: z.union([z.enum(CALENDAR), z.object({ start: isoTime, end: isoTime })]),
  alertAt: z.array(z.number()),
  hardLimit: z.boolean(),
})

export const limits = limitsSet.extend(subject)
export const budget = budgetSet.extend(subject)
export const policy = z.object({ ...subject, limits: limitsSet.nullable(), budget: budgetSet.nullable() })

export type LimitsChange = z.infer<typeof limitsChange>
export type BudgetChange = z.infer<typeof budgetChange>
export type LimitsReply = z.infer<typeof limits>
export type LimitsSet = z.infer<typeof limitsSet>
export type BudgetReply = z.infer<typeof budget>
export type BudgetSet = z.infer<typeof budgetSet>
