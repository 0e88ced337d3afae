import { z } from 'zod'
import { isoTime } from './admin.ts'

/** Shapes of the control API about routes. What is written has the shape of the configuration's `models.<name>`. */

const settings = {
  description: z.string().optional(),
  strategy: z.enum(['weighted', 'priority', 'cheapest', 'fastest', 'least-busy', 'complexity']),
  affinity: z.enum(['session', 'off']).nullable().describe('`null` = as the strategy has it'),
  fallback: z.boolean(),
  afterFirstToken: z.enum(['error', 'continue', 'buffer']),
  retries: z.int(),
  hedgeAfterMs: z.int().nullable(),
  timeouts: z.object({
    firstByteMs: z.int().nullable(),
    firstTokenMs: z.int().nullable(),
    idleMs: z.int().nullable(),
    totalMs: z.int().nullable(),
  }),
  shadow: z.object({ provider: z.string(), model: z.string(), share: z.number() }).nullable(),
}

const target = {
  provider: z.string(),
  model: z.string(),
  weight: z.number(),
}

const tier = z.enum(['small', 'medium', 'large'])

export const organizationRoute = z.object({
  organizationId: z.string(),
  name: z.string(),
  ...settings,
  targets: z.array(
    z.object({
      ...target,
      tier: tier.nullable(),
      contextTokens: z.int().nullable(),
      lacks: z.array(z.string()),
    }),
  ),
  cache: z.unknown(),
  updatedAt: isoTime,
})

export const routesQuery = z.strictObject({
  organizationId: z.string().optional().describe('id or slug: with the routes that it has of its own'),
})

export const routeInForce = z.object({
  name: z.string(),
  source: z.enum(['configuration', 'organization']),
  ...settings,
  targets: z.array(
    z.object({
      ...target,
      share: z.number().nullable().describe('of the calls, by weight; `null` where weights do not decide'),
      tier,
      contextTokens: z.int().nullable().describe('`null` = nobody knows'),
      lacks: z.array(z.string()).describe('what it is known not to take'),
      inFlight: z.int().describe('calls under way in this process'),
      ttftMs: z.number().nullable().describe('mean of late, of streams'),
      tokensPerSecond: z.number().nullable().describe('mean of late'),
    }),
  ),
})

export const routeList = z.object({ data: z.array(routeInForce), nextCursor: z.null() })
export const organizationRouteList = z.object({ data: z.array(organizationRoute), nextCursor: z.null() })
