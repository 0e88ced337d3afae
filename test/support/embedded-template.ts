import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { migrate } from '../../src/storage/migrate.ts'
import { openDatabase } from '../../src/storage/open-database.ts'

export interface EmbeddedTemplate {
  /** A data directory whose database is migrated and closed. */
  readonly folder: string
  remove(): void
}

/** Making a PGlite cluster takes seconds, copying one does not. */
export async function createEmbeddedTemplate(): Promise<EmbeddedTemplate> {
  const folder = mkdtempSync(join(tmpdir(), 'gatehouse-embedded-'))
  const database = await openDatabase({ dataDir: folder })
  await migrate(database)
  await database.close()
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) }
}
