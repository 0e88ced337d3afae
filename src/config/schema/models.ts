import { z } from 'zod'
import { routeCacheSchema } from './cache.ts'
import {
  durationMs,
  MODEL_NAME,
  MODEL_NAME_RULE,
  PROVIDER_AND_MODEL,
  PROVIDER_AND_MODEL_RULE,
} from './text.ts'

const weight = z
  .number()
  .min(0)
  .default(1)
  .describe('Share of calls among the targets; the order of fallback too. 0 = a fallback and nothing else.')

/** What a model may be unable to do, as far as it decides whether it can take a call. */
const LACKS = [
  'tools',
  'images',
  'audio',
  'files',
  'structured-output',
  'streaming',
  'choices',
  'reasoning',
] as const

const provider = z.string().min(1).describe('A name under `providers`.')
const model = z.string().min(1).describe("The model's name at that provider.")

const target = z.strictObject({
  provider,
  model,
  weight,
  tier: z
    .enum(['small', 'medium', 'large'])
    .optional()
    .describe('How hard a call it is good enough for, for the strategy `complexity`. Left out: `medium`.'),
  contextTokens: z
    .int()
    .min(1)
    .optional()
    .describe('Tokens of input and output together that it takes. Left out: what the catalogue knows.'),
  lacks: z
    .array(z.enum(LACKS))
    .optional()
    .describe(
      'What it cannot do, beside what is known of its provider: calls that need it go elsewhere first.',
    ),
})

const timeouts = z
  .strictObject({
    firstByteMs: durationMs("Longest wait for the provider's headers.").optional(),
    firstTokenMs: durationMs('Longest wait for the first content of a stream.').optional(),
    idleMs: durationMs('Longest silence within a reply.').optional(),
    totalMs: durationMs('Longest time for the whole call, all tries together.').optional(),
  })
  .describe("Timeouts of this route in place of the providers' own.")

const shadow = z
  .strictObject({
    provider,
    model,
    share: z.number().gt(0).max(1).describe('Share of the calls that are copied.'),
  })
  .describe(
    'A second target that gets copies of calls; callers never see its answers, which cost all the same.',
  )

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
        description: 'Where calls may go: `provider/model`, or a map with `provider`, `model` and more.',
        examples: [['openai/gpt-4o', { provider: 'anthropic', model: 'claude-sonnet-4-5', weight: 2 }]],
      }),
    strategy: z
      .enum(['weighted', 'priority', 'cheapest', 'fastest', 'least-busy', 'complexity'])
      .default('weighted')
      .describe('How the first target of a call is chosen; [routing.md](routing.md) says how each does it.'),
    affinity: z
      .enum(['session', 'off'])
      .optional()
      .describe(
        'Whether calls of one session stay with one target, whose prompt cache is warm. Left out: where the strategy is `weighted` or `least-busy` and the call names its session.',
      ),
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
    hedgeAfterMs: durationMs(
      'Without a first token after this long, the next target is asked as well, and the first to answer counts; both cost. Left out: never.',
    ).optional(),
    timeouts: timeouts.optional(),
    shadow: shadow.optional(),
    cache: routeCacheSchema
      .default('conservative')
      .describe('How freely this route may answer from the cache.'),
  })
  .describe('One route: a model name and its targets.')

export const modelsSchema = z
  .record(z.string().regex(MODEL_NAME, MODEL_NAME_RULE), routeSchema)
  .default({})
  .describe('Routes by the name that clients put into `model`. Dots, dashes and slashes are allowed.')
