import { createHash } from 'node:crypto'
import type { Usage } from '../contract/chat.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import { costOfCall } from './call-cost.ts'
import type { LedgerRow, LedgerStore } from './ports.ts'
import type { PriceBook } from './prices.ts'

/** Whose batch it is, as it was written down when it was made. */
export interface BatchOwner {
  readonly id: string
  readonly provider: string
  readonly organizationId: string
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly sessionId: string | null
  readonly task: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly requestId: string
  readonly createdAt: Date
}

export interface BatchShare {
  readonly model: string
  readonly usage: Usage
  readonly units: CallUnits
  readonly estimated: boolean
}

export interface BatchBooksOptions {
  readonly store: Pick<LedgerStore, 'write'>
  /** Answers an unknown price by the ceiling: the work is done, so it cannot be refused any more. */
  readonly prices: PriceBook
  /** @returns what the price book has to know of a provider */
  readonly pricing: (provider: string) => {
    readonly pricesId: string | undefined
    readonly free: boolean
  }
}

/**
 * Books what a batch cost: one row, whose id and moment follow from the batch, so that booking it again changes
 * nothing. It goes to the call that made the batch and is stored when the promise resolves.
 */
export function createBatchBooks(options: BatchBooksOptions) {
  const { store, prices, pricing } = options

  return {
    async book(bill: {
      readonly batch: BatchOwner
      readonly work: readonly BatchShare[]
      readonly endedAt: Date
    }): Promise<void> {
      const { batch, work, endedAt } = bill
      const shares = work.map((share) => {
        // The price it began with, as for every call.
        const price = prices.priceOf({
          organizationId: batch.organizationId,
          providerName: batch.provider,
          model: share.model,
          batch: true,
          at: batch.createdAt,
          ...pricing(batch.provider),
        })
        return {
          ...share,
          costNanoUsd: costOfCall(share.usage, share.units, price),
          priceVersion: price.version,
        }
      })
      // One model in nearly all batches (OpenAI allows no more); of several, the row names the dearest.
      const [main] = shares.toSorted((first, second) => second.costNanoUsd - first.costNanoUsd)
      if (main === undefined) return
      const total = (read: (usage: Usage) => number | undefined) =>
        shares.reduce((sum, { usage }) => sum + (read(usage) ?? 0), 0)
      const row: LedgerRow = {
        id: toUuid(`batch:${batch.provider}:${batch.id}`),
        requestId: batch.requestId,
        // Beside the call that made the batch, which is the request that counts.
        attempt: 0,
        final: false,
        organizationId: batch.organizationId,
        teamId: batch.teamId,
        keyId: batch.keyId,
        userId: batch.userId,
        sessionId: batch.sessionId,
        tags: batch.tags,
        provider: batch.provider,
        model: main.model,
        requestedModel: null,
        operation: 'batch',
        task: batch.task,
        format: 'forward',
        stream: false,
        status: 200,
        errorCode: null,
        tokensInput: total((usage) => usage.inputTokens),
        tokensOutput: total((usage) => usage.outputTokens),
        tokensCached: total((usage) => usage.cachedInputTokens),
        tokensCacheWrite: total((usage) => usage.cacheWriteTokens),
        tokensReasoning: total((usage) => usage.reasoningTokens),
        costNanoUsd: shares.reduce((sum, share) => sum + share.costNanoUsd, 0),
        priceVersion: main.priceVersion,
        estimated: shares.some((share) => share.estimated),
        cache: 'miss',
        latencyMs: Math.max(0, endedAt.getTime() - batch.createdAt.getTime()),
        firstTokenMs: null,
        overheadMs: 0,
        waterfall: null,
        createdAt: endedAt,
      }
      await store.write([row])
    },
  }
}

/** @returns a UUID of version 8 (RFC 9562, section 5.8), the same for the same name */
function toUuid(name: string): string {
  const digest = createHash('sha256').update(name).digest('hex')
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}
