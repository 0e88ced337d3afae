import { z } from 'zod'
import { routeCacheSchema } from './cache.ts'
import { MODEL_NAME, MODEL_NAME_RULE, PROVIDER_AND_MODEL, PROVIDER_AND_MODEL_RULE } from './text.ts'

const weight = z
  .number()
  .min(0)
  .default(1)
  .describe('Share of calls among the targets; the order of fallback too.')

const target = z.strictObject({
  provider: z.string().min(1).describe('A name under `providers`.'),
  model: z.string().min(1).describe("The model's name at that provider."),
  weight,
})

const shorthand = z
  .string()
  .regex(PROVIDER_AND_MODEL, PROVIDER_AND_MODEL_RULE)
  .transform((text) => {
    const slash = text.indexOf('/')
    return { provider: text.slice(0, slash), model: text.slice(slash + 1), weight: 1 }
  })

export const routeSchema = z
  .strictObject({
    description: z.string().optional().describe('What this route is for; shown in the dashboard.'),
    targets: z
      .array(z.union([shorthand, target]))
      .min(1)
      .refine((targets) => targets.some((one) => one.weight > 0), 'must have a target with a weight above 0')
      .meta({
        description: 'Where calls may go: `provider/model`, or a map with `provider`, `model` and `weight`.',
        examples: [['openai/gpt-4o', { provider: 'anthropic', model: 'claude-sonnet-4-5', weight: 2 }]],
      }),
    strategy: z
      .enum(['weighted', 'priority', 'cheapest', 'fastest', 'least-busy'])
      .default('weighted')
      .describe('How the first target of a call is chosen.'),
    fallback: z
      .boolean()
      .default(true)
      .describe('Whether another target is tried after a failure that is not of the caller’s making.'),
    afterFirstToken: z
      .enum(['error', 'continue', 'buffer'])
      .default('error')
      .describe(
        'A stream that breaks: `error` says so; `continue` lets another target go on; `buffer` holds the reply until it is complete.',
      ),
    retries: z.int().min(0).max(10).default(2).describe('Further tries after the first.'),
    cache: routeCacheSchema
      .default('conservative')
      .describe('How freely this route may answer from the cache.'),
  })
  .describe('One route: a model name and its targets.')

export const modelsSchema = z
  .record(z.string().regex(MODEL_NAME, MODEL_NAME_RULE), routeSchema)
  .default({})
  .describe('Routes by the name that clients put into `model`. Dots, dashes and slashes are allowed.')
