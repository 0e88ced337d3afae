import { attemptId } from '../core/ids.ts'
import type { Attempt, Caller, Exchange } from '../pipeline/exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'
import type { LedgerRow } from './ports.ts'
import { overheadMs, toStoredWaterfall } from './waterfall.ts'

/** @returns one row for each attempt, or one for a call that was refused before any */
export function toRows(exchange: Exchange, outcome: Outcome, caller: Caller): LedgerRow[] {
  const { attempts } = exchange
  if (attempts.length === 0) return [toRow(exchange, outcome, caller, undefined, true)]
  return attempts.map((attempt, index) =>
    toRow(exchange, outcome, caller, attempt, index === attempts.length - 1),
  )
}

function toRow(
  exchange: Exchange,
  outcome: Outcome,
  caller: Caller,
  attempt: Attempt | undefined,
  final: boolean,
): LedgerRow {
  const { incoming } = exchange
  const usage = attempt?.usage
  const endedMs = final ? outcome.endedMs : (attempt?.endedMs ?? outcome.endedMs)
  const startedMs = final ? exchange.startedMs : (attempt?.startedMs ?? exchange.startedMs)
  return {
    id: attempt?.id ?? attemptId(exchange.id, 0),
    requestId: exchange.id,
    attempt: attempt?.number ?? 0,
    final,
    organizationId: caller.organizationId,
    teamId: caller.teamId,
    keyId: caller.keyId,
    userId: caller.user,
    sessionId: incoming.hints.session ?? null,
    tags: incoming.hints.tags,
    provider: attempt?.provider ?? null,
    // Files have none.
    model: attempt?.model || null,
    requestedModel: incoming.model === '' ? null : incoming.model,
    operation: incoming.operation,
    task: incoming.hints.task ?? null,
    format: incoming.format,
    stream: incoming.stream,
    status: final ? finalStatus(outcome) : (attempt?.status ?? 502),
    errorCode: final ? (outcome.error?.code ?? attempt?.errorCode ?? null) : (attempt?.errorCode ?? null),
    tokensInput: usage?.inputTokens ?? null,
    tokensOutput: usage?.outputTokens ?? null,
    tokensCached: usage?.cachedInputTokens ?? null,
    tokensCacheWrite: usage?.cacheWriteTokens ?? null,
    tokensReasoning: usage?.reasoningTokens ?? null,
    costNanoUsd: attempt?.costNanoUsd ?? 0,
    priceVersion: attempt?.price.version ?? null,
    estimated: attempt?.estimated ?? false,
    cache: 'miss',
    latencyMs: Math.round(endedMs - startedMs),
    firstTokenMs:
      attempt?.firstTokenMs === undefined ? null : Math.round(attempt.firstTokenMs - exchange.startedMs),
    overheadMs: overheadMs(exchange, outcome),
    waterfall: final ? toStoredWaterfall(exchange, outcome) : null,
    createdAt: new Date(exchange.receivedAtMs),
  }
}

/** What the caller saw; but a stream that broke, or was left, had said 200 before, and the books say what became of it. */
function finalStatus({ kind, status, error }: Outcome): number {
  const isTold = kind === 'completed' || (kind === 'failed' && status >= 400)
  return isTold ? status : (error?.spec.status ?? status)
}
