import { join } from 'node:path'
import { type LoadedConfig, loadConfig } from '../config/load.ts'
import type { Override } from '../config/override.ts'
import type { Journal } from '../ledger/ports.ts'
import { KINDS } from '../providers/kinds.ts'
import type { Database } from '../storage/database.ts'
import { openFileJournal } from '../storage/file-journal.ts'
import { migrate } from '../storage/migrate.ts'
import { openDatabase } from '../storage/open-database.ts'
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

/** Opens the journal, on the disk of this machine: what an earlier process left in it goes to the ledger. */
export function openJournal(loaded: LoadedConfig, logger: Logger = SILENT_LOGGER): Promise<Journal> {
  const { database, dataDir } = loaded.config.storage
  return openFileJournal({ directory: join(dataDir, 'journal'), logger, embedded: database === 'embedded' })
}
