import type { Warning } from '../contract/warning.ts'
import type { Attempt, Exchange } from '../pipeline/exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'
import type { LedgerRow } from './ports.ts'

/** @returns milliseconds of the call that were not spent waiting for a provider, to the microsecond */
export function overheadMs(exchange: Exchange, outcome: Pick<Outcome, 'endedMs'>): number {
  let waitedMs = 0
  for (const attempt of exchange.attempts)
    waitedMs += (attempt.endedMs ?? outcome.endedMs) - attempt.startedMs
  return round(Math.max(0, outcome.endedMs - exchange.startedMs - waitedMs))
}

/**
 * What the columns of a call's rows do not say of it, as the ledger keeps it: lists in place of names, because every
 * call is written and few are ever read. Times are milliseconds from the start of the call; no contents.
 */
export interface StoredWaterfall {
  readonly outcome: Outcome['kind']
  readonly route: string | null
  /** Name, start, duration. */
  readonly stages: readonly (readonly [string, number, number])[]
  /** One for each attempt, in their order. */
  readonly attempts: readonly StoredAttempt[]
  readonly warnings?: readonly Warning[]
}

type StoredAttempt = readonly [
  startMs: number,
  headersMs: number | null,
  firstTokenMs: number | null,
  endMs: number,
  providerStatus: number | null,
  reason: string,
  errorMessage: string | null,
  upstreamRequestId: string | null,
  units: NonNullable<Attempt['units']> | null,
]

/** @returns what happened to a call, for its last row */
export function toStoredWaterfall(exchange: Exchange, outcome: Outcome): StoredWaterfall {
  const { startedMs, warnings } = exchange
  const since = (ms: number | undefined) => (ms === undefined ? null : round(ms - startedMs))
  return {
    outcome: outcome.kind,
    route: exchange.plan?.route ?? null,
    stages: exchange.stageTimes.map((time) => [
      time.stage,
      round(time.startedMs - startedMs),
      round(time.endedMs - time.startedMs),
    ]),
    attempts: exchange.attempts.map(
      (attempt): StoredAttempt => [
        round(attempt.startedMs - startedMs),
        since(attempt.headersMs),
        since(attempt.firstTokenMs),
        round((attempt.endedMs ?? outcome.endedMs) - startedMs),
        attempt.status ?? null,
        attempt.reason,
        attempt.errorMessage ?? null,
        attempt.upstreamRequestId ?? null,
        attempt.units ?? null,
      ],
    ),
    ...(warnings.length === 0 ? {} : { warnings }),
  }
}

/**
 * @param rows all rows of one call
 * @returns what happened to it, step by step, as `GET /api/v1/requests/{id}` shows it; `null` where no row tells
 */
export function readWaterfall(rows: readonly LedgerRow[]) {
  const stored = rows.findLast((row) => row.final)?.waterfall as StoredWaterfall | null | undefined
  if (stored === null || stored === undefined) return null
  return {
    outcome: stored.outcome,
    route: stored.route,
    stages: stored.stages.map(([name, startMs, durationMs]) => ({ name, startMs, durationMs })),
    attempts: stored.attempts.map((attempt, index) => {
      const [
        startMs,
        headersMs,
        firstTokenMs,
        endMs,
        status,
        reason,
        errorMessage,
        upstreamRequestId,
        units,
      ] = attempt
      const row = rows.find(({ attempt: number }) => number === index + 1)
      return {
        id: row?.id ?? null,
        number: index + 1,
        provider: row?.provider ?? null,
        model: row?.model ?? null,
        reason,
        startMs,
        headersMs,
        firstTokenMs,
        endMs,
        status,
        errorCode: row?.errorCode ?? null,
        errorMessage,
        tokensInput: row?.tokensInput ?? null,
        tokensOutput: row?.tokensOutput ?? null,
        units,
        estimated: row?.estimated ?? false,
        costNanoUsd: row?.costNanoUsd ?? 0,
        priceVersion: row?.priceVersion ?? null,
        upstreamRequestId,
      }
    }),
    warnings: stored.warnings ?? [],
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}
