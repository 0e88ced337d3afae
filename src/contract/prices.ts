import { z } from 'zod'
import { isoTime } from './admin.ts'

/** Shapes of the control API about prices. Dollars come as decimal strings; they are taken as numbers too. */

const usd = z.string().describe('US dollars')

/** Six digits are what a price of tokens is calculated with; less than that would be nothing. */
const dollars = z.union([z.number(), z.string().regex(/^\d{1,7}(?:\.\d{1,6})?$/)]).refine((value) => {
  const number = Number(value)
  return number >= 0 && number <= 1_000_000 && Math.abs(Math.round(number * 1e6) - number * 1e6) < 1e-3
}, 'must be US dollars from 0 to 1000000 with six digits after the point at most')

const parts = {
  inputPerMillionUsd: dollars.optional().describe('a million tokens of input'),
  outputPerMillionUsd: dollars.optional().describe('a million tokens of output'),
  cachedInputPerMillionUsd: dollars.optional().describe("a million tokens read from the provider's cache"),
  cacheWritePerMillionUsd: dollars.optional().describe("a million tokens written to the provider's cache"),
  reasoningPerMillionUsd: dollars.optional().describe('a million tokens of reasoning'),
  perRequestUsd: dollars.optional().describe('added once to every call'),
  perImageUsd: dollars.optional().describe('a picture that is made'),
  perMillionCharactersUsd: dollars.optional().describe('a million characters to be spoken'),
  perMinuteUsd: dollars.optional().describe('a minute of a recording that is heard'),
  perSearchUsd: dollars.optional().describe('a search of a rerank'),
}

export const priceTarget = z
  .string()
  .max(400)
  .regex(/^[^/\s*]+\/(?:[^\s*]+\*?|\*)$/, 'must be `provider/model`; the model may end in `*`')
  .describe('`provider/model`; a `*` at the end stands for any ending')

export const newPrice = z
  .strictObject({
    target: priceTarget,
    validFrom: isoTime.optional().describe('when it begins; now, where left out'),
    ...parts,
  })
  .refine(
    (price) =>
      (price.inputPerMillionUsd !== undefined && price.outputPerMillionUsd !== undefined) ||
      [
        price.perRequestUsd,
        price.perImageUsd,
        price.perMillionCharactersUsd,
        price.perMinuteUsd,
        price.perSearchUsd,
      ].some((part) => part !== undefined),
    'needs `inputPerMillionUsd` and `outputPerMillionUsd`, or a price by the unit',
  )

export const removedPrice = z.strictObject({
  target: priceTarget,
  validFrom: isoTime.optional().describe('when it ends; now, where left out'),
})

export const organizationPrice = z.object({
  id: z.string(),
  target: z.string(),
  version: z.string().describe('as rows of the ledger name it'),
  state: z.enum(['in force', 'upcoming', 'past']),
  removed: z.boolean().describe('from then on there is no price of its own'),
  validFrom: isoTime,
  createdAt: isoTime,
  prices: z.record(z.string(), usd),
})

export const organizationPrices = z.object({
  data: z.array(organizationPrice).describe('in force and upcoming'),
  history: z.array(organizationPrice).describe('everything that ever was, newest first'),
})

export const pricesQuery = z.strictObject({
  provider: z.string().optional(),
  model: z.string().optional().describe('a `*` at the end stands for any ending'),
  organizationId: z.string().optional().describe('id or slug: what this organization pays'),
})

export const priceRow = z.object({
  provider: z.string(),
  model: z.string(),
  configured: z.boolean().describe('a route leads there; else calls have, in the last 30 days'),
  known: z.boolean().describe('false: charged by the ceiling, or refused'),
  source: z.enum(['organization', 'configuration', 'free', 'kind', 'data', 'units', 'ceiling', 'refused']),
  version: z.string().nullable(),
  prices: z.record(z.string(), usd),
  perImageUsdByKind: z.record(z.string(), usd).optional(),
})

export const priceList = z.object({
  data: z.array(priceRow),
  priceData: z.object({ version: z.string(), since: isoTime.nullable() }),
  nextCursor: z.null(),
})

export const priceChange = z.object({
  part: z.string(),
  fromUsd: usd.nullable(),
  toUsd: usd.nullable(),
  percent: z.number().nullable(),
})

export const diffQuery = z.strictObject({
  organizationId: z.string().optional().describe('id or slug: the prices of this one alone'),
})

export const priceDifference = z.object({
  provider: z.string(),
  model: z.string(),
  target: z.string().describe('as the price was written'),
  organizationId: z.string().nullable().describe('`null` = of the configuration, for everybody'),
  version: z.string(),
  listVersion: z.string().nullable().describe('`null` = nobody else knows a price'),
  changes: z.array(priceChange).describe('from the list to the own price'),
})

export const priceDiff = z.object({ data: z.array(priceDifference), nextCursor: z.null() })

export const priceUpdate = z
  .strictObject({
    data: z.array(z.unknown()).optional().describe('prices/new_data/v2/data.json of genai-prices'),
    bundled: z.literal(true).optional().describe('back to the data that the build brings along'),
    source: z.string().min(1).max(500).default('control API').describe('where it came from'),
    dryRun: z.boolean().default(false),
    force: z
      .boolean()
      .default(false)
      .describe('also where a price drops to nothing, is lost, or changes by more than ten times'),
  })
  .refine(
    ({ data, bundled }) => (data === undefined) !== (bundled === undefined),
    'needs `data` or `bundled`',
  )

export const priceUpdateReport = z.object({
  version: z.string(),
  checksum: z.string().nullable(),
  outcome: z.enum(['stored', 'unchanged', 'dry-run', 'needs-force']),
  changes: z.array(
    z.object({
      provider: z.string(),
      model: z.string(),
      inUse: z.boolean(),
      fromVersion: z.string().nullable().describe('`null` = unknown'),
      toVersion: z.string().nullable().describe('`null` = unknown'),
      drastic: z.boolean(),
      changes: z.array(priceChange),
    }),
  ),
  otherChanges: z.number().describe('models of configured providers that nobody uses and that change too'),
})

export const priceDataHistory = z.object({
  data: z.array(
    z.object({
      version: z.string(),
      checksum: z.string().nullable(),
      source: z.string(),
      validFrom: isoTime,
      createdAt: isoTime,
    }),
  ),
  nextCursor: z.null(),
})
