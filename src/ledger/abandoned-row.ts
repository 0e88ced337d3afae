import type { LedgerRow } from './ports.ts'

/** What is known of a call whose process died: what it was, and what its input costs. */
export interface AbandonedCall {
  readonly attemptId: string
  readonly attempt: number
  readonly teamId: string | null
  readonly keyId: string | null
  readonly userId: string | null
  readonly sessionId: string | null
  readonly tags: Readonly<Record<string, string>>
  readonly provider: string
  readonly model: string
  readonly operation: string
  readonly task: string | null
  readonly format: string
  readonly stream: boolean
  readonly requestedModel: string | null
  readonly tokensInput: number
  readonly costInputNanoUsd: number
  readonly priceVersion: string | null
  /** Unix milliseconds. */
  readonly receivedAtMs: number
}

/**
 * @returns the row of a call that left and never came back: charged for its input, because nobody knows what was
 *   written, and marked as estimated
 */
export function toAbandonedRow(call: AbandonedCall, organizationId: string, requestId: string): LedgerRow {
  const { attemptId, costInputNanoUsd, receivedAtMs, provider, model, ...facts } = call
  return {
    ...facts,
    id: attemptId,
    requestId,
    organizationId,
    provider,
    model: model === '' ? null : model,
    final: true,
    status: 500,
    errorCode: 'internal_error',
    tokensOutput: 0,
    tokensCached: null,
    tokensCacheWrite: null,
    tokensReasoning: null,
    costNanoUsd: costInputNanoUsd,
    estimated: true,
    cache: 'miss',
    latencyMs: 0,
    firstTokenMs: null,
    overheadMs: 0,
    waterfall: null,
    createdAt: new Date(receivedAtMs),
  }
}
