import type { HealthTotals } from '../routing/provider-health.ts'
import type { ProviderReport } from './provider-report.ts'

export { type ProviderReport, reportProviders } from './provider-report.ts'

/** Degraded still answers calls, unhealthy does not. */
type Status = 'healthy' | 'degraded' | 'unhealthy'

export interface HealthReport {
  readonly status: Status
  readonly components: Record<string, unknown>
  readonly checks: {
    readonly errorRate: { readonly status: Status; readonly value: number; readonly threshold: number }
    readonly latency: { readonly status: Status; readonly valueMs: number; readonly thresholdMs: number }
  }
}

/** What is configured, and how it is. */
export interface RedisHealth {
  readonly kind: 'none' | 'redis'
  readonly isReady: boolean
}

export interface HealthInputs {
  readonly database: { readonly kind: string; health(signal: AbortSignal): Promise<void> }
  readonly providers: readonly ProviderReport[]
  readonly totals: HealthTotals
  readonly waitingRows: number
  /** Whether usage can still be recorded; without, calls are refused until the database is back. */
  readonly hasRoom?: boolean
  /** Left out: none is configured. */
  readonly redis?: () => RedisHealth
  readonly thresholds: { readonly errorRate: number; readonly latencyMs: number }
}

const DATABASE_TIMEOUT_MS = 2000
/** Rows are written ten times a second; this many at once means that they are not. */
const WAITING_ROWS_DEGRADED = 10_000

/**
 * @returns how the house is. Dead are: all providers at once, and a database that is away for so long that calls need
 *   it. One provider, Redis, or a database that calls do without for a while, degrade it
 */
export async function reportHealth(inputs: HealthInputs): Promise<HealthReport> {
  const { database, totals, thresholds, waitingRows, hasRoom = true } = inputs
  const databaseStatus = await database.health(AbortSignal.timeout(DATABASE_TIMEOUT_MS)).then(
    () => 'healthy' as const,
    () => 'unhealthy' as const,
  )
  const redis = inputs.redis?.() ?? { kind: 'none', isReady: true }
  const redisStatus: Status = redis.isReady ? 'healthy' : 'degraded'
  const waiting: Status = waitingRows > WAITING_ROWS_DEGRADED ? 'degraded' : 'healthy'
  const ledgerStatus: Status = hasRoom ? waiting : 'unhealthy'
  const errorRate: Status = totals.errorRate > thresholds.errorRate ? 'degraded' : 'healthy'
  const latency: Status = totals.latencyMs > thresholds.latencyMs ? 'degraded' : 'healthy'
  const providers = Object.fromEntries(inputs.providers.map((each) => [each.name, toComponent(each)]))
  const isDead = !hasRoom || areAllSick(inputs.providers)
  const statuses = [databaseStatus, redisStatus, ledgerStatus, errorRate, latency]
  const isDegraded = inputs.providers.some(isUnwell) || statuses.some((status) => status !== 'healthy')
  return {
    status: isDead ? 'unhealthy' : isDegraded ? 'degraded' : 'healthy',
    components: {
      database: { status: databaseStatus, kind: database.kind },
      redis: { status: redisStatus, kind: redis.kind },
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

function toComponent({ health, breaker, probe }: ProviderReport) {
  return { status: health, breaker: breaker.state, reason: breaker.reason ?? probe?.reason }
}

/** One of which nothing is known may answer. */
function areAllSick(providers: readonly ProviderReport[]): boolean {
  return providers.length > 0 && providers.every(({ health }) => health === 'unhealthy')
}

function isUnwell({ health, breaker }: ProviderReport): boolean {
  return health === 'unhealthy' || breaker.state !== 'closed'
}
