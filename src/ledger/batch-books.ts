import { createHash } from 'node:crypto'
import type { Usage } from '../contract/chat.ts'
import type { CallUnits } from '../pipeline/exchange.ts'
import { costOfCall } from './call-cost.ts'
import type { LedgerRow, LedgerStore } from './ports.ts'
import type { PriceBook, ResolvedPrice } from './prices.ts'

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
  readonly createdAt: Date
}

export interface BatchBillToBook {
  readonly batch: BatchOwner
  /** Of the request that its work is booked as: beside the call that made it. */
  readonly workId: string
  readonly work: readonly BatchShare[]
  /** Nano-dollars of work of which nothing is known but that it was done. */
  readonly unknownNanoUsd?: number | undefined
  readonly endedAt: Date
}

/** What a batch came to. */
export interface BookedBatch {
  readonly costNanoUsd: number
  /** Whether the ledger got it just now. */
  readonly isNew: boolean
}

export interface BatchShare {
  readonly model: string
  readonly usage: Usage
  readonly units: CallUnits
  readonly estimated: boolean
}

export interface BatchPricesOptions {
  readonly prices: PriceBook
  /** @returns what the price book has to know of a provider */
  readonly pricing: (provider: string) => {
    readonly pricesId: string | undefined
    readonly free: boolean
  }
}

export interface BatchBooksOptions extends BatchPricesOptions {
  readonly store: Pick<LedgerStore, 'write' | 'findRequest'>
  /** Answers an unknown price by the ceiling: the work is done, so it cannot be refused any more. */
  readonly prices: PriceBook
}

/** @returns the price of a model's work in a batch: that of its batches, as it was when the batch was made */
export function createBatchPrices({ prices, pricing }: BatchPricesOptions) {
  return (
    batch: Pick<BatchOwner, 'organizationId' | 'provider' | 'createdAt'>,
    model: string,
  ): ResolvedPrice =>
    prices.priceOf({
      organizationId: batch.organizationId,
      providerName: batch.provider,
      model,
      batch: true,
      at: batch.createdAt,
      ...pricing(batch.provider),
    })
}

/**
 * Books what a batch cost: one row, whose id and moment follow from the batch, so that booking it again changes
 * nothing. It belongs to the moment in which the batch was made, as every call belongs to that in which it came in:
 * there its money was held. It is stored when the promise resolves.
 */
export function createBatchBooks(options: BatchBooksOptions) {
  const { store } = options
  const priceOf = createBatchPrices(options)

  return {
    async book(bill: BatchBillToBook): Promise<BookedBatch> {
      const { batch, workId, work, endedAt, unknownNanoUsd = 0 } = bill
      const shares = work.map((share) => {
        const price = priceOf(batch, share.model)
        return {
          ...share,
          costNanoUsd: costOfCall(share.usage, share.units, price),
          priceVersion: price.version,
        }
      })
      const costNanoUsd = Math.min(
        shares.reduce((sum, share) => sum + share.costNanoUsd, unknownNanoUsd),
        Number.MAX_SAFE_INTEGER,
      )
      // One model in nearly all batches (OpenAI allows no more); of several, the row names the dearest.
      const [main] = shares.toSorted((first, second) => second.costNanoUsd - first.costNanoUsd)
      if (main === undefined && unknownNanoUsd === 0) return { costNanoUsd: 0, isNew: false }
      const total = (read: (usage: Usage) => number | undefined) =>
        shares.reduce((sum, { usage }) => sum + (read(usage) ?? 0), 0)
      const row: LedgerRow = {
        id: toUuid(`batch:${batch.provider}:${batch.id}`),
        requestId: workId,
        // The call that made the batch is the request that counts.
        attempt: 0,
        final: false,
        organizationId: batch.organizationId,
        teamId: batch.teamId,
        keyId: batch.keyId,
        userId: batch.userId,
        sessionId: batch.sessionId,
        tags: batch.tags,
        provider: batch.provider,
        model: main?.model ?? null,
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
        costNanoUsd,
        priceVersion: main?.priceVersion ?? null,
        estimated: unknownNanoUsd > 0 || shares.some((share) => share.estimated),
        cache: 'miss',
        latencyMs: Math.max(0, endedAt.getTime() - batch.createdAt.getTime()),
        firstTokenMs: null,
        overheadMs: 0,
        waterfall: null,
        createdAt: batch.createdAt,
      }
      const before = await store.findRequest(workId)
      await store.write([row])
      if (before.length === 0) return { costNanoUsd, isNew: true }
      // What is booked already stays as it is, whatever it would come to now.
      return { costNanoUsd: before.reduce((sum, booked) => sum + booked.costNanoUsd, 0), isNew: false }
    },
  }
}

/** @returns a UUID of version 8 (RFC 9562, section 5.8), the same for the same name */
function toUuid(name: string): string {
  const digest = createHash('sha256').update(name).digest('hex')
  const variant = ((Number.parseInt(digest.charAt(16), 16) & 0x3) | 0x8).toString(16)
  return `${digest.slice(0, 8)}-${digest.slice(8, 12)}-8${digest.slice(13, 16)}-${variant}${digest.slice(17, 20)}-${digest.slice(20, 32)}`
}
