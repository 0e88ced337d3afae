import { z } from 'zod'
import type { DeepReadonly } from '../freeze.ts'
import { alertsSchema } from './alerts.ts'
import { breakerSchema } from './breaker.ts'
import { budgetsSchema } from './budgets.ts'
import { cacheSchema } from './cache.ts'
import { contentSchema } from './content.ts'
import { limitsSchema } from './limits.ts'
import { modelsSchema } from './models.ts'
import { pricesSchema } from './prices.ts'
import { providersSchema } from './providers.ts'
import { safetySchema } from './safety.ts'
import { serverSchema } from './server.ts'
import { storageSchema } from './storage.ts'
import { tasksSchema } from './tasks.ts'
import { telemetrySchema } from './telemetry.ts'

/** The whole of the configuration: what people write goes in, what the gateway reads comes out. */
export const configSchema = z
  .strictObject({
    server: serverSchema,
    storage: storageSchema,
    providers: providersSchema,
    models: modelsSchema,
    tasks: tasksSchema,
    breaker: breakerSchema,
    cache: cacheSchema,
    safety: safetySchema,
    content: contentSchema,
    budgets: budgetsSchema,
    limits: limitsSchema,
    prices: pricesSchema,
    alerts: alertsSchema,
    telemetry: telemetrySchema,
  })
  .describe('Configuration of Gatehouse.')

/** What people write: every section and most keys may be left out. */
export type ConfigInput = z.input<typeof configSchema>

/** Complete and frozen. Secrets have the type `Secret`. */
export type Config = DeepReadonly<z.output<typeof configSchema>>
