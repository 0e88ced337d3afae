import { attemptId } from '../core/ids.ts'
import type { Attempt, Caller, Exchange } from '../pipeline/exchange.ts'
import type { Outcome, Stage } from '../pipeline/stage.ts'
import type { LedgerRow } from './ports.ts'
import { overheadMs, toStoredWaterfall } from './waterfall.ts'

export interface LedgerStageOptions {
  readonly account: (exchange: Exchange, attempt: Attempt) => Promise<void> | undefined
  readonly record: (row: LedgerRow) => void
  /** @returns once what was recorded survives this process; `undefined` where it does */
  readonly handedOver: () => Promise<void> | undefined
  readonly onSettled: (exchange: Exchange, outcome: Outcome, rows: readonly LedgerRow[]) => void
}

/**
 * Books every call of a known caller: one row for each attempt, or one for a call that was refused before any. It is
 * settled once its rows survive this process, so that nobody sees the end of a reply that `kill -9` takes off the books.
 */
export function createLedgerStage(options: LedgerStageOptions): Stage {
  return {
    name: 'ledger',
    async settle(exchange, outcome) {
      const { caller, attempts } = exchange
      if (caller === undefined) return
      const defects: unknown[] = []
      for (const attempt of attempts) {
        try {
          const accounting = options.account(exchange, attempt)
          if (accounting !== undefined) await accounting
        } catch (error) {
          // A row without its cost can be mended; a call without a row is lost.
          defects.push(error)
        }
      }
      const rows =
        attempts.length === 0
          ? [toRow(exchange, outcome, caller, undefined, true)]
          : attempts.map((attempt, index) =>
              toRow(exchange, outcome, caller, attempt, index === attempts.length - 1),
            )
      try {
        for (const row of rows) options.record(row)
      } catch (error) {
        // What the call holds is given back also where nobody writes it down any more.
        defects.push(error)
      }
      options.onSettled(exchange, outcome, rows)
      const handover = options.handedOver()
      if (handover !== undefined) await handover
      if (defects.length > 0) throw defects[0]
    },
  }
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
