import { z } from 'zod'

/** Shapes of the reconciliation in the control API. */

export const reconcileBody = z.strictObject({
  organizationId: z.string().min(1).optional().describe('id or slug; default: all organizations'),
  repair: z.boolean().default(true).describe('put right what is provable; `false` only looks'),
})

const action = z.enum(['none', 'adjusted', 'watching', 'reported'])
const nano = z.number().int()
const usd = z.string().describe('US dollars, decimal')

export const reconciliation = z.object({
  startedAt: z.string(),
  durationMs: z.number(),
  repair: z.boolean(),
  complete: z.boolean().describe('whether it came to its end'),
  clean: z.boolean().describe('nothing remains that is not as the ledger says'),
  totals: z.object({
    organizations: z.number().int(),
    meters: z.number().int(),
    adjusted: z.number().int(),
    watching: z.number().int(),
    reported: z.number().int(),
    rollupsAdjusted: z.number().int(),
    rollupsReported: z.number().int(),
    spendReported: z.number().int(),
    holds: z.number().int(),
    holdsSettled: z.number().int(),
    ledgerNanoUsd: nano,
    ledgerUsd: usd,
    differenceNanoUsd: nano.describe('by how much counters were off, up and down added together'),
    differenceUsd: usd,
  }),
  meters: z.array(
    z.object({
      organizationId: z.string(),
      meter: z.string(),
      window: z
        .enum(['period', 'trailing'])
        .describe('`trailing`: a window that rolls, beside the same time up to now; for information'),
      ledgerNanoUsd: nano,
      counterNanoUsd: nano,
      heldNanoUsd: nano,
      differenceNanoUsd: nano,
      ledgerUsd: usd,
      counterUsd: usd,
      heldUsd: usd,
      differenceUsd: usd,
      action,
    }),
  ),
  rollups: z.array(
    z.object({
      organizationId: z.string(),
      day: z.string(),
      rollup: z.string(),
      ledgerNanoUsd: nano,
      rollupNanoUsd: nano,
      action,
    }),
  ),
  spend: z.array(z.object({ organizationId: z.string(), ledgerNanoUsd: nano, spendNanoUsd: nano, action })),
  holds: z.array(
    z.object({
      organizationId: z.string(),
      holdId: z.string(),
      ageMs: z.number(),
      leaseLeftMs: z.number().describe('below 0: its lease is over'),
      heldNanoUsd: nano,
      ledgerNanoUsd: nano.nullable().describe('what the ledger has for the call already'),
      action: z.enum(['none', 'settled', 'watching']),
    }),
  ),
})
