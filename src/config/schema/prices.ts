import { z } from 'zod'
import { PROVIDER_AND_MODEL, PROVIDER_AND_MODEL_RULE } from './text.ts'

function perMillionUsd(description: string) {
  return z.number().min(0).max(1_000_000).describe(`US dollars per million ${description}.`)
}

function usd(description: string) {
  return z.number().min(0).max(1_000_000).optional().describe(`US dollars ${description}.`)
}

const price = z
  .strictObject({
    inputPerMillionUsd: perMillionUsd('tokens of input').optional(),
    outputPerMillionUsd: perMillionUsd('tokens of output').optional(),
    cachedInputPerMillionUsd: perMillionUsd("tokens read from the provider's cache").optional(),
    cacheWritePerMillionUsd: perMillionUsd("tokens written to the provider's cache").optional(),
    reasoningPerMillionUsd: perMillionUsd('tokens of reasoning').optional(),
    perRequestUsd: usd('added once to every call'),
    perImageUsd: usd('a picture that is made'),
    perMillionCharactersUsd: usd('per million characters to be spoken'),
    perMinuteUsd: usd('a minute of a recording that is heard'),
    perSearchUsd: usd('a search of a rerank, which has up to a hundred documents'),
  })
  .refine(isComplete, 'needs inputPerMillionUsd and outputPerMillionUsd, or a price by the unit')
  .describe('The price of one model.')

export const pricesSchema = z
  .strictObject({
    overrides: z
      .record(z.string().regex(PROVIDER_AND_MODEL, PROVIDER_AND_MODEL_RULE), price)
      .default({})
      .meta({
        description: 'Prices by `provider/model`, in place of the catalogue’s.',
        examples: [{ 'openai/gpt-4o': { inputPerMillionUsd: 2.5, outputPerMillionUsd: 10 } }],
      }),
    unknown: z
      .enum(['ceiling', 'refuse'])
      .default('ceiling')
      .describe('A model without a price: charged by `ceiling`, or refused. Never free.'),
    ceiling: z
      .strictObject({
        inputPerMillionUsd: perMillionUsd('tokens of input').default(10),
        outputPerMillionUsd: perMillionUsd('tokens of output').default(50),
      })
      .prefault({})
      .describe('What a model without a price is charged by.'),
  })
  .prefault({})
  .describe('Prices.')

/** What is sold by the unit alone has no price of tokens; anything else without one would be free by mistake. */
function isComplete(price: {
  readonly inputPerMillionUsd?: number | undefined
  readonly outputPerMillionUsd?: number | undefined
  readonly perRequestUsd?: number | undefined
  readonly perImageUsd?: number | undefined
  readonly perMillionCharactersUsd?: number | undefined
  readonly perMinuteUsd?: number | undefined
  readonly perSearchUsd?: number | undefined
}): boolean {
  const { inputPerMillionUsd, outputPerMillionUsd, perRequestUsd, perImageUsd } = price
  const { perMillionCharactersUsd, perMinuteUsd, perSearchUsd } = price
  if (inputPerMillionUsd !== undefined && outputPerMillionUsd !== undefined) return true
  return [perRequestUsd, perImageUsd, perMillionCharactersUsd, perMinuteUsd, perSearchUsd].some(
    (part) => part !== undefined,
  )
}
