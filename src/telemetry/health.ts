import type { Health, HealthBook, HealthTotals, Percentiles } from '../routing/provider-health.ts'

export interface ProviderReport {
  readonly name: string
  readonly kind: string
  readonly health: Health
  readonly breaker: { readonly state: 'closed' | 'open' | 'half-open'; readonly failures: number }
  readonly latencyMs: Percentiles
  readonly ttftMs: Percentiles
}

type Status = 'healthy' | 'degraded' | 'unhealthy'

export interface HealthReport {
  readonly status: Status
  readonly components: Record<string, unknown>
  readonly checks: {
    readonly errorRate: { readonly status: Status; readonly value: number; readonly threshold: number }
    readonly latency: { readonly status: Status; readonly valueMs: number; readonly thresholdMs: number }
  }
}

/** @param nowMs monotonic */
export function reportProviders(
  providers: ReadonlyMap<string, { readonly name: string; readonly kind: { readonly name: string } }>,
  book: HealthBook,
  nowMs: number,
): ProviderReport[] {
  return [...providers.values()].map(({ name, kind }) => {
    const { health, failuresInRow, latencyMs, firstTokenMs } = book.of(name, nowMs)
    return {
      name,
      kind: kind.name,
      health,
      breaker: { state: 'closed', failures: failuresInRow },
      latencyMs,
      ttftMs: firstTokenMs,
    }
  })
}

export interface HealthInputs {
  readonly database: { readonly kind: string; health(signal: AbortSignal): Promise<void> }
  readonly providers: readonly ProviderReport[]
  readonly totals: HealthTotals
  readonly waitingRows: number
  readonly thresholds: { readonly errorRate: number; readonly latencyMs: number }
}

const DATABASE_TIMEOUT_MS = 2000
/** Rows are written ten times a second; this many at once means that they are not. */
const WAITING_ROWS_DEGRADED = 10_000

/** @returns how the house is: degraded still answers calls, unhealthy does not */
export async function reportHealth(inputs: HealthInputs): Promise<HealthReport> {
  const { database, totals, thresholds, waitingRows } = inputs
  const databaseStatus = await database.health(AbortSignal.timeout(DATABASE_TIMEOUT_MS)).then(
    () => 'healthy' as const,
    () => 'unhealthy' as const,
  )
  const ledgerStatus: Status = waitingRows > WAITING_ROWS_DEGRADED ? 'degraded' : 'healthy'
  const errorRate: Status = totals.errorRate > thresholds.errorRate ? 'degraded' : 'healthy'
  const latency: Status = totals.latencyMs > thresholds.latencyMs ? 'degraded' : 'healthy'
  const providers = Object.fromEntries(inputs.providers.map(({ name, health }) => [name, { status: health }]))
  const sick = inputs.providers.filter(({ health }) => health === 'unhealthy').length
  const allSick = sick > 0 && sick === inputs.providers.length
  const degraded =
    sick > 0 || [databaseStatus, ledgerStatus, errorRate, latency].some((status) => status !== 'healthy')
  return {
    status: allSick ? 'unhealthy' : degraded ? 'degraded' : 'healthy',
    components: {
      database: { status: databaseStatus, kind: database.kind },
      redis: { status: 'healthy', kind: 'none' },
      providers,
      cache: { status: 'healthy' },
      ledger: { status: ledgerStatus, waitingRows },
      queue: { status: ledgerStatus, waitingRows },
    },
    checks: {
      errorRate: { status: errorRate, value: totals.errorRate, threshold: thresholds.errorRate },
      latency: { status: latency, valueMs: totals.latencyMs, thresholdMs: thresholds.latencyMs },
    },
  }
}
