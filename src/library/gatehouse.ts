import { randomUUID } from 'node:crypto'
import { loadConfig, parseConfig } from '../config/load.ts'
import type { Config, ConfigInput } from '../config/schema/config-schema.ts'
import { systemClock } from '../core/clock.ts'
import { createGateway, type Gateway } from '../gateway.ts'
import { DEFAULT_SLUG, prepareFirstStart } from '../identity/first-start.ts'
import type { Journal } from '../ledger/ports.ts'
import { MemoryCounters } from '../limits/memory-counters.ts'
import type { Counters } from '../limits/ports.ts'
import { KINDS } from '../providers/kinds.ts'
import { migrate } from '../storage/migrate.ts'
import { openDatabase } from '../storage/open-database.ts'
import { openJournal } from '../storage/open-journal.ts'
import { openRedisCounters } from '../storage/redis-stores.ts'
import type { GatewayEvents } from '../telemetry/events.ts'
import type { HealthReport } from '../telemetry/health.ts'
import { type Logger, SILENT_LOGGER } from '../telemetry/logger.ts'
import { type Calls, createCalls } from './calls.ts'
import { type Extraction, type ExtractRequest, extract } from './extract.ts'
import { collectStats, type Stats } from './stats.ts'
import { type Synthesis, type SynthesisRequest, synthesize } from './synthesize.ts'

export interface GatehouseOptions {
  /** As in `gatehouse.yaml`. Left out: that file and the environment, as the server reads them. */
  readonly config?: ConfigInput
  /**
   * Where the ledger is kept: `stores` uses those of the configuration, `memory` (the default) forgets it on `close`.
   */
  readonly ledger?: 'memory' | 'stores'
  readonly logger?: Logger
}

/** The same gateway without HTTP: every call passes the stages that a call over the wire would pass. */
export interface Gatehouse extends Calls {
  /** A value of a schema out of a text. Repaired at most once. */
  extract<Value>(request: ExtractRequest<Value>): Promise<Extraction<Value>>
  /** One answer from many sources, with who said what. */
  synthesize(request: SynthesisRequest): Promise<Synthesis>
  getStats(): Stats
  getHealth(): Promise<HealthReport>
  on<Name extends keyof GatewayEvents>(
    name: Name,
    listener: (...values: GatewayEvents[Name]) => void,
  ): () => void
  /** Writes what is not yet in the ledger and lets go of everything. */
  close(): Promise<void>
}

/**
 * @throws ConfigError with every problem of the configuration
 * @throws GatewayError `storage_unavailable`
 */
export async function createGatehouse(options: GatehouseOptions = {}): Promise<Gatehouse> {
  const knownKinds = [...KINDS.keys()]
  const config =
    options.config === undefined
      ? (await loadConfig({ knownKinds })).config
      : parseConfig(options.config, { knownKinds })
  const { ledger = 'memory', logger = SILENT_LOGGER } = options
  const database = await openLedger(config, ledger)
  let journal: Journal | undefined
  let counting: OpenedCounters | undefined
  let gateway: Gateway | undefined
  async function close(): Promise<void> {
    try {
      await gateway?.close()
    } finally {
      try {
        await counting?.close()
      } finally {
        try {
          await journal?.close()
        } finally {
          await database.close()
        }
      }
    }
  }
  try {
    await migrate(database)
    if (ledger === 'stores') {
      journal = await openJournal(config.storage, logger)
      counting = await openCounters(config, logger)
    }
    gateway = await createGateway({
      config,
      database,
      ...(journal === undefined ? {} : { journal }),
      ...(counting === undefined ? {} : { counters: counting.counters }),
      logger,
    })
    return toGatehouse(gateway, await firstOrganization(gateway), close)
  } catch (error) {
    await close()
    throw error
  }
}

/** @returns the organization that calls are booked on unless they name another, by its id */
async function firstOrganization({ identityStore, organizations }: Gateway): Promise<string> {
  await prepareFirstStart(identityStore, organizations)
  const organization =
    (await identityStore.findOrganization(DEFAULT_SLUG)) ??
    (await identityStore.listOrganizations({ limit: 1 })).data[0]
  return organization?.id ?? ''
}

function toGatehouse(gateway: Gateway, organizationId: string, close: () => Promise<void>): Gatehouse {
  const calls = createCalls(gateway, organizationId)
  const getStats = collectStats(gateway.events)
  return {
    ...calls,
    extract: (request) => extract(calls, request),
    synthesize: (request) => synthesize(calls, request),
    getStats,
    getHealth: () => gateway.health(),
    on(name, listener) {
      // The emitter's own type cannot follow a name that is still open.
      const events: NodeJS.EventEmitter = gateway.events
      const heard = listener as (...values: unknown[]) => void
      events.on(name, heard)
      return () => void events.off(name, heard)
    },
    close,
  }
}

function openLedger({ storage }: Config, ledger: 'memory' | 'stores') {
  if (ledger === 'memory') return openDatabase({})
  const url = storage.database === 'embedded' ? undefined : storage.database.reveal()
  return openDatabase({ url, dataDir: storage.dataDir })
}

interface OpenedCounters {
  readonly counters: Counters
  close(): Promise<void>
}

async function openCounters({ storage }: Config, logger: Logger): Promise<OpenedCounters> {
  const { redis, redisRequired: required, redisCommandTimeoutMs: commandTimeoutMs } = storage
  if (redis !== 'none') {
    return openRedisCounters({ url: redis.reveal(), logger, clock: systemClock, required, commandTimeoutMs })
  }
  const counters = new MemoryCounters({ clock: systemClock, newId: randomUUID, unknown: 'refuse' })
  return { counters, close: () => counters.close() }
}
