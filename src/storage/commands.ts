import { GatewayError } from '../core/errors.ts'
import type { Database } from './database.ts'
import { type MigrateOptions, migrate, migrationPlan, migrationStatus, rollback } from './migrate.ts'

export interface CommandResult {
  /** For people. */
  readonly text: string
  /** For programs. */
  readonly json: unknown
  /** 0 done, 1 found a problem, 2 wrong usage. */
  readonly exitCode: 0 | 1 | 2
}

export interface MigrateCommand extends MigrateOptions {
  readonly action: 'status' | 'up' | 'down' | 'plan'
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean
}

/** The body of `gatehouse migrate status|up|down|plan`. */
export async function migrateCommand(database: Database, command: MigrateCommand): Promise<CommandResult> {
  try {
    return await runAction(database, command)
  } catch (error) {
    if (!(error instanceof GatewayError)) throw error
    const exitCode = error.code === 'invalid_request' ? 2 : 1
    return { text: error.message, json: { error: { code: error.code, message: error.message } }, exitCode }
  }
}

async function runAction(database: Database, command: MigrateCommand): Promise<CommandResult> {
  if (command.action === 'status') return status(database, command)
  if (command.action === 'plan' || (command.action === 'up' && command.dryRun === true))
    return plan(database, command)
  if (command.action === 'up') {
    const applied = await migrate(database, command)
    const text = applied.length === 0 ? 'Nothing to apply.' : `Applied ${list(applied)}.`
    return { text, json: { applied }, exitCode: 0 }
  }
  if (command.dryRun === true) return planDown(database, command)
  const removed = await rollback(database, command)
  const text = removed.length === 0 ? 'Nothing to take back.' : `Took back ${list(removed)}.`
  return { text, json: { removed }, exitCode: 0 }
}

async function status(database: Database, options: MigrateOptions): Promise<CommandResult> {
  const json = await migrationStatus(database, options)
  const lines = json.migrations.map(
    ({ version, name, appliedAt }) =>
      `${String(version).padStart(4, '0')}  ${name}  ${appliedAt === undefined ? 'pending' : `applied ${appliedAt.toISOString()}`}`,
  )
  return {
    text: [`Schema version ${json.current} of ${json.latest}.`, ...lines].join('\n'),
    json,
    exitCode: 0,
  }
}

async function plan(database: Database, options: MigrateOptions): Promise<CommandResult> {
  const statements = await migrationPlan(database, options)
  const lines = statements.map(
    ({ version, sql, lock, blocks }) =>
      `-- ${String(version).padStart(4, '0')}  lock: ${lock}, blocks ${blocks}\n${sql};`,
  )
  const text = statements.length === 0 ? 'Nothing to apply.' : lines.join('\n\n')
  return { text, json: { statements }, exitCode: 0 }
}

async function planDown(database: Database, options: MigrateOptions): Promise<CommandResult> {
  const { current } = await migrationStatus(database, options)
  const to = options.to ?? Math.max(current - 1, 0)
  const removed = Array.from({ length: Math.max(current - to, 0) }, (_, index) => current - index)
  const text =
    removed.length === 0 ? 'Nothing to take back.' : `Would take back ${list(removed)}, with their data.`
  return { text, json: { removed }, exitCode: 0 }
}

function list(versions: readonly number[]): string {
  return versions.map((version) => String(version).padStart(4, '0')).join(', ')
}
