import { join } from 'node:path'
import { type Clock, systemClock } from '../core/clock.ts'
import type { Secret } from '../core/secret.ts'
import type { Journal } from '../ledger/ports.ts'
import { openFileJournal } from './file-journal.ts'
import { openSharedJournal } from './redis-stores.ts'
import type { StorageLogger } from './storage-logger.ts'

/** What the configuration says of it. */
export interface JournalSettings {
  readonly database: 'embedded' | Secret
  readonly redis: 'none' | Secret
  readonly redisRequired: boolean
  readonly journal: 'file' | 'redis'
  readonly journalBytesMax: number
  readonly dataDir: string
}

/**
 * Opens the journal, on the disk of this machine or in Redis: what an earlier process left in it goes to the ledger.
 *
 * @throws GatewayError `conflict` where another process has its files; `storage_unavailable` where Redis is away and is
 *   required
 */
export function openJournal(
  settings: JournalSettings,
  logger: StorageLogger,
  clock: Clock = systemClock,
): Promise<Journal> {
  const { database, redis, redisRequired: required, journal, journalBytesMax: bytesMax, dataDir } = settings
  if (journal === 'redis' && redis !== 'none') {
    return openSharedJournal({ url: redis.reveal(), logger, clock, required, bytesMax })
  }
  const directory = join(dataDir, 'journal')
  return openFileJournal({ directory, logger, clock, bytesMax, embedded: database === 'embedded' })
}
