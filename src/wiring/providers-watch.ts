import type { Clock } from '../core/clock.ts'
import type { Provider } from '../providers/provider-set.ts'
import type { BreakerSettings } from '../routing/breakers/breaker.ts'
import { type Breakers, openBreakers } from '../routing/breakers/breakers.ts'
import type { BreakerFeed } from '../routing/breakers/ports.ts'
import { hasModelList, probeModelList } from '../routing/model-list-probe.ts'
import { openProbes } from '../routing/probes.ts'
import { HealthBook } from '../routing/provider-health.ts'
import type { Logger } from '../telemetry/logger.ts'
import type { Closers } from './closers.ts'
import type { Stores } from './stores.ts'

export interface ProvidersWatchOptions {
  readonly stores: Stores
  readonly settings: BreakerSettings
  /** In force. */
  readonly providers: () => ReadonlyMap<string, Provider>
  /** Breakers of all replicas; left out: this process is alone. */
  readonly feed: BreakerFeed | undefined
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
}

/** What is known of the providers: how they are, and whether calls go to them. */
export interface ProvidersWatch {
  readonly breakers: Breakers
  readonly health: HealthBook
}

/** @throws GatewayError `storage_unavailable` */
export async function watchProviders(
  options: ProvidersWatchOptions,
  closers: Closers,
): Promise<ProvidersWatch> {
  const { stores, providers, clock, random, logger } = options
  const health = new HealthBook()
  const breakers = await openBreakers({
    settings: options.settings,
    providers: () => [...providers().keys()],
    clock,
    random,
    feed: options.feed,
    table: stores.breakers,
    onChange: (record) => logger.warn({ ...record }, 'a breaker changed'),
    onError: (error, what) => logger.error({ error }, what),
  })
  closers.add(breakers.close)
  const probes = openProbes({
    providers: () => [...providers().values()].filter(hasModelList).map(({ name }) => name),
    async probe(name, signal) {
      const provider = providers().get(name)
      if (provider !== undefined) await probeModelList(provider, signal)
    },
    lastCallMs: (name) => health.lastCallMs(name),
    onResult(name, result) {
      health.noteProbe(name, result)
      if (result.ok) breakers.board.signOfLife(name)
    },
    clock,
    random,
  })
  closers.add(probes.close)
  return { breakers, health }
}
