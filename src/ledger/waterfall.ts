import type { Exchange } from '../pipeline/exchange.ts'
import type { Outcome } from '../pipeline/stage.ts'

/** @returns milliseconds of the call that were not spent waiting for a provider, to the microsecond */
export function overheadMs(exchange: Exchange, outcome: Pick<Outcome, 'endedMs'>): number {
  let waitedMs = 0
  for (const attempt of exchange.attempts)
    waitedMs += (attempt.endedMs ?? outcome.endedMs) - attempt.startedMs
  return round(Math.max(0, outcome.endedMs - exchange.startedMs - waitedMs))
}

/**
 * @returns what happened to a call, step by step, as `GET /api/v1/requests/{id}` shows it: times in milliseconds
 *   from its start; no contents
 */
export function toWaterfall(exchange: Exchange, outcome: Outcome) {
  const { startedMs } = exchange
  return {
    outcome: outcome.kind,
    route: exchange.plan?.route ?? null,
    stages: exchange.stageTimes.map((time) => ({
      name: time.stage,
      startMs: round(time.startedMs - startedMs),
      durationMs: round(time.endedMs - time.startedMs),
    })),
    attempts: exchange.attempts.map((attempt) => ({
      id: attempt.id,
      number: attempt.number,
      provider: attempt.provider,
      model: attempt.model,
      reason: attempt.reason,
      startMs: round(attempt.startedMs - startedMs),
      headersMs: attempt.headersMs === undefined ? null : round(attempt.headersMs - startedMs),
      firstTokenMs: attempt.firstTokenMs === undefined ? null : round(attempt.firstTokenMs - startedMs),
      endMs: round((attempt.endedMs ?? outcome.endedMs) - startedMs),
      status: attempt.status ?? null,
      errorCode: attempt.errorCode ?? null,
      errorMessage: attempt.errorMessage ?? null,
      usage: attempt.usage,
      units: attempt.units,
      estimated: attempt.estimated,
      costNanoUsd: attempt.costNanoUsd,
      priceVersion: attempt.price.version,
      upstreamRequestId: attempt.upstreamRequestId ?? null,
    })),
    warnings: exchange.warnings,
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 1000) / 1000
}
