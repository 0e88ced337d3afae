import { setTimeout as wait } from 'node:timers/promises'
import { GatewayError } from '../core/errors.ts'
import type { Database, Queryable } from './database.ts'
import { createdTable, type LockLevel, lockLevelOf } from './lock-level.ts'
import { loadMigrations, type Migration } from './migration-files.ts'
import { splitStatements } from './sql-statements.ts'
import { sqlState, UNDEFINED_TABLE } from './storage-error.ts'

/** Any number that nobody else uses: it names the lock under which replicas take turns. */
const LOCK_KEY = 4_728_116_901
/** Another replica that migrates is waited for this long. */
const LOCK_MS_MAX = 120_000
const LOCK_PAUSE_MS = 100
/** A statement that cannot have its lock soon gives up, because everybody else queues behind it. */
const LOCK_TIMEOUT_MS = 5000

const CREATE_REGISTER = `CREATE TABLE IF NOT EXISTS schema_migrations (
  version integer PRIMARY KEY,
  name text NOT NULL,
  checksum text NOT NULL,
  applied_at timestamptz(3) NOT NULL DEFAULT clock_timestamp()
)`

export interface MigrateOptions {
  /** Version to reach; default: the newest. */
  readonly to?: number | undefined
  /** What may be applied; default: what the build brings along. */
  readonly migrations?: readonly Migration[] | undefined
}

export interface MigrationState {
  readonly version: number
  readonly name: string
  readonly appliedAt: Date | undefined
}

export interface MigrationStatus {
  /** Newest version that is applied; 0 for an empty database. */
  readonly current: number
  readonly latest: number
  readonly migrations: readonly MigrationState[]
}

export interface PlannedStatement extends LockLevel {
  readonly version: number
  readonly sql: string
}

interface Applied {
  readonly version: number
  readonly name: string
  readonly checksum: string
  readonly applied_at: Date
}

/**
 * Applies what is missing up to `to`, each step in its own transaction, one process at a time.
 *
 * @returns the versions that were applied
 * @throws GatewayError `conflict` when the database is newer than the build, or an applied file was changed
 */
export async function migrate(database: Database, options: MigrateOptions = {}): Promise<number[]> {
  const migrations = options.migrations ?? loadMigrations()
  const to = toVersion(options.to ?? migrations.length, migrations)
  // Nearly every start has nothing to do: then one SELECT is all.
  if (pending(migrations, await readApplied(database, migrations), to).length === 0) return []
  return database.session((session) =>
    withLock(session, async () => {
      await session.query(CREATE_REGISTER)
      const steps = pending(migrations, await readApplied(session, migrations), to)
      for (const step of steps) {
        await run(session, step, step.up, [
          'INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)',
          [step.version, step.name, step.checksum],
        ])
      }
      return steps.map(({ version }) => version)
    }),
  )
}

/**
 * Takes back, newest first, all steps above `to` (default: the newest step alone). What they created is gone.
 *
 * @returns the versions that were taken back
 */
export async function rollback(database: Database, options: MigrateOptions = {}): Promise<number[]> {
  const migrations = options.migrations ?? loadMigrations()
  return database.session((session) =>
    withLock(session, async () => {
      const applied = await readApplied(session, migrations)
      const to = toVersion(options.to ?? Math.max(currentOf(applied) - 1, 0), migrations)
      const steps = migrations
        .filter(({ version }) => version > to && version <= currentOf(applied))
        .reverse()
      for (const step of steps) {
        await run(session, step, step.down, [
          'DELETE FROM schema_migrations WHERE version = $1',
          [step.version],
        ])
      }
      return steps.map(({ version }) => version)
    }),
  )
}

export async function migrationStatus(
  database: Database,
  options: MigrateOptions = {},
): Promise<MigrationStatus> {
  const migrations = options.migrations ?? loadMigrations()
  const applied = new Map((await readApplied(database, migrations)).map((row) => [row.version, row]))
  return {
    current: Math.max(0, ...applied.keys()),
    latest: migrations.length,
    migrations: migrations.map(({ version, name }) => ({
      version,
      name,
      appliedAt: applied.get(version)?.applied_at,
    })),
  }
}

