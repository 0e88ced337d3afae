import { GatewayError } from '../core/errors.ts'
import type { Database } from './database.ts'
import { openEmbeddedDatabase } from './embedded-database.ts'
import { openPostgresDatabase } from './postgres-database.ts'
import { SILENT, type StorageLogger } from './storage-logger.ts'

export interface DatabaseOptions {
  /** `postgres://…`; unset: embedded. */
  readonly url?: string | undefined
  /** Where the embedded database lives, in `database/`; unset: in memory, gone when closed. */
  readonly dataDir?: string | undefined
  readonly logger?: StorageLogger | undefined
}

/**
 * Opens PostgreSQL where `url` is given, else the embedded database. Its tables are made by `migrate`.
 *
 * @throws GatewayError `storage_unavailable` when it cannot be reached; `conflict` when another process has the
 *   data directory; `invalid_request` when the URL is none of PostgreSQL
 */
export async function openDatabase(options: DatabaseOptions): Promise<Database> {
  const logger = options.logger ?? SILENT
  if (options.url === undefined) return openEmbeddedDatabase(options.dataDir, logger)
  if (!/^postgres(ql)?:\/\//.test(options.url)) {
    throw new GatewayError('invalid_request', {
      message: 'The database URL must begin with postgres://.',
      param: 'storage.database',
    })
  }
  return openPostgresDatabase(options.url, logger)
}
