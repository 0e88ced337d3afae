import type { ProviderState } from '../contract/providers.ts'
import type { BreakerRecord, ProviderBreaker } from '../routing/breakers/ports.ts'
import type { Health, HealthBook, ProviderHealth, TargetHealth } from '../routing/provider-health.ts'

/** One provider as the control API shows it. */
export type ProviderReport = ProviderState

type Named = { readonly name: string; readonly kind: { readonly name: string } }

/**
 * @param nowMs monotonic
 * @param breakerOf left out: all are closed
 */
export function reportProviders(
  providers: ReadonlyMap<string, Named>,
  book: HealthBook,
  nowMs: number,
  breakerOf?: (provider: string) => ProviderBreaker,
): ProviderReport[] {
  return [...providers.values()].map(({ name, kind }) => {
    const known = book.of(name, nowMs)
    const breaker = breakerOf?.(name)
    const breakers = new Map(breaker?.targets.map((target) => [target.model, target]))
    const targets = [...book.targetsOf(name, nowMs)].map(([model, target]) => {
      const own = breakers.get(model)
      return { model, ...toTraffic(target, own), breaker: toBreaker(own) }
    })
    return {
      name,
      kind: kind.name,
      ...toTraffic(known, breaker),
      breaker: {
        ...toBreaker(breaker),
        heldByOperator: breaker?.state === 'open' && breaker.byOperator,
        targets: [...breakers].map(([model, target]) => ({ model, ...toBreaker(target) })),
      },
      probe: toProbe(known, nowMs),
      targets,
    }
  })
}

function toTraffic(
  { health, calls, errors, faults, latencyMs, firstTokenMs }: TargetHealth,
  breaker: BreakerRecord | undefined,
) {
  return {
    health: withBreaker(health, breaker),
    calls,
    errors,
    faults: { ...faults } as Record<string, number>,
    latencyMs: { ...latencyMs },
    ttftMs: { ...firstTokenMs },
  }
}

/** Whoever gets no calls is not well, whatever the last ones said. */
function withBreaker(health: Health, breaker: BreakerRecord | undefined): Health {
  if (breaker?.state === 'open') return 'unhealthy'
  const isHindered = breaker?.state === 'half-open' || breaker?.pausedUntilMs !== undefined
  return isHindered && health !== 'unhealthy' ? 'degraded' : health
}

function toBreaker(record: BreakerRecord | undefined) {
  if (record === undefined) return { state: 'closed' as const, failures: 0 }
  const { state, failures, reason, untilMs, pausedUntilMs } = record
  return { state, failures, reason, until: toIso(untilMs), pausedUntil: toIso(pausedUntilMs) }
}

function toProbe({ probe }: ProviderHealth, nowMs: number) {
  if (probe === undefined) return undefined
  const { ok, atMs, reason } = probe
  return { ok, secondsAgo: Math.max(0, Math.round((nowMs - atMs) / 1000)), reason }
}

function toIso(momentMs: number | undefined): string | undefined {
  return momentMs === undefined ? undefined : new Date(momentMs).toISOString()
}