/** @returns every statement that `migrate` would run, with the lock it takes on tables that exist by then */
export async function migrationPlan(
  database: Database,
  options: MigrateOptions = {},
): Promise<PlannedStatement[]> {
  const migrations = options.migrations ?? loadMigrations()
  const to = toVersion(options.to ?? migrations.length, migrations)
  return pending(migrations, await readApplied(database, migrations), to).flatMap(({ version, up }) => {
    const newTables = new Set<string>()
    return splitStatements(up).map((sql) => {
      const level = lockLevelOf(sql, newTables)
      const table = createdTable(sql)
      if (table !== undefined) newTables.add(table)
      return { version, sql, ...level }
    })
  })
}

function pending(migrations: readonly Migration[], applied: readonly Applied[], to: number): Migration[] {
  const versions = new Set(applied.map(({ version }) => version))
  return migrations.filter(({ version }) => version <= to && !versions.has(version))
}

function currentOf(applied: readonly Applied[]): number {
  return Math.max(0, ...applied.map(({ version }) => version))
}

function toVersion(version: number, migrations: readonly Migration[]): number {
  if (Number.isInteger(version) && version >= 0 && version <= migrations.length) return version
  throw new GatewayError('invalid_request', {
    message: `There is no schema version ${version}; this build knows 0 to ${migrations.length}.`,
    param: 'to',
  })
}

/** Reads the register and refuses what this build must not touch. */
async function readApplied(database: Queryable, migrations: readonly Migration[]): Promise<Applied[]> {
  const applied = await readRegister(database)
  for (const row of applied) {
    const known = migrations[row.version - 1]
    if (known === undefined) {
      throw new GatewayError('conflict', {
        message: `The database has schema version ${currentOf(applied)}, and this build knows only ${migrations.length}: start the newer build, or take the schema back with it first.`,
      })
    }
    if (known.checksum !== row.checksum) {
      throw new GatewayError('conflict', {
        message: `Migration ${row.version} (${row.name}) was changed after it was applied: restore its file, and put the change into a new one.`,
      })
    }
  }
  return applied
}

async function readRegister(database: Queryable): Promise<Applied[]> {
  try {
    const { rows } = await database.query<Applied>(
      'SELECT version, name, checksum, applied_at FROM schema_migrations ORDER BY version',
    )
    return rows
  } catch (error) {
    if (sqlState(error) === UNDEFINED_TABLE) return []
    throw error
  }
}

async function withLock<Result>(session: Queryable, work: () => Promise<Result>): Promise<Result> {
  // Asked for again and again instead of waited for: a waiting session would hold back CREATE INDEX CONCURRENTLY.
  for (let waitedMs = 0; ; waitedMs += LOCK_PAUSE_MS) {
    const { rows } = await session.query<{ locked: boolean }>('SELECT pg_try_advisory_lock($1) AS locked', [
      LOCK_KEY,
    ])
    if (rows[0]?.locked === true) break
    if (waitedMs >= LOCK_MS_MAX) {
      throw new GatewayError('storage_unavailable', { message: 'Another process is migrating the database.' })
    }
    await wait(LOCK_PAUSE_MS)
  }
  try {
    return await work()
  } finally {
    await session.query('SELECT pg_advisory_unlock($1)', [LOCK_KEY])
  }
}

async function run(
  session: Queryable,
  step: Migration,
  script: string,
  [register, parameters]: readonly [string, readonly unknown[]],
): Promise<void> {
  if (!step.inTransaction) {
    for (const statement of splitStatements(script)) await session.query(statement)
    await session.query(register, parameters)
    return
  }
  try {
    await session.query(
      `BEGIN; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = ${LOCK_TIMEOUT_MS};\n${script}`,
    )
    await session.query(register, parameters)
    await session.query('COMMIT')
  } catch (error) {
    await session.query('ROLLBACK').catch(() => {})
    throw error
  }
}
