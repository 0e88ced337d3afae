import { z } from 'zod'
import { isoTime, pageQuery } from './admin.ts'

/** Shapes of alerts in the control API. */

const severity = z.enum(['low', 'medium', 'high', 'critical'])
const status = z.enum(['active', 'acknowledged', 'resolved'])
const name = z.string().min(1).max(200)

export const alertQuery = pageQuery.extend({
  status: status.optional(),
  organizationId: name.optional().describe('id or slug'),
  kind: name.optional().describe('budget_threshold, hourly_cost, daily_cost, spend_anomaly, unknown_price …'),
  severity: severity.optional(),
})

export const alert = z.object({
  id: z.string(),
  kind: z.string(),
  severity,
  status,
  organizationId: z.string().nullable().describe('null: the whole deployment'),
  dedupeKey: z.string().describe('raised twice with the same, it is one alert'),
  title: z.string(),
  detail: z.record(z.string(), z.unknown()),
  raisedAt: isoTime,
  endsAt: isoTime.nullable().describe('when it is over by itself'),
  acknowledgedAt: isoTime.nullable(),
  acknowledgedBy: z.string().nullable(),
  resolvedAt: isoTime.nullable(),
  resolvedBy: z.string().nullable(),
  notes: z.array(z.object({ at: isoTime, by: z.string(), text: z.string() })),
})

export const alertDetail = alert.extend({
  deliveries: z.array(
    z.object({
      event: z.enum(['raised', 'resolved']),
      channel: z.string(),
      status: z.enum(['waiting', 'delivered', 'failed']),
      attempts: z.number().int(),
      nextAttemptAt: isoTime.nullable(),
      deliveredAt: isoTime.nullable(),
      lastError: z.string().nullable(),
    }),
  ),
})

export const alertRemark = z.strictObject({ note: z.string().trim().min(1).max(2000).optional() })

export const alertTest = z.strictObject({ channel: name.optional().describe('default: all channels') })

export const alertTestResults = z.object({
  data: z.array(
    z.object({ channel: z.string(), kind: z.string(), ok: z.boolean(), error: z.string().nullable() }),
  ),
})

export const alertChannels = z.object({ data: z.array(z.object({ name: z.string(), kind: z.string() })) })
