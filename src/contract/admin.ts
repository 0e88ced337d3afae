import { z } from 'zod'

/** Shapes of the control API: one schema gives the types, the checks and the documentation. */

// PostgreSQL's text cannot hold it, so nothing that is stored has it either.
const text = z.string().refine((value) => !value.includes('\0'), 'must not hold a zero character')

export const isoTime = z.iso.datetime({ offset: true }).describe('ISO 8601, UTC')

export const pageQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1000).default(50),
  cursor: z.string().optional().describe('`nextCursor` of the page before'),
})

export function pageOf<Row extends z.ZodType>(row: Row) {
  return z.object({ data: z.array(row), nextCursor: z.string().nullable() })
}

export const idParams = z.object({ id: text.min(1) })

export const organization = z.object({
  id: z.string(),
  name: z.string(),
  slug: z.string(),
  createdAt: isoTime,
})

const name = z.string().trim().min(1).max(200)
const slug = z
  .string()
  .regex(/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/)
  .describe('lower case letters, digits and hyphens')

export const newOrganization = z.strictObject({ name, slug: slug.optional() })
export const organizationChange = z.strictObject({ name: name.optional(), slug: slug.optional() })

export const team = z.object({
  id: z.string(),
  organizationId: z.string(),
  name: z.string(),
  createdAt: isoTime,
})
export const newTeam = z.strictObject({ name })

export const apiKey = z.object({
  id: z.string(),
  organizationId: z.string(),
  teamId: z.string().nullable(),
  name: z.string(),
  prefix: z.string().describe('first characters of the key'),
  user: z.string().nullable(),
  models: z.array(z.string()).nullable(),
  scopes: z.array(z.string()),
  ipAllow: z.array(z.string()).nullable(),
  expiresAt: isoTime.nullable(),
  revokedAt: isoTime.nullable(),
  createdAt: isoTime,
})

export const newKey = z.strictObject({
  name,
  teamId: z.string().optional(),
  user: z.string().max(256).optional().describe('end user that every call with this key is booked to'),
  models: z
    .array(z.string().min(1))
    .max(1000)
    .optional()
    .describe('names this key may use; `*` at the end = any rest'),
  scopes: z.array(z.string().min(1)).max(100).optional(),
  expiresAt: isoTime.optional(),
  ipAllow: z.array(z.string().min(1)).max(1000).optional().describe('addresses and CIDR ranges'),
})

export const issuedKey = apiKey.extend({
  key: z.string().describe('the key itself: shown here and never again'),
})

export const rotation = z.strictObject({
  graceSeconds: z
    .number()
    .int()
    .min(0)
    .max(2_592_000)
    .default(0)
    .describe('how long the old key stays valid'),
})

export const usageQuery = z.strictObject({
  from: isoTime.optional().describe('inclusive; default: the start of this month'),
  to: isoTime.optional().describe('exclusive; default: now'),
  organizationId: text.optional(),
  groupBy: z
    .string()
    .optional()
    .describe(
      'organization, team, key, user, session, provider, model, operation, task, tag:NAME; joined by commas',
    ),
  interval: z.enum(['hour', 'day', 'month']).optional(),
})

export const usageRow = z
  .object({
    periodStart: isoTime.optional(),
    requests: z.number().int(),
    errors: z.number().int(),
    cacheHits: z.number().int(),
    tokensInput: z.number().int(),
    tokensOutput: z.number().int(),
    tokensTotal: z.number().int(),
    tokensCached: z.number().int(),
    costUsd: z.string(),
    costNanoUsd: z.number().int(),
    estimated: z.number().int().describe('rows counted by us, because the provider did not say'),
  })
  .catchall(z.string().nullable().or(z.number()))

export const requestQuery = pageQuery.extend({
  organizationId: text.optional(),
  keyId: text.optional(),
  user: text.optional(),
  session: text.optional(),
  provider: text.optional(),
  model: text.optional(),
  operation: text.optional(),
  status: z.coerce.number().int().optional(),
  errorCode: text.optional(),
  from: isoTime.optional(),
  to: isoTime.optional(),
})

export const requestSummary = z.object({
  id: z.string(),
  organizationId: z.string(),
  teamId: z.string().nullable(),
  keyId: z.string().nullable(),
  user: z.string().nullable(),
  session: z.string().nullable(),
  tags: z.record(z.string(), z.string()),
  operation: z.string(),
  task: z.string().nullable(),
  format: z.string(),
  stream: z.boolean(),
  requestedModel: z.string().nullable(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  status: z.number().int(),
  errorCode: z.string().nullable(),
  cache: z.string(),
  attemptCount: z.number().int(),
  tokensInput: z.number().int().nullable(),
  tokensOutput: z.number().int().nullable(),
  costUsd: z.string(),
  costNanoUsd: z.number().int(),
  estimated: z.boolean(),
  latencyMs: z.number().int(),
  firstTokenMs: z.number().int().nullable(),
  overheadMs: z.number(),
  createdAt: isoTime,
})

export const requestAttempt = z.object({
  id: z.string(),
  number: z.number().int(),
  provider: z.string().nullable(),
  model: z.string().nullable(),
  status: z.number().int(),
  errorCode: z.string().nullable(),
  tokensInput: z.number().int().nullable(),
  tokensOutput: z.number().int().nullable(),
  tokensCached: z.number().int().nullable(),
  tokensCacheWrite: z.number().int().nullable(),
  tokensReasoning: z.number().int().nullable(),
  costUsd: z.string(),
  costNanoUsd: z.number().int(),
  priceVersion: z.string().nullable(),
  estimated: z.boolean(),
  latencyMs: z.number().int(),
  reason: z.string().nullable(),
  errorMessage: z.string().nullable(),
})

export const requestDetail = requestSummary.extend({
  stages: z.array(z.object({ name: z.string(), startMs: z.number(), durationMs: z.number() })),
  attempts: z.array(requestAttempt),
  waterfall: z.unknown().describe('stages and attempts with their times in milliseconds from the start'),
})

const status = z.enum(['healthy', 'degraded', 'unhealthy'])

export const health = z.object({
  status,
  components: z.record(z.string(), z.unknown()),
  checks: z.object({
    errorRate: z.object({ status, value: z.number(), threshold: z.number() }),
    latency: z.object({ status, valueMs: z.number(), thresholdMs: z.number() }),
  }),
})
