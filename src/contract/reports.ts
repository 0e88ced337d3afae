import { z } from 'zod'

/** Shapes of the reports in the control API. */

export const month = z.string().describe('a calendar month in UTC: `2026-02`')

export const costAllocationQuery = z.object({
  month,
  format: z.enum(['json', 'csv', 'focus', 'pdf']).default('json'),
  organizationId: z.string().min(1).optional().describe('id or slug; default: all organizations'),
  focusVersion: z.enum(['1.2', '1.3']).default('1.2').describe('of the FOCUS specification'),
  limit: z.coerce.number().int().min(1).max(1000).default(50).describe('statements of a page, in JSON'),
  cursor: z.string().optional().describe('`nextCursor` of the page before'),
  encoding: z
    .enum(['base64'])
    .optional()
    .describe(
      'the file inside of JSON, for clients that read nothing else: `{fileName, contentType, base64}`',
    ),
})

export const monthBody = z.strictObject({ month })
export const replayBody = z.strictObject({ month, organizationId: z.string().min(1).optional() })

const amounts = z.object({
  requests: z.number().int(),
  tokensInput: z.number().int(),
  tokensOutput: z.number().int(),
  tokensTotal: z.number().int(),
  tokensCached: z.number().int(),
  costUsd: z.string(),
  costNanoUsd: z.number().int(),
  estimated: z.number().int().describe('rows counted by us, because the provider did not say'),
  estimatedUsd: z.string(),
  estimatedShare: z.string(),
  adjustmentUsd: z.string(),
})

export const closing = z.object({
  month: z.string(),
  status: z.literal('closed'),
  closedAt: z.string(),
  alreadyClosed: z.boolean(),
  statements: z.number().int(),
  totals: amounts,
  checksum: z.string(),
})

export const replay = z.object({
  month: z.string(),
  equal: z.boolean(),
  statements: z.number().int(),
  different: z.array(
    z.object({
      organizationId: z.string(),
      equal: z.boolean(),
      checksum: z.string(),
      ledgerChecksum: z.string(),
      differences: z.array(
        z.object({
          breakdown: z.string(),
          id: z.string().nullable(),
          field: z.string(),
          closed: z.string(),
          ledger: z.string(),
          differenceUsd: z.string().optional(),
        }),
      ),
      differenceCount: z.number().int(),
    }),
  ),
  differentCount: z.number().int(),
})
