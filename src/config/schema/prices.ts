import { z } from 'zod'
import { PROVIDER_AND_MODEL, PROVIDER_AND_MODEL_RULE } from './text.ts'

function perMillionUsd(description: string) {
  return z.number().min(0).max(1_000_000).describe(`US dollars per million ${description}.`)
}

const price = z
  .strictObject({
    inputPerMillionUsd: perMillionUsd('tokens of input'),
    outputPerMillionUsd: perMillionUsd('tokens of output'),
    cachedInputPerMillionUsd: perMillionUsd("tokens read from the provider's cache").optional(),
    cacheWritePerMillionUsd: perMillionUsd("tokens written to the provider's cache").optional(),
    reasoningPerMillionUsd: perMillionUsd('tokens of reasoning').optional(),
  })
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
