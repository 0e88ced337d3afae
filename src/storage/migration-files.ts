import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { siblingFile } from './sibling-file.ts'

/** One step of the schema, as its two files say. */
export interface Migration {
  /** Counts from 1 without gaps. */
  readonly version: number
  readonly name: string
  readonly up: string
  readonly down: string
  /** SHA-256 of `up`, as hexadecimal digits. */
  readonly checksum: string
  /** False where the first line of `up` says `-- no transaction`, as CREATE INDEX CONCURRENTLY needs it. */
  readonly inTransaction: boolean
}

const FILE = /^(\d{4})-([a-z0-9-]+)\.up\.sql$/
const NO_TRANSACTION = /^-- no transaction\b/

/** @returns the migrations that this build knows, oldest first, read from `migrations/` */
export function loadMigrations(): Migration[] {
  const folder = dirname(fileURLToPath(siblingFile(['migrations/0001-books.up.sql'])))
  const migrations = readdirSync(folder)
    .sort()
    .flatMap((file) => {
      const match = FILE.exec(file)
      if (match === null) return []
      const up = readFileSync(join(folder, file), 'utf8')
      return {
        version: Number(match[1]),
        name: match[2] ?? '',
        up,
        down: readFileSync(join(folder, file.replace('.up.sql', '.down.sql')), 'utf8'),
        checksum: createHash('sha256').update(up).digest('hex'),
        inTransaction: !NO_TRANSACTION.test(up),
      }
    })
  for (const [index, { version }] of migrations.entries()) {
    if (version !== index + 1)
      throw new Error(`The installation is incomplete: migration ${index + 1} is missing.`)
  }
  return migrations
}
