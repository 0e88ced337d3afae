import { z } from 'zod'

/**
 * Prices of models as genai-prices publishes them (`prices/new_data/v2/data.json` of
 * https://github.com/pydantic/genai-prices, whose `data.schema.json` says the shape; read 2026-11-21). Stricter than
 * that where a wrong price could slip through.
 */

const text = z.string().max(2000)
const name = z.string().min(1).max(200)

const clause = z.union([
  z.strictObject({ equals: name }),
  z.strictObject({ starts_with: name }),
  z.strictObject({ ends_with: name }),
  z.strictObject({ contains: name }),
  z.strictObject({ regex: name.refine(isExpression, 'is no regular expression') }),
])

/** Clauses hold clauses, and nothing nests deeper in what is published. */
const inner = z.union([
  clause,
  z.strictObject({ or: z.array(clause).max(500) }),
  z.strictObject({ and: z.array(clause).max(500) }),
])
const match = z.union([
  clause,
  z.strictObject({ or: z.array(inner).min(1).max(500) }),
  z.strictObject({ and: z.array(inner).min(1).max(500) }),
])

/** Of what is sold by the piece or by the thousand, the dearest costs far less. */
const dollars = z.number().min(0).max(1_000_000)
const tiered = z.strictObject({
  base: dollars,
  tiers: z
    .array(z.strictObject({ start: z.int().min(0), price: dollars }))
    .min(1)
    .max(20),
})

/** The unit is the end of a name: a million tokens, a thousand, hours, a million characters, pixels, pages. */
const prices = z.record(
  z
    .string()
    .regex(/^[a-z][a-z0-9_]*_(?:mtok|kcount|hours|mchars|gpixels|kpages)$/, 'is no price that is known'),
  z.union([dollars, tiered]),
)

const startDate = z.iso.date()
/** Whole minutes, because prices are remembered that long. */
const timeOfDay = z.string().regex(/^(?:[01]\d|2[0-3]):[0-5]\d:00Z$/, 'must be a time of the form HH:MM:00Z')
const constraint = z.union([
  z
    .strictObject({ type: z.literal('start_date').optional(), start_date: startDate })
    .transform(({ start_date }) => ({ type: 'start_date' as const, start_date })),
  z
    .strictObject({ type: z.literal('time_of_date').optional(), start_time: timeOfDay, end_time: timeOfDay })
    .transform(({ start_time, end_time }) => ({ type: 'time_of_date' as const, start_time, end_time })),
])

const model = z.strictObject({
  id: z.string().regex(/^\S{1,200}$/, 'must be a name without blanks'),
  name: text.optional(),
  description: text.optional(),
  match,
  context_window: z.int().min(0).optional(),
  price_comments: text.optional(),
  prices: z.union([
    prices,
    z
      .array(z.strictObject({ constraint: constraint.optional(), prices }))
      .min(1)
      .max(100),
  ]),
  deprecated: z.boolean().optional(),
})

const provider = z
  .strictObject({
    id: z.string().regex(/^\S{1,100}$/, 'must be a name without blanks'),
    name: text,
    api_pattern: text,
    pricing_urls: z.array(text).optional(),
    description: text.optional(),
    price_comments: text.optional(),
    model_match: match.optional(),
    provider_match: match.optional(),
    fallback_model_providers: z.array(name).max(50).optional(),
    extractors: z.unknown().optional(),
    models: z.array(model).max(20_000),
  })
  .transform(({ id, provider_match, fallback_model_providers, models }) => ({
    id,
    provider_match,
    fallback_model_providers,
    models,
  }))

export const priceData = z
  .array(provider)
  .min(1)
  .max(1000)
  .refine(
    (providers) => new Set(providers.map(({ id }) => id)).size === providers.length,
    'names a provider twice',
  )

function isExpression(source: string): boolean {
  try {
    new RegExp(source)
    return true
  } catch {
    return false
  }
}
