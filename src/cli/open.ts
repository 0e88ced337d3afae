import { randomUUID } from 'node:crypto'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import type { Override } from '../config/override.ts'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Journal } from '../ledger/ports.ts'
import { MemoryCounters } from '../limits/memory-counters.ts'
import type { Counters } from '../limits/ports.ts'
import { KINDS } from '../providers/kinds.ts'
import type { Database } from '../storage/database.ts'
import { migrate } from '../storage/migrate.ts'
import { openDatabase } from '../storage/open-database.ts'
import { openJournal as openStoredJournal } from '../storage/open-journal.ts'
import { openRedisBreakers } from '../storage/redis-breakers-open.ts'
import { openRedisCounters } from '../storage/redis-stores.ts'
import { type Logger, SILENT_LOGGER } from '../telemetry/logger.ts'

export const LOAD = { knownKinds: [...KINDS.keys()] }

export function load(overrides: readonly Override[] = []): Promise<LoadedConfig> {
  return loadConfig({ ...LOAD, overrides })
}

/** Opens the database that the configuration names; its tables are as the migrations left them. */
export function openConfigured(loaded: LoadedConfig, logger?: Logger): Promise<Database> {
  const { database, dataDir } = loaded.config.storage
  return openDatabase({ url: database === 'embedded' ? undefined : database.reveal(), dataDir, logger })
}

/** Opens the database and brings it up to date. */
export async function openMigrated(loaded: LoadedConfig, logger?: Logger): Promise<Database> {
  const database = await openConfigured(loaded, logger)
  try {
    await migrate(database)
    return database
  } catch (error) {
    await database.close()
    throw error
  }
}

/** Opens the journal that the configuration names. @throws GatewayError */
export function openJournal(loaded: LoadedConfig, logger: Logger = SILENT_LOGGER): Promise<Journal> {
  return openStoredJournal(loaded.config.storage, logger)
}

/** Counters, and what closes them and their connection. */
export interface OpenedCounters {
  readonly counters: Counters
  close(): Promise<void>
}

/**
 * Opens the counters of limits and budgets, in the process or in Redis. What they do not know they have counted anew
 * from the ledger.
 *
 * @throws GatewayError `storage_unavailable` where Redis is away and is required
 */
export async function openCounters(
  loaded: LoadedConfig,
  logger: Logger = SILENT_LOGGER,
  clock: Clock = systemClock,
): Promise<OpenedCounters> {
  const { redis, redisRequired: required, redisCommandTimeoutMs: commandTimeoutMs } = loaded.config.storage
  if (redis !== 'none') {
    return openRedisCounters({ url: redis.reveal(), logger, clock, required, commandTimeoutMs })
  }
  const counters = new MemoryCounters({ clock, newId: randomUUID, unknown: 'refuse' })
  return { counters, close: () => counters.close() }
}

/** Opens the breakers that replicas share; `undefined` without Redis. */
export function openBreakers(
  loaded: LoadedConfig,
  logger: Logger = SILENT_LOGGER,
  clock: Clock = systemClock,
): ReturnType<typeof openRedisBreakers> | undefined {
  const { redis } = loaded.config.storage
  if (redis === 'none') return undefined
  return openRedisBreakers({ url: redis.reveal(), logger, clock, id: randomUUID() })
}
