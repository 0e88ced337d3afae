import { z } from 'zod'

const threshold = z
  .number()
  .gt(0)
  .max(1)
  .describe('Least cosine similarity of two requests that may share an answer.')
const embeddingModel = z.string().min(1).describe('Model whose vectors are compared.')

/** How freely a route may answer from the cache. */
export const CACHE_MODES = ['none', 'conservative', 'moderate', 'aggressive'] as const

const routeSemantic = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether similar requests may share an answer.'),
  threshold: threshold.optional(),
  embeddingModel: embeddingModel.optional(),
})

/** What `models.<name>.cache` and `tasks.<task>.cache` may say. */
export const routeCacheSchema = z.union([
  z.enum(CACHE_MODES),
  z.strictObject({
    ttlSeconds: z.int().min(1).describe('How long an entry may answer.'),
    semantic: routeSemantic.optional().describe('Overrides `cache.semantic` for this route.'),
  }),
])

export const cacheSchema = z
  .strictObject({
    exact: z.boolean().default(true).describe('Whether an identical request may be answered from the cache.'),
    semantic: z
      .strictObject({
        enabled: z.boolean().default(false).describe('Whether similar requests may share an answer.'),
        threshold: threshold.default(0.95),
        embeddingModel: embeddingModel.default('text-embedding-3-small'),
      })
      .prefault({})
      .describe('Answers to similar requests.'),
  })
  .prefault({})
  .describe('The cache of replies. Entries never cross organizations.')
