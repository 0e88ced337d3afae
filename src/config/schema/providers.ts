import { z } from 'zod'
import {
  durationMs,
  httpUrl,
  MODEL_NAME,
  MODEL_NAME_RULE,
  PROVIDER_NAME,
  PROVIDER_NAME_RULE,
  secretText,
  sensitiveText,
} from './text.ts'

/** A token of RFC 9110, section 5.6.2. */
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/

const modelName = z.string().regex(MODEL_NAME, MODEL_NAME_RULE)

export const providerSchema = z
  .strictObject({
    kind: z
      .string()
      .min(1)
      .meta({
        description: 'Which provider this is, or which dialect it speaks.',
        examples: ['openai', 'openai-compatible'],
      }),
    apiKey: secretText('Key sent to the provider. Left out: none is sent.').optional(),
    baseUrl: httpUrl(
      "Where the provider's API begins. Left out: the public address of its kind.",
      'http://127.0.0.1:11434/v1',
    ).optional(),
    headers: z
      .record(z.string().regex(HEADER_NAME, 'is no name for a header'), sensitiveText('Value of the header.'))
      .default({})
      .meta({ description: 'Headers added to every call; never shown.', examples: [{ 'x-team': 'search' }] }),
    connectTimeoutMs: durationMs('Longest wait for a connection.').default(5000),
    firstByteTimeoutMs: durationMs('Longest wait from the request to the first byte of the reply.').default(
      120_000,
    ),
    idleTimeoutMs: durationMs('Longest silence within a reply.').default(120_000),
    totalTimeoutMs: durationMs(
      'Longest time for a whole call. Left out: no bound but the others.',
    ).optional(),
    concurrencyMax: z
      .int()
      .min(1)
      .optional()
      .describe(
        'Calls in flight at once; further ones take another target or are refused. Left out: no bound.',
      ),
    onCancel: z
      .enum(['drain', 'abort'])
      .default('abort')
      .describe(
        'When the client leaves: `abort` ends the call and counts what came; `drain` reads on, so that the provider says the exact usage.',
      ),
    apiVersion: z
      .string()
      .min(1)
      .optional()
      .meta({
        description: 'Version of the API, for kinds that have one (Azure).',
        examples: ['2024-10-21'],
      }),
    models: z
      .union([z.array(modelName).transform(toNameMap), z.record(modelName, modelName)])
      .optional()
      .meta({
        description: 'Models this provider is known to serve: a list, or a map from our name to its own.',
        examples: [['llama3:8b'], { 'gpt-4o': 'my-deployment' }],
      }),
    api: z
      .enum(['chat', 'responses'])
      .optional()
      .describe('Which OpenAI API to call for conversation. Left out: what its kind does best.'),
  })
  .describe('One provider.')

export const providersSchema = z
  .record(z.string().regex(PROVIDER_NAME, PROVIDER_NAME_RULE), providerSchema)
  .default({})
  .describe('Providers by name. Names are letters, digits, dots, dashes and underscores.')

/** A list means that each model has the same name here and there. */
function toNameMap(names: string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, name]))
}
