import { z } from 'zod'
import { USD_MAX } from './limits.ts'

const budget = z
  .strictObject({
    monthlyLimitUsd: z
      .number()
      .min(0)
      .max(USD_MAX)
      .nullable()
      .default(1000)
      .meta({ description: 'US dollars a calendar month; `null` = no limit.', examples: [500] }),
    alertAt: z
      .array(z.number().gt(0).max(10))
      .max(16)
      .default([0.8, 1])
      .describe('Shares of the limit that raise an alert, once each a month: 0.8 is 80 %.'),
    hardLimit: z
      .boolean()
      .default(true)
      .describe('Whether calls beyond the limit are refused, or only reported.'),
  })
  .prefault({})
  .describe('What a new organization starts with.')

export const budgetsSchema = z
  .strictObject({ default: budget })
  .prefault({})
  .describe('Budgets. Those of existing organizations are set through the control API.')
